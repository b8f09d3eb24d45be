/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graphs as pictures. Colours are classes of one style sheet, so that the picture fits light and dark screens.
 */
#include "dag_write.h"

#include <math.h>
#include <stdlib.h>

#include "dag_layout.h"
#include "markup.h"

enum { LEGEND_MOST = 8 };

static void put_style(struct text *text)
{
    text_puts(text, "<style>\n"
                    "text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#1f2328}\n"
                    ".page{fill:#ffffff}.band{fill:#f4f5f6}\n"
                    ".title{font-size:20px;font-weight:600}.small{font-size:11px;fill:#59636e}\n"
                    ".in{fill:#ffffff}.in2{fill:#ffffff;font-size:10px}\n"
                    ".e{fill:none}.edge{stroke-width:1}.critical-edge{stroke:#d1242f;stroke-width:2.5}\n"
                    ".n{stroke:none}.critical{stroke:#d1242f;stroke-width:2.5}.crit-text{fill:#d1242f}\n");
    palette_style(text);
    text_puts(text, "@media (prefers-color-scheme:dark){\n"
                    "text{fill:#e6edf3}.page{fill:#0d1117}.band{fill:#161b22}.small{fill:#9198a1}\n"
                    ".in,.in2{fill:#ffffff}.critical-edge,.critical{stroke:#ff6a69}.crit-text{fill:#ff6a69}\n"
                    "}\n</style>\n");
}

static void put_header(struct text *text, const struct dag_graph *graph)
{
    text_printf(text, "<text class=\"title\" x=\"%d\" y=\"42\">", DAG_MARGIN);
    markup_escape_cut(text, graph->whole.name, 90);
    text_printf(text, "</text>\n<text class=\"small\" x=\"%d\" y=\"62\">", DAG_MARGIN);
    markup_count(text, graph->whole.task_count);
    text_puts(text, " tasks \xc2\xb7 ");
    markup_count(text, graph->whole.edge_count);
    text_puts(text, " edges \xc2\xb7 ");
    markup_count(text, graph->level_count);
    text_puts(text, " levels");
    if (graph->whole.critical_path_seconds > 0) {
        text_puts(text, " \xc2\xb7 ");
        markup_seconds(text, graph->whole.total_seconds);
        text_puts(text, " of work \xc2\xb7 <tspan class=\"crit-text\">critical path ");
        markup_seconds(text, graph->whole.critical_path_seconds);
        text_puts(text, "</tspan>");
    }
    if (graph->grouped)
        text_puts(text, " \xc2\xb7 drawn by kind and level");
    text_puts(text, "</text>\n");
}

static void put_legend_entry(struct text *text, double x, int slot, const char *name, int tasks)
{
    text_puts(text, "<rect rx=\"2\" width=\"11\" height=\"11\" y=\"78\" x=\"");
    markup_coordinate(text, x);
    text_printf(text, "\" class=\"k%d\"/><text y=\"88\" x=\"", slot);
    markup_coordinate(text, x + 17);
    text_puts(text, "\">");
    markup_escape_cut(text, name, 11);
    text_puts(text, " <tspan class=\"small\">");
    markup_count(text, tasks);
    text_puts(text, "</tspan></text>\n");
}

static void put_legend(struct text *text, const struct dag_graph *graph)
{
    int *order = palette_order(graph->kinds, graph->kind_count);
    int shown = graph->kind_count <= LEGEND_MOST + 1 ? graph->kind_count : LEGEND_MOST, others = 0;
    double pitch = (graph->width - 2 * DAG_MARGIN) / (LEGEND_MOST + 1);
    for (int i = 0; i < graph->kind_count; i++) {
        const struct palette_kind *kind = &graph->kinds[order[i]];
        if (i < shown)
            put_legend_entry(text, DAG_MARGIN + i * pitch, kind->slot, kind->name, kind->tasks);
        else
            others += kind->tasks;
    }
    if (others > 0) {
        char *name = need_printf("%d others", graph->kind_count - shown);
        put_legend_entry(text, DAG_MARGIN + shown * pitch, PALETTE_OTHER, name, others);
        free(name);
    }
    free(order);
}

/* What is on one level: its nodes' bounds, and the kinds that have most of its tasks. */
struct band {
    double top, bottom;
    int tasks;
    int kinds;
    int kind; /* the last one seen */
};

static void put_bands(struct text *text, const struct dag_graph *graph)
{
    struct band *bands = need_zeroed((size_t)graph->drawn_levels, sizeof *bands);
    for (int i = 0; i < graph->node_count; i++) {
        const struct dag_node *node = &graph->nodes[i];
        struct band *band = &bands[node->level];
        band->kinds = band->tasks == 0 ? 1 : band->kinds + (band->kind != node->kind && band->kinds < 2);
        band->top = band->tasks == 0 || node->y < band->top ? node->y : band->top;
        band->bottom = node->y + node->height > band->bottom ? node->y + node->height : band->bottom;
        band->kind = node->kind;
        band->tasks += node->tasks;
    }
    for (int level = 0; level < graph->drawn_levels; level++) {
        const struct band *band = &bands[level];
        double middle = (band->top + band->bottom) / 2;
        text_printf(text, "<rect class=\"band\" rx=\"6\" x=\"%d\" y=\"%.1f\" width=\"%.0f\" height=\"%.1f\"/>",
                    DAG_MARGIN / 2, band->top - 10, graph->width - DAG_MARGIN, band->bottom - band->top + 20);
        text_printf(text, "<text x=\"%d\" y=\"%.1f\">", DAG_MARGIN, middle);
        if (band->kinds == 1)
            markup_escape_cut(text, graph->kinds[band->kind].name, 17);
        else
            text_puts(text, "several kinds");
        text_printf(text, "</text><text class=\"small\" x=\"%d\" y=\"%.1f\">", DAG_MARGIN, middle + 14);
        markup_count(text, band->tasks);
        text_puts(text, band->tasks == 1 ? " task</text>\n" : " tasks</text>\n");
    }
    free(bands);
}

static void put_curve(struct text *text, const struct dag_node *from, const struct dag_node *to)
{
    double x1 = from->x + from->width / 2, y1 = from->y + from->height, x2 = to->x + to->width / 2, y2 = to->y;
    double bend = (y2 - y1) / 2;
    const double numbers[] = {x1, y1, x1, y1 + bend, x2, y2 - bend, x2, y2};
    static const char *const before[] = {"M", " ", "C", " ", " ", " ", " ", " "};
    for (int i = 0; i < 8; i++) {
        text_puts(text, before[i]);
        markup_coordinate(text, numbers[i]);
    }
}

/* The more edges there are, the fainter each is: what shows is where they go together. */
static double opacity_of(int edges)
{
    double opacity = 6 / sqrt(edges > 0 ? edges : 1);
    return opacity > 0.7 ? 0.7 : opacity < 0.1 ? 0.1 : opacity;
}

/* Plain edges first, one path for each node that they leave; groups have an edge a path, for its width. */
static void put_edges(struct text *text, const struct dag_graph *graph)
{
    text_printf(text, "<g class=\"e\" stroke-opacity=\"%.2f\">\n", opacity_of(graph->edge_count));
    for (int i = 0; i < graph->edge_count;) {
        const struct dag_edge *first = &graph->edges[i];
        text_printf(text, "<path class=\"edge e%d\" ", graph->nodes[first->from].slot);
        if (graph->grouped)
            text_printf(text, "style=\"stroke-width:%.1f\" ", 1 + log10(first->count) * 1.5);
        text_puts(text, "d=\"");
        do {
            put_curve(text, &graph->nodes[first->from], &graph->nodes[graph->edges[i].to]);
            i++;
        } while (!graph->grouped && i < graph->edge_count && graph->edges[i].from == first->from);
        text_puts(text, "\"/>\n");
    }
    text_puts(text, "</g>\n<g class=\"e\">\n");
    for (int i = 0; i < graph->edge_count; i++) {
        const struct dag_edge *edge = &graph->edges[i];
        if (!edge->critical)
            continue;
        text_puts(text, "<path class=\"critical-edge\" d=\"");
        put_curve(text, &graph->nodes[edge->from], &graph->nodes[edge->to]);
        text_puts(text, "\"/>\n");
    }
    text_puts(text, "</g>\n");
}

static void put_tooltip(struct text *text, const struct dag_graph *graph, const struct dag_node *node)
{
    text_puts(text, "<title>");
    markup_escape(text, node->label);
    if (graph->grouped) {
        text_puts(text, ": ");
        markup_count(text, node->tasks);
        text_puts(text, node->tasks == 1 ? " task" : " tasks");
    } else {
        text_puts(text, "\nkind ");
        markup_escape(text, graph->kinds[node->kind].name);
    }
    text_puts(text, "\n");
    markup_seconds(text, node->seconds);
    text_puts(text, node->critical ? ", on the critical path</title>" : "</title>");
}

static void put_line(struct text *text, const struct dag_node *node, double y, const char *class)
{
    text_printf(text, "<text class=\"%s\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">", class,
                node->x + node->width / 2, node->y + y);
}

static void put_box_text(struct text *text, const struct dag_graph *graph, const struct dag_node *node)
{
    put_line(text, node, 15, "in");
    markup_escape_cut(text, node->label, (int)((node->width - 8) / 7.4));
    text_puts(text, "</text>");
    put_line(text, node, 28, "in2");
    if (graph->grouped) {
        text_puts(text, "\xc3\x97 ");
        markup_count(text, node->tasks);
        text_puts(text, node->width > 90 && !isnan(node->seconds) ? " \xc2\xb7 " : "");
    }
    if (!isnan(node->seconds) && (!graph->grouped || node->width > 90))
        markup_seconds(text, node->seconds);
    text_puts(text, "</text>");
}

static void put_node(struct text *text, const struct dag_graph *graph, const struct dag_node *node)
{
    bool box = node->height > 20;
    text_puts(text, "<g>");
    put_tooltip(text, graph, node);
    text_printf(text, "<rect class=\"n k%d%s\" rx=\"%d\" x=\"", node->slot, node->critical ? " critical" : "",
                box ? 5 : 2);
    markup_coordinate(text, node->x);
    text_puts(text, "\" y=\"");
    markup_coordinate(text, node->y);
    text_puts(text, "\" width=\"");
    markup_coordinate(text, node->width);
    text_puts(text, "\" height=\"");
    markup_coordinate(text, node->height);
    text_puts(text, "\"/>");
    if (box)
        put_box_text(text, graph, node);
    text_puts(text, "</g>\n");
}

void dag_write_svg(struct text *text, const struct dag_graph *graph)
{
    text_printf(text,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n",
                graph->width, graph->height, graph->width, graph->height);
    text_puts(text, "<title>");
    markup_escape(text, graph->whole.name);
    text_puts(text, "</title>\n");
    put_style(text);
    text_puts(text, "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n");
    put_header(text, graph);
    put_legend(text, graph);
    put_bands(text, graph);
    put_edges(text, graph);
    for (int i = 0; i < graph->node_count; i++)
        put_node(text, graph, &graph->nodes[i]);
    text_puts(text, "</svg>\n");
}
