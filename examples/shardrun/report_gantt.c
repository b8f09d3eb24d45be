/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ran where and when: a bar for each attempt or, of a large run, the share of each host's time that each kind
 * took. Failures are red in both.
 */
#include <math.h>
#include <stdlib.h>

#include "markup.h"
#include "report_view.h"

enum { MOST_BARS = 6000, MOST_HOSTS_SHOWN = 64, MOST_LANES = 160, BINS = 240, TOP = 8 };

/* Hosts in the order in which they are drawn, and where. */
struct place {
    int32_t host;
    double y;
    double lane; /* height of one; of a strip, of all */
};

struct gantt {
    const struct report *report;
    struct place *places;
    int count;
    bool binned;
    double seconds;
    double bottom;
};

static double x_of(const struct gantt *gantt, int64_t time_ns)
{
    double share = gantt->seconds > 0 ? (double)(time_ns - gantt->report->begin_ns) / 1e9 / gantt->seconds : 0;
    return VIEW_LABELS + (VIEW_WIDTH - VIEW_LABELS - 10) * fmin(fmax(share, 0), 1);
}

static int by_interest(const void *left, const void *right)
{
    const struct report_host *a = *(const struct report_host *const *)left;
    const struct report_host *b = *(const struct report_host *const *)right;
    if ((a->failures > 0) != (b->failures > 0))
        return a->failures > 0 ? -1 : 1;
    if (a->busy_seconds != b->busy_seconds)
        return a->busy_seconds > b->busy_seconds ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int by_host(const void *left, const void *right)
{
    return ((const struct place *)left)->host - ((const struct place *)right)->host;
}

/* All hosts, or those that failed and those that did most. */
static void choose_hosts(struct gantt *gantt)
{
    const struct report *report = gantt->report;
    const struct report_host **sorted = need_zeroed((size_t)report->host_count, sizeof *sorted);
    for (int i = 0; i < report->host_count; i++)
        sorted[i] = &report->hosts[i];
    qsort(sorted, (size_t)report->host_count, sizeof *sorted, by_interest);
    gantt->count = report->host_count < MOST_HOSTS_SHOWN ? report->host_count : MOST_HOSTS_SHOWN;
    gantt->places = need_zeroed((size_t)gantt->count, sizeof *gantt->places);
    for (int i = 0; i < gantt->count; i++)
        gantt->places[i].host = (int32_t)(sorted[i] - report->hosts);
    qsort(gantt->places, (size_t)gantt->count, sizeof *gantt->places, by_host);
    free(sorted);
}

static void place_hosts(struct gantt *gantt)
{
    int lanes = 0;
    for (int i = 0; i < gantt->count; i++) {
        int here = gantt->report->hosts[gantt->places[i].host].lanes;
        lanes += here > 0 ? here : 1;
    }
    gantt->binned = gantt->report->attempt_count > MOST_BARS || lanes > MOST_LANES;
    int rows = gantt->binned ? gantt->count : lanes;
    double lane = rows <= 8 ? 30 : rows <= 24 ? 18 : rows <= 64 ? 11 : 7, y = TOP;
    for (int i = 0; i < gantt->count; i++) {
        int here = gantt->report->hosts[gantt->places[i].host].lanes;
        gantt->places[i].y = y;
        gantt->places[i].lane = lane;
        y += lane * (!gantt->binned && here > 0 ? here : 1) + (gantt->count > 24 ? 5 : 8);
    }
    gantt->bottom = y;
}

static void put_host_label(struct text *text, const struct gantt *gantt, const struct place *place)
{
    const struct report_host *host = &gantt->report->hosts[place->host];
    double height = place->lane * (gantt->binned || host->lanes == 0 ? 1 : host->lanes), middle = place->y + height / 2;
    text_printf(text, "<rect class=\"lane\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" rx=\"3\"/>", VIEW_LABELS,
                place->y - 2, VIEW_WIDTH - VIEW_LABELS - 10, height + 4);
    text_printf(text, "<text class=\"label\" x=\"0\" y=\"%.1f\">",
                middle + (host->failures > 0 && height > 24 ? -2 : 4));
    markup_escape_cut(text, host->name, 18);
    text_puts(text, "</text>");
    if (host->failures > 0 && height > 24) {
        text_printf(text, "<text class=\"bad small\" x=\"0\" y=\"%.1f\">", middle + 12);
        markup_count(text, host->failures);
        text_puts(text, " failed</text>");
    }
    text_puts(text, "\n");
}

/* What an attempt that failed needs to be understood, from its record. */
static void put_failure(struct text *text, const struct report *report, const struct report_attempt *attempt)
{
    char words[512];
    if (attempt->record < 0)
        return;
    shard_record_text(&report->image->records[attempt->record], NULL, report_host_name(report, attempt->host), words,
                      sizeof words);
    text_puts(text, "\n");
    markup_escape(text, words);
}

static void put_bar(struct text *text, const struct gantt *gantt, const struct place *place,
                    const struct report_attempt *attempt)
{
    double x = x_of(gantt, attempt->begin_ns), width = x_of(gantt, attempt->end_ns) - x;
    bool failed = report_is_failure(attempt->outcome);
    bool other = attempt->outcome == SHARD_OUTCOME_CANCELLED || attempt->record < 0;
    width = width < (failed ? 2.5 : 1) ? (failed ? 2.5 : 1) : width - (width > 4 ? 0.6 : 0);
    text_printf(text, "<rect class=\"b %s", failed ? "fail" : other ? "open" : "");
    if (!failed)
        text_printf(text, "k%d", gantt->report->palette[attempt->kind].slot);
    text_puts(text, "\" x=\"");
    markup_coordinate(text, x);
    text_puts(text, "\" y=\"");
    markup_coordinate(text, place->y + attempt->lane * place->lane);
    text_puts(text, "\" width=\"");
    markup_coordinate(text, width);
    text_printf(text, "\" height=\"%.0f\"><title>", place->lane - 1.5);
    view_attempt_title(text, gantt->report, attempt);
    if (failed)
        put_failure(text, gantt->report, attempt);
    text_puts(text, "</title></rect>\n");
}

static void put_bars(struct text *text, const struct gantt *gantt)
{
    const struct place **of_host = need_zeroed((size_t)gantt->report->host_count, sizeof *of_host);
    for (int i = 0; i < gantt->count; i++)
        of_host[gantt->places[i].host] = &gantt->places[i];
    /* Failures last, so that nothing covers a short one. */
    for (int failed = 0; failed < 2; failed++) {
        for (int i = 0; i < gantt->report->attempt_count; i++) {
            const struct report_attempt *attempt = &gantt->report->attempts[i];
            if (attempt->host >= 0 && of_host[attempt->host] != NULL && report_is_failure(attempt->outcome) == failed)
                put_bar(text, gantt, of_host[attempt->host], attempt);
        }
    }
    free(of_host);
}

/* One colour's part of a host's strip, stacked on the ones before it (`base`, which grows). */
static void put_strip_colour(struct text *text, const struct place *place, int slot, const double *running,
                             double scale, double *base)
{
    double step = (double)(VIEW_WIDTH - VIEW_LABELS - 10) / BINS;
    bool any = false;
    for (int bin = 0; bin < BINS; bin++) {
        double height = running[bin] * scale;
        if (height < 0.15)
            continue;
        if (!any)
            text_printf(text, "<path class=\"k%d\" d=\"", slot);
        any = true;
        text_puts(text, "M");
        markup_coordinate(text, VIEW_LABELS + bin * step);
        text_puts(text, " ");
        markup_coordinate(text, place->y + place->lane - base[bin]);
        text_printf(text, "v-%.1fh%.1fv%.1fz", height, step, height);
        base[bin] += height;
    }
    if (any)
        text_puts(text, "\"/>\n");
}

static void put_strip_failures(struct text *text, const struct gantt *gantt, const struct place *place)
{
    int counts[BINS] = {0};
    double step = (double)(VIEW_WIDTH - VIEW_LABELS - 10) / BINS;
    for (int i = 0; i < gantt->report->attempt_count; i++) {
        const struct report_attempt *attempt = &gantt->report->attempts[i];
        if (attempt->host != place->host || !report_is_failure(attempt->outcome))
            continue;
        int bin = (int)((x_of(gantt, attempt->end_ns) - VIEW_LABELS) / step);
        counts[bin < BINS ? bin : BINS - 1]++;
    }
    for (int bin = 0; bin < BINS; bin++) {
        if (counts[bin] > 0)
            text_printf(text,
                        "<rect class=\"b bad\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"5\"><title>%d attempts "
                        "failed</title></rect>",
                        VIEW_LABELS + bin * step, place->y + place->lane - 4, step, counts[bin]);
    }
}

static void put_strip(struct text *text, const struct gantt *gantt, const struct place *place)
{
    double base[BINS] = {0};
    double *running = view_bins(gantt->report, place->host, BINS);
    int lanes = gantt->report->hosts[place->host].lanes;
    for (int slot = 0; slot < PALETTE_SLOTS; slot++)
        put_strip_colour(text, place, slot, running + (size_t)slot * BINS, place->lane / (lanes > 0 ? lanes : 1), base);
    put_strip_failures(text, gantt, place);
    free(running);
}

static void put_legend(struct text *text, const struct report *report)
{
    int *order = palette_order(report->palette, report->kind_count);
    text_puts(text, "<p class=\"legend\">");
    for (int i = 0; i < report->kind_count && i < PALETTE_COLOURS; i++) {
        text_puts(text, "<span>");
        view_kind_name(text, report, order[i]);
        text_puts(text, "</span>");
    }
    if (report->kind_count > PALETTE_COLOURS)
        text_printf(text,
                    "<span><svg class=\"sw\" viewBox=\"0 0 10 10\"><rect class=\"k%d\" width=\"10\" height=\"10\""
                    " rx=\"2\"/></svg>%d others</span>",
                    PALETTE_OTHER, report->kind_count - PALETTE_COLOURS);
    text_puts(text, "<span><svg class=\"sw\" viewBox=\"0 0 10 10\"><rect class=\"fail\" width=\"10\" height=\"10\" "
                    "rx=\"2\"/></svg>failed</span></p>\n");
    free(order);
}

void report_put_gantt(struct text *text, const struct report *report)
{
    struct gantt gantt = {.report = report, .seconds = report_makespan(report)};
    if (report->attempt_count == 0)
        return;
    choose_hosts(&gantt);
    place_hosts(&gantt);
    view_open(text, "What ran where",
              gantt.binned ? "share of each host's time, by kind" : "one bar for each attempt; point at it to read it");
    put_legend(text, report);
    text_printf(text, "<svg viewBox=\"0 0 %d %.0f\" role=\"img\">\n", VIEW_WIDTH, gantt.bottom + 24);
    for (int i = 0; i < gantt.count; i++)
        put_host_label(text, &gantt, &gantt.places[i]);
    view_axis(text, gantt.seconds, VIEW_LABELS, VIEW_WIDTH - 10, 2, gantt.bottom);
    if (!gantt.binned)
        put_bars(text, &gantt);
    for (int i = 0; gantt.binned && i < gantt.count; i++)
        put_strip(text, &gantt, &gantt.places[i]);
    text_puts(text, "</svg>\n");
    if (gantt.count < report->host_count)
        text_printf(text,
                    "<p class=\"note\">%d hosts are shown: those with failures, and those that did most. %d more "
                    "are not.</p>\n",
                    gantt.count, report->host_count - gantt.count);
    view_close(text);
    free(gantt.places);
}
