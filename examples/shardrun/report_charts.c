/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run over time: how many attempts ran at a time, by kind, and how many tasks were done.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "markup.h"
#include "report_view.h"

enum { BINS = 200, WIDTH = 590, HEIGHT = 200, LEFT = 44, RIGHT = 8, TOP = 10, BOTTOM = 172 };

static double x_of(double bin)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * bin / BINS;
}

static double y_of(double value, double most)
{
    return BOTTOM - (BOTTOM - TOP) * (most > 0 ? value / most : 0);
}

/* A round number at least as large as `most`, for the top of an axis. */
static double round_up(double most)
{
    double power = pow(10, floor(log10(most > 1 ? most : 1)));
    static const double steps[] = {1, 2, 4, 5, 8, 10};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i] * power >= most)
            return steps[i] * power;
    }
    return 10 * power;
}

static void open_chart(struct text *text, const struct report *report, const char *title, double most)
{
    text_printf(text, "<figure><figcaption>%s</figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\">\n", title, WIDTH,
                HEIGHT);
    for (int i = 0; i <= 2; i++) {
        double y = y_of(most * i / 2, most);
        text_printf(text, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"tick end\" x=\"%d\" y=\"%.1f\">", LEFT,
                    y, WIDTH - RIGHT, LEFT - 6, y + 4);
        if (i == 1 && fmod(most, 2) != 0)
            text_printf(text, "%.1f", most / 2);
        else
            markup_count(text, (int64_t)(most * i / 2));
        text_puts(text, "</text>\n");
    }
    view_axis(text, report_makespan(report), LEFT, WIDTH - RIGHT, TOP, BOTTOM);
}

static void close_chart(struct text *text)
{
    text_puts(text, "</svg></figure>\n");
}

/* The area between two lines over the bins. */
static void put_area(struct text *text, const char *class, const double *low, const double *high, double most)
{
    text_printf(text, "<path class=\"%s\" d=\"M", class);
    for (int bin = 0; bin < BINS; bin++) {
        text_puts(text, bin > 0 ? "L" : "");
        markup_coordinate(text, x_of(bin + 0.5));
        text_puts(text, " ");
        markup_coordinate(text, y_of(high[bin], most));
    }
    for (int bin = BINS - 1; bin >= 0; bin--) {
        text_puts(text, "L");
        markup_coordinate(text, x_of(bin + 0.5));
        text_puts(text, " ");
        markup_coordinate(text, y_of(low[bin], most));
    }
    text_puts(text, "z\"/>\n");
}

static void put_running(struct text *text, const struct report *report)
{
    double *running = view_bins(report, -1, BINS);
    double low[BINS] = {0}, high[BINS] = {0}, most = 0;
    char class[8];
    for (int bin = 0; bin < BINS; bin++) {
        double sum = 0;
        for (int slot = 0; slot < PALETTE_SLOTS; slot++)
            sum += running[slot * BINS + bin];
        most = fmax(most, sum);
    }
    most = round_up(most);
    open_chart(text, report, "Attempts running", most);
    for (int slot = 0; slot < PALETTE_SLOTS; slot++) {
        double total = 0;
        for (int bin = 0; bin < BINS; bin++) {
            low[bin] = high[bin];
            high[bin] += running[slot * BINS + bin];
            total += running[slot * BINS + bin];
        }
        snprintf(class, sizeof class, "k%d", slot);
        if (total > 0)
            put_area(text, class, low, high, most);
    }
    close_chart(text);
    free(running);
}

static int by_time(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* Counts, at the end of each bin, the attempts that had ended so: well, or as failures. */
static void count_ended(const struct report *report, bool failed, double *ended)
{
    int64_t *ends = need_zeroed((size_t)report->attempt_count, sizeof *ends);
    size_t count = 0, passed = 0;
    for (int i = 0; i < report->attempt_count; i++) {
        const struct report_attempt *attempt = &report->attempts[i];
        if (failed ? report_is_failure(attempt->outcome) : attempt->outcome == SHARD_OUTCOME_DONE)
            ends[count++] = attempt->end_ns;
    }
    qsort(ends, count, sizeof *ends, by_time);
    for (int bin = 0; bin < BINS; bin++) {
        int64_t until = report->begin_ns + (int64_t)((double)(report->end_ns - report->begin_ns) * (bin + 1) / BINS);
        while (passed < count && ends[passed] <= until)
            passed++;
        ended[bin] = (double)passed;
    }
    free(ends);
}

static void put_done(struct text *text, const struct report *report)
{
    double none[BINS] = {0}, done[BINS], failed[BINS];
    count_ended(report, false, done);
    count_ended(report, true, failed);
    double most = round_up(fmax(done[BINS - 1], failed[BINS - 1]));
    open_chart(text, report, report->failures > 0 ? "Attempts done, and <b class=\"bad\">failed</b>" : "Attempts done",
               most);
    put_area(text, "done", none, done, most);
    if (report->failures > 0)
        put_area(text, "bad-line", failed, failed, most);
    close_chart(text);
}

void report_put_charts(struct text *text, const struct report *report)
{
    if (report->attempt_count == 0)
        return;
    view_open(text, "Over time", NULL);
    text_puts(text, "<div class=\"pair\">\n");
    put_running(text, report);
    put_done(text, report);
    text_puts(text, "</div>\n");
    view_close(text);
}
