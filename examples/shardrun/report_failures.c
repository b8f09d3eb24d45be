/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What failed, and what was decided after each. Many failures are also told in sums.
 */
#include <stdlib.h>
#include <string.h>

#include "markup.h"
#include "report_view.h"

enum { MOST_LISTED = 100, SUMS_FROM = 12, MOST_SUMS = 24 };

/* Failures of one class, kind and host. */
struct sum {
    int outcome, kind, host;
    int count;
    double seconds;
};

static int by_group(const void *left, const void *right)
{
    const struct sum *a = left, *b = right;
    if (a->outcome != b->outcome)
        return a->outcome - b->outcome;
    return a->kind != b->kind ? a->kind - b->kind : a->host - b->host;
}

static int by_count(const void *left, const void *right)
{
    const struct sum *a = left, *b = right;
    return a->count != b->count ? b->count - a->count : by_group(left, right);
}

static struct sum *add_up(const struct report *report, int *ret_count)
{
    struct sum *sums = need_zeroed((size_t)report->failures, sizeof *sums);
    int count = 0, kept = 0;
    for (int i = 0; i < report->attempt_count; i++) {
        const struct report_attempt *attempt = &report->attempts[i];
        if (report_is_failure(attempt->outcome))
            sums[count++] = (struct sum){attempt->outcome, attempt->kind, attempt->host, 1, report_seconds(attempt)};
    }
    qsort(sums, (size_t)count, sizeof *sums, by_group);
    for (int i = 0; i < count; i++) {
        if (kept > 0 && by_group(&sums[kept - 1], &sums[i]) == 0) {
            sums[kept - 1].count++;
            sums[kept - 1].seconds += sums[i].seconds;
        } else {
            sums[kept++] = sums[i];
        }
    }
    qsort(sums, (size_t)kept, sizeof *sums, by_count);
    *ret_count = kept;
    return sums;
}

static void put_sums(struct text *text, const struct report *report)
{
    int count = 0;
    struct sum *sums = add_up(report, &count);
    text_puts(text, "<div class=\"scroll\"><table><tr><th class=\"n\">failures<th>class<th>kind<th>host<th "
                    "class=\"n\">lost<th>share of the failures</tr>\n");
    for (int i = 0; i < count && i < MOST_SUMS; i++) {
        text_puts(text, "<tr><td class=\"n bad\">");
        markup_count(text, sums[i].count);
        text_printf(text, "</td><td>%s</td><td>", shard_outcome_text(sums[i].outcome));
        view_kind_name(text, report, sums[i].kind);
        text_puts(text, "</td><td>");
        markup_escape(text, report_host_name(report, sums[i].host));
        text_puts(text, "</td><td class=\"n\">");
        markup_seconds(text, sums[i].seconds);
        text_puts(text, "</td>");
        view_share_bar(text, (double)sums[i].count / report->failures, "bad-fill");
        text_puts(text, "</tr>\n");
    }
    text_puts(text, "</table></div>\n");
    if (count > MOST_SUMS)
        text_printf(text, "<p class=\"note\">and %d smaller groups</p>\n", count - MOST_SUMS);
    free(sums);
}

/* What was decided: of the record in words, what follows the outcome and its message. */
static void put_decision(struct text *text, const struct report *report, const struct shard_record *record)
{
    struct shard_record plain = *record;
    char words[1024];
    plain.detail = NULL;
    plain.detail_bytes = 0;
    shard_record_text(&plain, NULL, report_host_name(report, record->host), words, sizeof words);
    const char *decision = strchr(words, ';');
    markup_escape(text, decision != NULL ? decision + 2 : "");
}

static void put_failure(struct text *text, const struct report *report, const struct report_attempt *attempt)
{
    const struct shard_record *record = &report->image->records[attempt->record];
    char *name = report_task_name(report, attempt->task);
    text_puts(text, "<tr><td class=\"n dim\">");
    view_offset(text, report, attempt->end_ns);
    text_puts(text, "</td><td class=\"w\">");
    markup_escape_cut(text, name, 40);
    text_printf(text, "</td><td class=\"n\">%d</td><td class=\"w\">", attempt->number);
    markup_escape(text, report_host_name(report, attempt->host));
    text_printf(text, "</td><td class=\"w bad\">%s</td><td class=\"n\">", shard_outcome_text(attempt->outcome));
    markup_seconds(text, report_seconds(attempt));
    text_puts(text, "</td><td>");
    if (record->detail != NULL) {
        char *detail =
            need_printf("%.*s", record->detail_bytes < 300 ? (int)record->detail_bytes : 300, record->detail);
        markup_escape(text, detail);
        free(detail);
    }
    text_puts(text, "</td><td>");
    put_decision(text, report, record);
    text_puts(text, "</td></tr>\n");
    free(name);
}

void report_put_failures(struct text *text, const struct report *report)
{
    int shown = 0;
    if (report->failures == 0)
        return;
    view_open(text, "What failed, and what was done about it", NULL);
    if (report->failures > SUMS_FROM)
        put_sums(text, report);
    text_puts(text, report->failures > SUMS_FROM ? "<details><summary>each of them</summary>\n" : "");
    text_puts(text,
              "<div class=\"scroll\"><table><tr><th class=\"n\">at<th>task<th class=\"n\">attempt<th>host<th>class"
              "<th class=\"n\">after<th>message<th>decided</tr>\n");
    for (int i = 0; i < report->attempt_count && shown < MOST_LISTED; i++) {
        if (!report_is_failure(report->attempts[i].outcome))
            continue;
        put_failure(text, report, &report->attempts[i]);
        shown++;
    }
    text_puts(text, "</table></div>\n");
    if (shown < report->failures)
        text_printf(text,
                    "<p class=\"note\">the first %d; <code>shardrun explain</code> tells the story of any task"
                    "</p>\n",
                    shown);
    text_puts(text, report->failures > SUMS_FROM ? "</details>\n" : "");
    view_close(text);
}
