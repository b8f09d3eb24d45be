/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graphs as DOT. Nodes are numbered; names are labels.
 */
#include "dag_write.h"

#include <inttypes.h>
#include <math.h>

/* A quoted string of DOT: only quotes and backslashes mean something in it. */
static void put_quoted(struct text *text, const char *string)
{
    text_puts(text, "\"");
    for (; *string != '\0'; string++) {
        if (*string == '"' || *string == '\\')
            text_puts(text, "\\");
        text_add(text, string, 1);
    }
    text_puts(text, "\"");
}

static void put_node(struct text *text, const struct dag_graph *graph, int index)
{
    const struct dag_node *node = &graph->nodes[index];
    text_printf(text, "  n%d [label=", index);
    put_quoted(text, node->label);
    text_puts(text, " kind=");
    put_quoted(text, graph->kinds[node->kind].name);
    if (!isnan(node->seconds))
        text_printf(text, " seconds=%.6g", node->seconds);
    if (graph->grouped)
        text_printf(text, " tasks=%d", node->tasks);
    text_printf(text, " colorscheme=set29 fillcolor=%d%s];\n", node->slot + 1, node->critical ? " penwidth=3" : "");
}

void dag_write_dot(struct text *text, const struct dag_graph *graph)
{
    text_puts(text, "digraph ");
    put_quoted(text, graph->whole.name);
    text_puts(text, " {\n  node [shape=box style=filled];\n");
    for (int i = 0; i < graph->node_count; i++)
        put_node(text, graph, i);
    for (int i = 0; i < graph->edge_count; i++) {
        const struct dag_edge *edge = &graph->edges[i];
        text_printf(text, "  n%d -> n%d", edge->from, edge->to);
        if (graph->grouped)
            text_printf(text, " [label=%d%s]", edge->count, edge->critical ? " penwidth=3" : "");
        else if (edge->critical)
            text_puts(text, " [penwidth=3]");
        text_puts(text, ";\n");
    }
    text_puts(text, "}\n");
}
