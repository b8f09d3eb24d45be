/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph that `shardrun dag` draws, out of a workflow: levels, the critical path, and groups where there are too
 * many tasks to draw.
 */
#include "dag_graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "levels.h"

enum { MOST_TASKS_DRAWN = 1500, MOST_EDGES_DRAWN = 12000, MOST_GROUPS = 300, MOST_KINDS_GROUPED = 40 };

/* What is known of each task before it becomes a part of a node. */
struct reading {
    const shard_workflow *workflow;
    int32_t task_count;
    int *level;
    shard_task_id *next; /* on the critical path; -1 */
    bool *critical;
    int *node;
};

static double rank_of(const shard_workflow *workflow, shard_task_id task)
{
    struct shard_task_info info = {.struct_size = sizeof info};
    return shard_workflow_task(workflow, task, &info) == 0 ? info.rank_seconds : -1;
}

/* Follows the ranks from the task with the highest one to the end. */
static void read_critical_path(struct reading *reading)
{
    shard_task_id at = -1;
    double best = -1;
    for (shard_task_id task = 0; task < reading->task_count; task++) {
        double rank = rank_of(reading->workflow, task);
        reading->next[task] = -1;
        if (reading->level[task] == 0 && rank > best) {
            best = rank;
            at = task;
        }
    }
    while (at >= 0) {
        struct task_ids successors = task_successors(reading->workflow, at);
        shard_task_id next = -1;
        best = -1;
        for (int32_t i = 0; i < successors.count; i++) {
            double rank = rank_of(reading->workflow, successors.items[i]);
            if (rank > best) {
                best = rank;
                next = successors.items[i];
            }
        }
        free(successors.items);
        reading->critical[at] = true;
        reading->next[at] = next;
        at = next;
    }
}

static void add_task_to(struct dag_graph *graph, const struct reading *reading, shard_task_id task, int level)
{
    struct shard_task_info info = {.struct_size = sizeof info};
    struct dag_node *node = &graph->nodes[reading->node[task]];
    shard_workflow_task(reading->workflow, task, &info);
    if (node->tasks++ == 0) {
        node->kind = info.kind_id;
        node->slot = graph->kinds[info.kind_id].slot;
        node->level = level;
        node->seconds = NAN;
        node->label = info.name;
    } else {
        node->label = node->kind == info.kind_id ? info.kind : "other kinds";
    }
    if (!isnan(info.expected_seconds))
        node->seconds = (isnan(node->seconds) ? 0 : node->seconds) + info.expected_seconds;
    node->critical = node->critical || reading->critical[task];
}

/* Gives each pair of (drawn level, kind) that has tasks a node; returns how many there are. */
static int number_groups(const struct dag_graph *graph, const struct reading *reading, int bins, bool by_slot)
{
    int columns = by_slot ? PALETTE_SLOTS : graph->kind_count;
    int *node = need_zeroed((size_t)bins * (size_t)columns, sizeof *node);
    int count = 0;
    for (shard_task_id task = 0; task < reading->task_count; task++) {
        struct shard_task_info info = {.struct_size = sizeof info};
        shard_workflow_task(reading->workflow, task, &info);
        size_t bin = (size_t)reading->level[task] * (size_t)bins / (size_t)graph->level_count;
        int column = by_slot ? graph->kinds[info.kind_id].slot : info.kind_id;
        int *slot = &node[bin * (size_t)columns + (size_t)column];
        if (*slot == 0)
            *slot = ++count;
        reading->node[task] = *slot - 1;
    }
    free(node);
    return count;
}

static void make_nodes(struct dag_graph *graph, const struct reading *reading)
{
    graph->drawn_levels = graph->level_count;
    graph->node_count = reading->task_count;
    for (shard_task_id task = 0; task < reading->task_count; task++)
        reading->node[task] = task;
    if (graph->grouped) {
        bool by_slot = graph->kind_count > MOST_KINDS_GROUPED;
        int bins = graph->level_count < MOST_GROUPS ? graph->level_count : MOST_GROUPS;
        while ((graph->node_count = number_groups(graph, reading, bins, by_slot)) > MOST_GROUPS && bins > 1)
            bins = (bins + 1) / 2;
        graph->drawn_levels = bins;
    }
    graph->nodes = need_zeroed((size_t)graph->node_count, sizeof *graph->nodes);
    for (shard_task_id task = 0; task < reading->task_count; task++) {
        int64_t bin = (int64_t)reading->level[task] * graph->drawn_levels / graph->level_count;
        add_task_to(graph, reading, task, (int)bin);
    }
    for (int i = 0; graph->grouped && i < graph->node_count; i++) {
        struct dag_node *node = &graph->nodes[i];
        if (strcmp(node->label, "other kinds") != 0)
            node->label = graph->kinds[node->kind].name;
    }
}

static int by_ends(const void *left, const void *right)
{
    const struct dag_edge *a = left, *b = right;
    return a->from != b->from ? (a->from > b->from) - (a->from < b->from) : (a->to > b->to) - (a->to < b->to);
}

/* Sorts the edges and puts those with the same ends together. */
static void merge_edges(struct dag_graph *graph)
{
    int kept = 0;
    qsort(graph->edges, (size_t)graph->edge_count, sizeof *graph->edges, by_ends);
    for (int i = 0; i < graph->edge_count; i++) {
        const struct dag_edge *edge = &graph->edges[i];
        if (kept > 0 && by_ends(&graph->edges[kept - 1], edge) == 0) {
            graph->edges[kept - 1].count++;
            graph->edges[kept - 1].critical = graph->edges[kept - 1].critical || edge->critical;
        } else {
            graph->edges[kept++] = *edge;
        }
    }
    graph->edge_count = kept;
}

/* Edges between nodes of one drawn level are left out: there is no room for them. */
static void make_edges(struct dag_graph *graph, const struct reading *reading)
{
    graph->edges = need_zeroed((size_t)graph->whole.edge_count, sizeof *graph->edges);
    for (shard_task_id task = 0; task < reading->task_count; task++) {
        struct task_ids successors = task_successors(reading->workflow, task);
        for (int32_t i = 0; i < successors.count; i++) {
            shard_task_id to = successors.items[i];
            int from_node = reading->node[task], to_node = reading->node[to];
            if (graph->nodes[from_node].level == graph->nodes[to_node].level)
                continue;
            graph->edges[graph->edge_count++] =
                (struct dag_edge){from_node, to_node, 1, reading->critical[task] && reading->next[task] == to};
        }
        free(successors.items);
    }
    merge_edges(graph);
}

void dag_graph_read(const shard_workflow *workflow, enum dag_grouping grouping, struct dag_graph *ret_graph)
{
    struct dag_graph graph = {.whole = {.struct_size = sizeof graph.whole}};
    shard_workflow_describe(workflow, &graph.whole);
    size_t tasks = (size_t)graph.whole.task_count;
    shard_task_id *order;
    struct reading reading = {.workflow = workflow,
                              .task_count = graph.whole.task_count,
                              .next = need_zeroed(tasks, sizeof *reading.next),
                              .critical = need_zeroed(tasks, sizeof *reading.critical),
                              .node = need_zeroed(tasks, sizeof *reading.node)};
    graph.kinds = palette_read(workflow, &graph.kind_count);
    graph.level_count = task_levels(workflow, &reading.level, &order);
    read_critical_path(&reading);
    bool large = graph.whole.task_count > MOST_TASKS_DRAWN || graph.whole.edge_count > MOST_EDGES_DRAWN;
    graph.grouped = tasks > 0 && (grouping == DAG_GROUP_ALWAYS || (grouping == DAG_GROUP_AUTO && large));
    make_nodes(&graph, &reading);
    make_edges(&graph, &reading);
    free(order);
    free(reading.level);
    free(reading.next);
    free(reading.critical);
    free(reading.node);
    *ret_graph = graph;
}

void dag_graph_clear(struct dag_graph *graph)
{
    free(graph->kinds);
    free(graph->nodes);
    free(graph->edges);
    *graph = (struct dag_graph){0};
}
