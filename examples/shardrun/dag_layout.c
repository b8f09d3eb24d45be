/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where each node of a graph is drawn, in layers (Sugiyama, Tagawa and Toda 1981): the order within a level comes from
 * sweeps over the barycentres of the neighbours.
 */
#include "dag_layout.h"

#include <stdlib.h>

enum { SWEEPS = 8, BOX_MOST = 14, BOX_HEIGHT = 34 };

struct ordered {
    int node;
    int before; /* its place so far, which decides between equals */
    double barycentre;
};

/* Nodes by level: those of level l are order[first[l]] ... order[first[l + 1] - 1]. */
struct layers {
    struct dag_graph *graph;
    int *first;
    struct ordered *order;
    double *sum; /* of the neighbours' positions, for each node */
    int *neighbours;
};

static struct layers layers_of(struct dag_graph *graph)
{
    struct layers layers = {graph, need_zeroed((size_t)graph->drawn_levels + 2, sizeof *layers.first),
                            need_zeroed((size_t)graph->node_count, sizeof *layers.order),
                            need_zeroed((size_t)graph->node_count, sizeof *layers.sum),
                            need_zeroed((size_t)graph->node_count, sizeof *layers.neighbours)};
    int *first = layers.first;
    for (int i = 0; i < graph->node_count; i++)
        first[graph->nodes[i].level + 2]++;
    for (int level = 2; level < graph->drawn_levels + 2; level++)
        first[level] += first[level - 1];
    for (int i = 0; i < graph->node_count; i++)
        layers.order[first[graph->nodes[i].level + 1]++].node = i;
    return layers;
}

static void layers_clear(struct layers *layers)
{
    free(layers->first);
    free(layers->order);
    free(layers->sum);
    free(layers->neighbours);
}

static int by_barycentre(const void *left, const void *right)
{
    const struct ordered *a = left, *b = right;
    if (a->barycentre != b->barycentre)
        return a->barycentre < b->barycentre ? -1 : 1;
    return a->before - b->before;
}

static void set_positions(const struct layers *layers, int level)
{
    int begin = layers->first[level], end = layers->first[level + 1];
    for (int i = begin; i < end; i++) {
        layers->order[i].before = i;
        layers->graph->nodes[layers->order[i].node].position = (i - begin + 0.5) / (end - begin);
    }
}

/* Gives each node the mean position of its neighbours on one side, then orders the levels one by one. */
static void sweep(const struct layers *layers, bool down)
{
    const struct dag_graph *graph = layers->graph;
    for (int step = 0; step < graph->drawn_levels; step++) {
        int level = down ? step : graph->drawn_levels - 1 - step;
        int begin = layers->first[level], end = layers->first[level + 1];
        for (int i = begin; i < end; i++) {
            int node = layers->order[i].node, count = layers->neighbours[node];
            layers->order[i].barycentre = count > 0 ? layers->sum[node] / count : graph->nodes[node].position;
        }
        qsort(layers->order + begin, (size_t)(end - begin), sizeof *layers->order, by_barycentre);
        set_positions(layers, level);
    }
}

static void order_levels(const struct layers *layers)
{
    const struct dag_graph *graph = layers->graph;
    for (int level = 0; level < graph->drawn_levels; level++)
        set_positions(layers, level);
    for (int i = 0; i < SWEEPS; i++) {
        bool down = i % 2 == 0;
        for (int node = 0; node < graph->node_count; node++) {
            layers->sum[node] = 0;
            layers->neighbours[node] = 0;
        }
        for (int e = 0; e < graph->edge_count; e++) {
            int to = down ? graph->edges[e].to : graph->edges[e].from;
            int from = down ? graph->edges[e].from : graph->edges[e].to;
            layers->sum[to] += graph->nodes[from].position;
            layers->neighbours[to]++;
        }
        sweep(layers, down);
    }
}

/* Places one level whose top is at `y`; returns its height. Many nodes fill columns from top to bottom, so that a
 * node's place across follows its order. */
static double place_level(const struct layers *layers, int level, double y)
{
    int begin = layers->first[level], count = layers->first[level + 1] - begin;
    bool boxes = count <= BOX_MOST;
    double gap = boxes ? 12 : count <= 200 ? 5 : 3;
    double size = count <= 60 ? 16 : count <= 200 ? 12 : 9;
    int most = (int)((DAG_DRAWING + gap) / (size + gap));
    int rows = boxes || count == 0 ? 1 : (count + most - 1) / most;
    int columns = (count + rows - 1) / rows;
    double width = boxes ? (DAG_DRAWING + gap) / (count > 0 ? count : 1) - gap : size;
    double height = boxes ? BOX_HEIGHT : size;
    width = width > 170 ? 170 : width;
    /* Boxes spread over the whole width; squares stay together in the middle. */
    double pitch = boxes && count > 0 ? DAG_DRAWING / (double)count : (columns > 40 ? size + gap : size + 2 * gap);
    if (columns * pitch > DAG_DRAWING)
        pitch = size + gap;
    double left = DAG_MARGIN + DAG_LABELS + (DAG_DRAWING - columns * pitch) / 2;
    for (int i = 0; i < count; i++) {
        struct dag_node *node = &layers->graph->nodes[layers->order[begin + i].node];
        int column = i / rows, row = i % rows;
        node->x = left + (column + 0.5) * pitch - width / 2;
        node->y = y + row * (size + gap);
        node->width = width;
        node->height = height;
    }
    return height + (rows - 1) * (size + gap);
}

void dag_layout(struct dag_graph *graph)
{
    struct layers layers = layers_of(graph);
    double y = DAG_HEADER + DAG_MARGIN;
    double between = graph->drawn_levels > 24 ? 34 : 64;
    order_levels(&layers);
    for (int level = 0; level < graph->drawn_levels; level++)
        y += place_level(&layers, level, y) + between;
    graph->width = DAG_DRAWING + DAG_LABELS + 2 * DAG_MARGIN;
    graph->height = (graph->drawn_levels > 0 ? y - between : y) + DAG_MARGIN;
    layers_clear(&layers);
}
