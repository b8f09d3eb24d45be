/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path that decided when the run ended, a row for each of its tasks: how long it waited, what failed, how long it
 * ran.
 */
#include <math.h>
#include <stdlib.h>

#include "markup.h"
#include "report_view.h"

enum { MOST_ROWS = 40, ROW = 22, LABELS = 260, AFTER = 90 };

/* What the seconds of a path went to. */
struct sums {
    double waited, failed, ran;
};

static double x_of(const struct report *report, int64_t time_ns)
{
    double seconds = report_makespan(report);
    double share = seconds > 0 ? (double)(time_ns - report->begin_ns) / 1e9 / seconds : 0;
    return LABELS + (VIEW_WIDTH - LABELS - AFTER) * fmin(fmax(share, 0), 1);
}

static double length_of(const struct report *report, const struct report_step *step)
{
    return (double)(report->attempts[step->last_attempt].end_ns - step->ready_ns) / 1e9;
}

static struct sums add_up(const struct report *report, const struct report_step *steps, int count)
{
    struct sums sums = {0};
    for (int i = 0; i < count; i++) {
        double left = fmax(length_of(report, &steps[i]), 0);
        for (int32_t a = steps[i].last_attempt; a >= 0; a = report->attempts[a].previous) {
            double seconds = report_seconds(&report->attempts[a]);
            if (report->attempts[a].begin_ns < steps[i].ready_ns)
                break;
            left -= seconds;
            *(a == steps[i].last_attempt ? &sums.ran : &sums.failed) += seconds;
        }
        sums.waited += fmax(left, 0);
    }
    return sums;
}

static void put_attempts(struct text *text, const struct report *report, const struct report_step *step, double y)
{
    for (int32_t a = step->last_attempt; a >= 0; a = report->attempts[a].previous) {
        const struct report_attempt *attempt = &report->attempts[a];
        double x = x_of(report, attempt->begin_ns), width = fmax(x_of(report, attempt->end_ns) - x, 1.5);
        text_puts(text, "<rect class=\"b ");
        if (report_is_failure(attempt->outcome))
            text_puts(text, "fail");
        else
            text_printf(text, "k%d", report->palette[attempt->kind].slot);
        text_printf(text, "\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"><title>", x, y, width,
                    ROW - 6);
        view_attempt_title(text, report, attempt);
        text_puts(text, "</title></rect>");
    }
}

static void put_step(struct text *text, const struct report *report, const struct report_step *step, double y)
{
    const struct report_attempt *last = &report->attempts[step->last_attempt];
    double ready = x_of(report, step->ready_ns), end = x_of(report, last->end_ns);
    char *name = report_task_name(report, step->task);
    text_printf(text, "<text class=\"label\" x=\"0\" y=\"%.1f\">", y + ROW - 10);
    markup_escape_cut(text, name, 34);
    free(name);
    text_printf(text, "</text><rect class=\"wait\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"4\"/>", ready,
                y + (ROW - 6) / 2.0 - 2, fmax(end - ready, 0));
    put_attempts(text, report, step, y);
    text_printf(text, "<text class=\"small\" x=\"%.1f\" y=\"%.1f\">", end + 6, y + ROW - 10);
    markup_seconds(text, report_seconds(last));
    text_puts(text, "</text>\n");
}

static int by_length(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a > b ? -1 : a < b;
}

/* How long a step must be to be among the longest that are shown. */
static double least_shown(const struct report *report, const struct report_step *steps, int count)
{
    if (count <= MOST_ROWS)
        return -INFINITY;
    double *lengths = need_zeroed((size_t)count, sizeof *lengths);
    for (int i = 0; i < count; i++)
        lengths[i] = length_of(report, &steps[i]);
    qsort(lengths, (size_t)count, sizeof *lengths, by_length);
    double least = lengths[MOST_ROWS - 1];
    free(lengths);
    return least;
}

static void put_sums(struct text *text, const struct sums *sums, int count, int shown)
{
    text_printf(text,
                count == 1 ? "<p class=\"note\">%d task decided when the run ended: it ran for "
                           : "<p class=\"note\">%d tasks, one after the other, decided when the run ended: they "
                             "ran for ",
                count);
    markup_seconds(text, sums->ran);
    if (sums->failed > 0) {
        text_puts(text, ", lost <b class=\"bad\">");
        markup_seconds(text, sums->failed);
        text_puts(text, "</b> to attempts that failed,");
    }
    text_puts(text, " and waited for ");
    markup_seconds(text, sums->waited);
    text_printf(text, shown < count ? ". The %d longest are shown.</p>\n" : ".</p>\n", shown);
}

void report_put_path(struct text *text, const struct report *report)
{
    int count = 0, shown = 0;
    struct report_step *steps = report_path(report, &count);
    if (count > 0) {
        double least = least_shown(report, steps, count);
        struct sums sums = add_up(report, steps, count);
        int rows = count < MOST_ROWS ? count : MOST_ROWS;
        view_open(text, "The path that took longest, as it happened", NULL);
        put_sums(text, &sums, count, rows);
        text_printf(text, "<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", VIEW_WIDTH, rows * ROW + 30);
        view_axis(text, report_makespan(report), LABELS, VIEW_WIDTH - AFTER, 0, rows * ROW + 8);
        for (int i = 0; i < count && shown < rows; i++) {
            if (length_of(report, &steps[i]) >= least)
                put_step(text, report, &steps[i], 6 + shown++ * ROW);
        }
        text_puts(text, "</svg>\n");
        view_close(text);
    }
    free(steps);
}
