/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces that several sections of a report share.
 */
#include "report_view.h"

#include <math.h>
#include <stdlib.h>

#include "markup.h"

void view_open(struct text *text, const char *title, const char *note)
{
    text_printf(text, "<section>\n<h2>%s", title);
    if (note != NULL) {
        text_puts(text, "<small>");
        markup_escape(text, note);
        text_puts(text, "</small>");
    }
    text_puts(text, "</h2>\n");
}

void view_close(struct text *text)
{
    text_puts(text, "</section>\n");
}

/* The distance of ticks, about eight of them, at times that people like. */
static double tick_seconds(double seconds)
{
    static const double nice[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200};
    double wanted = seconds / 8;
    if (wanted < 1) {
        double power = pow(10, floor(log10(wanted > 1e-9 ? wanted : 1e-9)));
        return power * (wanted / power > 5 ? 10 : wanted / power > 2 ? 5 : 2);
    }
    for (size_t i = 0; i < sizeof nice / sizeof nice[0]; i++) {
        if (nice[i] >= wanted)
            return nice[i];
    }
    return ceil(wanted / 86400) * 86400;
}

static void put_tick_text(struct text *text, double at, double tick)
{
    if (tick < 1)
        text_printf(text, "%.*f s", tick < 0.01 ? 3 : tick < 0.1 ? 2 : 1, at);
    else if (at < 60 && tick < 60)
        text_printf(text, "%.0f s", at);
    else if (at < 3600)
        text_printf(text, "%.0f:%02.0f", floor(at / 60), fmod(at, 60));
    else
        text_printf(text, "%.0f:%02.0f h", floor(at / 3600), floor(fmod(at, 3600) / 60));
}

void view_axis(struct text *text, double seconds, double x0, double x1, double top, double bottom)
{
    double tick = tick_seconds(seconds);
    for (double at = 0; seconds > 0 && at <= seconds * 1.0001; at += tick) {
        double x = x0 + (x1 - x0) * at / seconds;
        text_printf(text, "<path class=\"grid\" d=\"M%.1f %.0fV%.0f\"/><text class=\"tick\" x=\"%.1f\" y=\"%.0f\">", x,
                    top, bottom, x, bottom + 15);
        put_tick_text(text, at, tick);
        text_puts(text, "</text>\n");
    }
}

void view_offset(struct text *text, const struct report *report, int64_t time_ns)
{
    double seconds = (double)(time_ns - report->begin_ns) / 1e9;
    text_printf(text, "%.0f:%04.1f", floor(seconds / 60), floor(fmod(seconds, 60) * 10) / 10);
}

void view_attempt_title(struct text *text, const struct report *report, const struct report_attempt *attempt)
{
    char *name = report_task_name(report, attempt->task);
    markup_escape(text, name);
    free(name);
    text_printf(text, "\nattempt %d on ", attempt->number);
    markup_escape(text, report_host_name(report, attempt->host));
    text_printf(text, ": %s, ", attempt->record < 0 ? "had not ended" : shard_outcome_text(attempt->outcome));
    markup_seconds(text, report_seconds(attempt));
    text_puts(text, "\nfrom ");
    view_offset(text, report, attempt->begin_ns);
    text_puts(text, " to ");
    view_offset(text, report, attempt->end_ns);
}

void view_kind_name(struct text *text, const struct report *report, int kind)
{
    text_printf(text,
                "<svg class=\"sw\" viewBox=\"0 0 10 10\"><rect class=\"k%d\" width=\"10\" height=\"10\" "
                "rx=\"2\"/></svg>",
                report->palette[kind].slot);
    markup_escape_cut(text, report->palette[kind].name, 48);
}

void view_share_bar(struct text *text, double share, const char *class)
{
    double shown = share > 1 ? 1 : share > 0 ? share : 0;
    text_printf(text,
                "<td class=\"bar\"><svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\"><rect class=\"rail\" "
                "width=\"100\" height=\"8\" rx=\"1\"/><rect class=\"%s\" width=\"%.1f\" height=\"8\" rx=\"1\"/></svg>"
                "<span>%.0f %%</span></td>",
                class, 100 * shown, 100 * shown);
}

double *view_bins(const struct report *report, int32_t host, int bins)
{
    double *running = need_zeroed((size_t)bins * PALETTE_SLOTS, sizeof *running);
    double length = report_makespan(report) / bins;
    for (int i = 0; length > 0 && i < report->attempt_count; i++) {
        const struct report_attempt *attempt = &report->attempts[i];
        double begin = (double)(attempt->begin_ns - report->begin_ns) / 1e9 / length;
        double end = (double)(attempt->end_ns - report->begin_ns) / 1e9 / length;
        double *row = running + (size_t)report->palette[attempt->kind].slot * (size_t)bins;
        if (host >= 0 && attempt->host != host)
            continue;
        begin = begin < 0 ? 0 : begin;
        end = end > bins ? bins : end;
        for (int bin = (int)begin; bin < end && bin < bins; bin++)
            row[bin] += fmin(end, bin + 1) - fmax(begin, bin);
    }
    return running;
}
