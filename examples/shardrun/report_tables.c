/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of a report: hosts, kinds, the slowest tasks. Failures have a file of their own.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "markup.h"
#include "report_view.h"

enum { MOST_HOSTS_LISTED = 100, MOST_KINDS_LISTED = 60, SLOWEST = 12 };

static void put_cell_count(struct text *text, int64_t count, bool bad)
{
    text_puts(text, bad && count > 0 ? "<td class=\"n bad\">" : "<td class=\"n\">");
    if (count > 0)
        markup_count(text, count);
    else
        text_puts(text, "\xe2\x80\x93");
    text_puts(text, "</td>");
}

static void put_cell_seconds(struct text *text, double seconds)
{
    text_puts(text, "<td class=\"n\">");
    if (isnan(seconds))
        text_puts(text, "\xe2\x80\x93");
    else
        markup_seconds(text, seconds);
    text_puts(text, "</td>");
}

/* The failure classes that there were, as words: "3 out_of_memory, 1 timeout". */
static void put_classes(struct text *text, const int *ended)
{
    bool any = false;
    text_puts(text, "<td>");
    for (int outcome = SHARD_OUTCOME_TASK_ERROR; outcome < SHARD_OUTCOME_COUNT; outcome++) {
        if (ended[outcome] == 0)
            continue;
        text_puts(text, any ? ", " : "");
        text_puts(text, report_is_failure(outcome) ? "<span class=\"bad\">" : "<span>");
        markup_count(text, ended[outcome]);
        text_printf(text, " %s</span>", shard_outcome_text(outcome));
        any = true;
    }
    text_puts(text, any ? "</td>" : "\xe2\x80\x93</td>");
}

/* What a host had: "0.50 cores, 100 MiB". */
static void put_capacity(struct text *text, const struct host_plan *plan)
{
    text_puts(text, "<td class=\"dim\">");
    if (plan != NULL) {
        text_printf(text, "%.2g cores", (double)plan->cpu_limit / 1000);
        if (plan->memory_limit_bytes > 0) {
            text_puts(text, ", ");
            markup_bytes(text, plan->memory_limit_bytes);
        }
        if (plan->memory_bytes > plan->memory_limit_bytes && plan->memory_limit_bytes > 0) {
            text_puts(text, " <span class=\"bad\">(says ");
            markup_bytes(text, plan->memory_bytes);
            text_puts(text, ")</span>");
        }
    }
    text_puts(text, "</td>");
}

void report_put_hosts(struct text *text, const struct report *report)
{
    double seconds = report_makespan(report);
    bool plans = false;
    if (report->host_count == 0)
        return;
    for (int i = 0; i < report->host_count; i++)
        plans = plans || report->hosts[i].plan != NULL;
    view_open(text, "Hosts", NULL);
    text_printf(text,
                "<div class=\"scroll\"><table><tr><th>host%s<th class=\"n\">attempts<th class=\"n\">done<th>not "
                "done<th class=\"n\">at a time<th class=\"n\">busy for<th>busy share</tr>\n",
                plans ? "<th>has" : "");
    for (int i = 0; i < report->host_count && i < MOST_HOSTS_LISTED; i++) {
        const struct report_host *host = &report->hosts[i];
        text_puts(text, "<tr><td>");
        markup_escape(text, host->name);
        text_puts(text, "</td>");
        if (plans)
            put_capacity(text, host->plan);
        put_cell_count(text, host->attempts, false);
        put_cell_count(text, host->ended[SHARD_OUTCOME_DONE], false);
        put_classes(text, host->ended);
        put_cell_count(text, host->lanes, false);
        put_cell_seconds(text, host->busy_seconds);
        view_share_bar(text, seconds > 0 && host->lanes > 0 ? host->busy_seconds / (seconds * host->lanes) : 0,
                       "meter");
        text_puts(text, "</tr>\n");
    }
    text_puts(text, "</table></div>\n");
    if (report->host_count > MOST_HOSTS_LISTED)
        text_printf(text, "<p class=\"note\">and %d more</p>\n", report->host_count - MOST_HOSTS_LISTED);
    view_close(text);
}

void report_put_kinds(struct text *text, const struct report *report)
{
    int *order = palette_order(report->palette, report->kind_count);
    double all = 0;
    char class[8];
    for (int i = 0; i < report->kind_count; i++)
        all += report->kinds[i].busy_seconds;
    if (report->kind_count > 0) {
        view_open(text, "Kinds of tasks", NULL);
        text_puts(text, "<div class=\"scroll\"><table><tr><th>kind<th class=\"n\">tasks<th class=\"n\">attempts<th "
                        "class=\"n\">failed<th class=\"n\">median<th class=\"n\">95 %<th class=\"n\">longest<th "
                        "class=\"n\">all<th>share of the time</tr>\n");
    }
    for (int i = 0; i < report->kind_count && i < MOST_KINDS_LISTED; i++) {
        const struct report_kind *kind = &report->kinds[order[i]];
        text_puts(text, "<tr><td>");
        view_kind_name(text, report, order[i]);
        text_puts(text, "</td>");
        put_cell_count(text, kind->tasks, false);
        put_cell_count(text, kind->attempts, false);
        put_cell_count(text, kind->failures, true);
        put_cell_seconds(text, kind->median_seconds);
        put_cell_seconds(text, kind->p95_seconds);
        put_cell_seconds(text, kind->longest_seconds);
        put_cell_seconds(text, kind->busy_seconds);
        snprintf(class, sizeof class, "k%d", report->palette[order[i]].slot);
        view_share_bar(text, all > 0 ? kind->busy_seconds / all : 0, class);
        text_puts(text, "</tr>\n");
    }
    if (report->kind_count > 0) {
        text_puts(text, "</table></div>\n");
        if (report->kind_count > MOST_KINDS_LISTED)
            text_printf(text, "<p class=\"note\">and %d more, with less work</p>\n",
                        report->kind_count - MOST_KINDS_LISTED);
        view_close(text);
    }
    free(order);
}

static int by_seconds(const void *left, const void *right)
{
    const struct report_attempt *a = *(const struct report_attempt *const *)left;
    const struct report_attempt *b = *(const struct report_attempt *const *)right;
    double x = report_seconds(a), y = report_seconds(b);
    if (x != y)
        return x > y ? -1 : 1;
    return a < b ? -1 : a > b;
}

static void put_slow(struct text *text, const struct report *report, const struct report_attempt *attempt,
                     double longest)
{
    char *name = report_task_name(report, attempt->task);
    double median = report->kinds[attempt->kind].median_seconds;
    char class[8];
    text_puts(text, "<tr><td>");
    markup_escape_cut(text, name, 60);
    free(name);
    text_puts(text, "</td><td>");
    view_kind_name(text, report, attempt->kind);
    text_puts(text, "</td><td>");
    markup_escape(text, report_host_name(report, attempt->host));
    text_puts(text, "</td>");
    put_cell_seconds(text, report_seconds(attempt));
    text_puts(text, "<td class=\"n\">");
    if (median > 0)
        text_printf(text, "%.1f", report_seconds(attempt) / median);
    text_puts(text, "</td><td class=\"bar wide\"><svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\">");
    snprintf(class, sizeof class, "k%d", report->palette[attempt->kind].slot);
    text_printf(text, "<rect class=\"%s\" width=\"%.1f\" height=\"8\" rx=\"1\"/></svg></td></tr>\n", class,
                longest > 0 ? 100 * report_seconds(attempt) / longest : 0);
}

void report_put_slowest(struct text *text, const struct report *report)
{
    const struct report_attempt **sorted = need_zeroed((size_t)report->attempt_count, sizeof *sorted);
    int count = 0;
    for (int i = 0; i < report->attempt_count; i++) {
        if (report->attempts[i].outcome == SHARD_OUTCOME_DONE)
            sorted[count++] = &report->attempts[i];
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_seconds);
    if (count > 0) {
        view_open(text, "Slowest tasks", NULL);
        text_puts(text, "<div class=\"scroll\"><table><tr><th>task<th>kind<th>host<th class=\"n\">ran for<th "
                        "class=\"n\">times its median<th></tr>\n");
        for (int i = 0; i < count && i < SLOWEST; i++)
            put_slow(text, report, sorted[i], report_seconds(sorted[0]));
        text_puts(text, "</table></div>\n");
        view_close(text);
    }
    free(sorted);
}
