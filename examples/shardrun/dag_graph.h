/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_DAG_GRAPH_H
#define SHARDRUN_DAG_GRAPH_H

/*
 * The graph that `shardrun dag` draws: a node for each task or, of a large workflow, for each kind on each level. The
 * level of a task is the number of tasks before it on the longest path that leads to it. Coordinates are filled in by
 * dag_layout.h.
 */

#include <stdbool.h>

#include <shard/workflow.h>

#include "palette.h"

enum dag_grouping { DAG_GROUP_AUTO, DAG_GROUP_ALWAYS, DAG_GROUP_NEVER };

struct dag_node {
    const char *label; /* the task's name, or the kind's; lives as long as the workflow */
    int kind;
    int slot; /* of the palette */
    int level;
    int tasks;
    double seconds; /* expected, of all of them; NaN: not known of any */
    bool critical;
    double position; /* among the nodes of its level, 0..1 */
    double x, y, width, height;
};

struct dag_edge {
    int from, to;
    int count; /* of the workflow's edges that it stands for */
    bool critical;
};

struct dag_graph {
    struct shard_workflow_info whole;
    struct palette_kind *kinds;
    int kind_count;
    struct dag_node *nodes;
    int node_count;
    struct dag_edge *edges; /* by `from` */
    int edge_count;
    int level_count;
    int drawn_levels; /* fewer when levels were put together */
    bool grouped;
    double width, height; /* of the whole drawing */
};

void dag_graph_read(const shard_workflow *workflow, enum dag_grouping grouping, struct dag_graph *ret_graph);
void dag_graph_clear(struct dag_graph *graph);

#endif
