/* SPDX-License-Identifier: Apache-2.0 */
/* Reliability (what was forecast against what happened) and precision by recall. Fit for light and dark pages. */
#include <math.h>
#include <stdlib.h>

#include "cli.h"
#include "files.h"
#include "forecast_plot.h"
#include "need.h"

enum { SIDE = 400, LEFT = 60, TOP = 30, BINS = 10 };

struct row {
    double p;
    double label;
};

static double x_of(double share)
{
    return LEFT + SIDE * share;
}

static double y_of(double share)
{
    return TOP + SIDE * (1 - share);
}

static void begin(struct text *svg, const char *title, const char *across, const char *up)
{
    text_printf(svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
                "font-size=\"12\" role=\"img\"><title>%s</title>\n"
                "<style>svg{color:#222;background:#fff}.g{stroke:#ccc}.c{stroke:#0b6bcb;fill:none;stroke-width:2}"
                ".d{fill:#0b6bcb}.n{stroke:#888;stroke-dasharray:4}text{fill:currentColor}"
                "@media(prefers-color-scheme:dark){svg{color:#ddd;background:#181818}.g{stroke:#444}}</style>\n",
                LEFT + SIDE + 20, TOP + SIDE + 50, title);
    for (int i = 0; i <= 10; i += 2) {
        double share = i / 10.0;
        text_printf(svg, "<path class=\"g\" d=\"M%.0f %dV%d\"/><path class=\"g\" d=\"M%d %.0fH%d\"/>", x_of(share), TOP,
                    TOP + SIDE, LEFT, y_of(share), LEFT + SIDE);
        text_printf(svg,
                    "<text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">%.1f</text><text x=\"%d\" y=\"%.0f\" "
                    "text-anchor=\"end\">%.1f</text>\n",
                    x_of(share), TOP + SIDE + 18, share, LEFT - 8, y_of(share) + 4, share);
    }
    text_printf(svg,
                "<text x=\"%d\" y=\"18\" text-anchor=\"middle\">%s</text><text x=\"%d\" y=\"%d\" "
                "text-anchor=\"middle\">%s</text><text transform=\"translate(16 %d) rotate(-90)\" "
                "text-anchor=\"middle\">%s</text>\n",
                LEFT + SIDE / 2, title, LEFT + SIDE / 2, TOP + SIDE + 40, across, TOP + SIDE / 2, up);
}

/* Rows that have a label. */
static struct row *labelled(const struct shard_evaluation_info *info, int64_t *ret_count)
{
    struct row *rows = need_zeroed((size_t)info->test_rows + 1, sizeof *rows);
    int64_t count = 0;
    for (int64_t i = 0; count < info->test_rows; i++) {
        if (!isnan(info->labels[i]))
            rows[count++] = (struct row){info->p_fail[i], info->labels[i]};
    }
    *ret_count = count;
    return rows;
}

static char *draw_reliability(const struct row *rows, int64_t count)
{
    struct text svg = {0};
    double forecast[BINS] = {0};
    double happened[BINS] = {0};
    int64_t members[BINS] = {0};
    for (int64_t i = 0; i < count; i++) {
        int bin = (int)(rows[i].p * BINS) >= BINS ? BINS - 1 : (int)(rows[i].p * BINS);
        forecast[bin] += rows[i].p;
        happened[bin] += rows[i].label;
        members[bin]++;
    }
    begin(&svg, "Reliability", "forecast share of failures", "share that failed");
    text_printf(&svg, "<path class=\"n\" d=\"M%.0f %.0fL%.0f %.0f\"/>\n<path class=\"c\" d=\"", x_of(0), y_of(0),
                x_of(1), y_of(1));
    const char *step = "M";
    for (int bin = 0; bin < BINS; bin++) {
        if (members[bin] == 0)
            continue;
        double n = (double)members[bin];
        text_printf(&svg, "%s%.1f %.1f", step, x_of(forecast[bin] / n), y_of(happened[bin] / n));
        step = "L";
    }
    text_puts(&svg, "\"/>\n");
    for (int bin = 0; bin < BINS; bin++) {
        if (members[bin] == 0)
            continue;
        double n = (double)members[bin];
        text_printf(&svg, "<circle class=\"d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>%lld rows</title></circle>\n",
                    x_of(forecast[bin] / n), y_of(happened[bin] / n), 2 + 10 * sqrt(n / (double)count),
                    (long long)members[bin]);
    }
    text_puts(&svg, "</svg>\n");
    return text_take(&svg);
}

static int by_falling_p(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    return a->p < b->p ? 1 : a->p > b->p ? -1 : 0;
}

/* A point where precision or recall has moved by a pixel; `rows` are sorted. */
static char *draw_precision_recall(const struct row *rows, int64_t count)
{
    struct text svg = {0};
    double failures = 0;
    double caught = 0;
    double last_x = -1;
    double last_y = -1;
    const char *step = "M";
    for (int64_t i = 0; i < count; i++)
        failures += rows[i].label;
    begin(&svg, "Precision by recall", "recall: share of failures that are caught",
          "precision: share of alarms that are right");
    double base = count > 0 ? failures / (double)count : 0;
    text_printf(&svg, "<path class=\"n\" d=\"M%.0f %.1fH%.0f\"/>\n<path class=\"c\" d=\"", x_of(0), y_of(base),
                x_of(1));
    for (int64_t i = 0; i < count && failures > 0; i++) {
        caught += rows[i].label;
        double x = x_of(caught / failures);
        double y = y_of(caught / (double)(i + 1));
        int is_tied = i + 1 < count && rows[i + 1].p == rows[i].p;
        if (is_tied || (fabs(x - last_x) < 1 && fabs(y - last_y) < 1))
            continue;
        text_printf(&svg, "%s%.1f %.1f", step, x, y);
        step = "L";
        last_x = x;
        last_y = y;
    }
    text_puts(&svg, "\"/>\n</svg>\n");
    return text_take(&svg);
}

static int write_picture(const char *directory, const char *name, char *svg)
{
    char *problem = NULL;
    char *path = path_join(directory, name);
    size_t length = 0;
    while (svg[length] != '\0')
        length++;
    int status = file_write(path, svg, length, &problem);
    free(svg);
    free(path);
    if (status == 0)
        return CLI_DONE;
    cli_error(CLI_ENVIRONMENT, "%s", problem);
    free(problem);
    return CLI_ENVIRONMENT;
}

int forecast_plots_write(const char *directory, const struct shard_evaluation_info *info)
{
    char *problem = NULL;
    int64_t count = 0;
    if (directory_make(directory, &problem) < 0) {
        cli_error(CLI_ENVIRONMENT, "%s", problem);
        free(problem);
        return CLI_ENVIRONMENT;
    }
    struct row *rows = labelled(info, &count);
    int code = write_picture(directory, "reliability.svg", draw_reliability(rows, count));
    if (code == CLI_DONE) {
        qsort(rows, (size_t)count, sizeof *rows, by_falling_p);
        code = write_picture(directory, "precision-recall.svg", draw_precision_recall(rows, count));
    }
    free(rows);
    return code;
}
