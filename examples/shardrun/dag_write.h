/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_DAG_WRITE_H
#define SHARDRUN_DAG_WRITE_H

/* Writes a graph as DOT, for Graphviz, and, once it has a layout, as a picture of its own in SVG. */

#include "dag_graph.h"
#include "need.h"

void dag_write_dot(struct text *text, const struct dag_graph *graph);
void dag_write_svg(struct text *text, const struct dag_graph *graph);

#endif
