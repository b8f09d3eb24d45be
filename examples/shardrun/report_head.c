/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a report: how the run ended, and its key figures.
 */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "markup.h"
#include "report_view.h"

static void open_tile(struct text *text, const char *title)
{
    text_printf(text, "<div class=\"tile\"><span>%s</span><b>", title);
}

static void note_in_tile(struct text *text)
{
    text_puts(text, "</b><small>");
}

static void close_tile(struct text *text)
{
    text_puts(text, "</small></div>\n");
}

static void put_makespan(struct text *text, const struct report *report)
{
    double seconds = report_makespan(report), least = report_least_seconds(report);
    open_tile(text, "Makespan");
    markup_seconds(text, seconds);
    note_in_tile(text);
    if (least > 0 && seconds > 0)
        text_printf(text, "%.2f times the least possible", seconds / least);
    close_tile(text);
    open_tile(text, "Least possible");
    markup_seconds(text, least);
    note_in_tile(text);
    if (least > report->longest_seconds)
        text_printf(text, "work done, spread over %d at a time", report->most_at_a_time);
    else
        text_puts(text, "the longest path, as measured");
    close_tile(text);
    if (report->whole.critical_path_seconds > 0) {
        open_tile(text, "Critical path");
        markup_seconds(text, report->whole.critical_path_seconds);
        note_in_tile(text);
        text_puts(text, "expected; measured ");
        markup_seconds(text, report->longest_seconds);
        close_tile(text);
    }
}

static void put_tasks(struct text *text, const struct report *report)
{
    const struct run_counts *counts = &report->counts;
    bool any = false;
    open_tile(text, "Tasks done");
    markup_count(text, counts->by_state[SHARD_TASK_DONE]);
    text_puts(text, "<i> / ");
    markup_count(text, counts->tasks);
    text_puts(text, "</i>");
    note_in_tile(text);
    for (int state = 0; state < SHARD_TASK_STATE_COUNT; state++) {
        if (state == SHARD_TASK_DONE || counts->by_state[state] == 0)
            continue;
        text_puts(text, any ? ", " : "");
        markup_count(text, counts->by_state[state]);
        text_printf(text, " %s", shard_task_state_text(state));
        any = true;
    }
    if (!any) {
        markup_count(text, report->whole.edge_count);
        text_puts(text, " edges kept");
    }
    close_tile(text);
}

static void put_attempts(struct text *text, const struct report *report)
{
    bool any = false;
    open_tile(text, "Attempts");
    markup_count(text, report->attempt_count);
    note_in_tile(text);
    text_printf(text, "%d at a time at most", report->most_at_a_time);
    close_tile(text);
    open_tile(text, "Failures");
    text_puts(text, report->failures > 0 ? "<em class=\"bad\">" : "<em>");
    markup_count(text, report->failures);
    text_puts(text, "</em>");
    note_in_tile(text);
    for (int outcome = 0; outcome < SHARD_OUTCOME_COUNT; outcome++) {
        if (!report_is_failure(outcome) || report->counts.failures[outcome] == 0)
            continue;
        text_puts(text, any ? ", " : "");
        markup_count(text, report->counts.failures[outcome]);
        text_printf(text, " %s", shard_outcome_text(outcome));
        any = true;
    }
    if (report->failures > 0) {
        text_puts(text, "; ");
        markup_seconds(text, report->lost_seconds);
        text_puts(text, " lost");
    }
    close_tile(text);
}

static void put_hosts(struct text *text, const struct report *report)
{
    double busy = 0, seconds = report_makespan(report);
    int with_failures = 0;
    for (int i = 0; i < report->host_count; i++) {
        busy += report->hosts[i].busy_seconds;
        with_failures += report->hosts[i].failures > 0;
    }
    open_tile(text, "Hosts");
    markup_count(text, report->host_count);
    note_in_tile(text);
    if (seconds > 0 && report->most_at_a_time > 0)
        text_printf(text, "busy %.0f %% of the time", 100 * fmin(busy / (seconds * report->most_at_a_time), 1));
    if (with_failures > 0)
        text_printf(text, "; failures on %d", with_failures);
    close_tile(text);
}

void report_put_head(struct text *text, const struct report *report)
{
    const struct shard_run_image *image = report->image;
    const char *state = shard_run_state_text((int)image->state);
    time_t began = (time_t)(image->created_ns / 1000000000);
    struct tm local;
    char when[64] = "?";
    if (localtime_r(&began, &local) != NULL)
        strftime(when, sizeof when, "%A %e %B %Y, %H:%M:%S %Z", &local);
    text_puts(text, "<header>\n<h1>");
    markup_escape_cut(text, report->whole.name, 100);
    text_printf(text, " <span class=\"state %s\">%s</span></h1>\n<p>run <b>", state, state);
    markup_escape(text, image->name);
    text_printf(text, "</b>, begun on %s</p>\n</header>\n<div class=\"tiles\">\n", when);
    put_makespan(text, report);
    put_tasks(text, report);
    put_attempts(text, report);
    put_hosts(text, report);
    text_puts(text, "</div>\n");
    if (image->record_count == 0)
        text_puts(text, "<p class=\"note\">The store has no history of this run.</p>\n");
}
