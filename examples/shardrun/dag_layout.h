/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_DAG_LAYOUT_H
#define SHARDRUN_DAG_LAYOUT_H

/*
 * Where each node of a graph is drawn: a band for each level from top to bottom, nodes in it ordered so that edges are
 * short. A band with few nodes has boxes with names; one with many has small squares in several rows.
 */

#include "dag_graph.h"

enum { DAG_MARGIN = 24, DAG_HEADER = 96, DAG_LABELS = 150, DAG_DRAWING = 1080 };

void dag_layout(struct dag_graph *graph);

#endif
