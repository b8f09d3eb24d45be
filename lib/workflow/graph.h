/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_WORKFLOW_GRAPH_H
#define SHARD_WORKFLOW_GRAPH_H

/* Lists of ids by row, made from pairs, and the order of a graph. All of it is linear and without recursion. */

#include "builder.h"
#include "workflow.h"

/* ids of each row in the order of the pairs, each id once. No pairs give the empty csr. 0 or SHARD_ENOMEM. */
int shard__csr_group(const shard_context *context, const struct shard__pair *pairs, size_t count, int32_t rows,
                     int32_t ids, struct shard__csr *ret_csr);

/* The csr of the reversed pairs: rows by id, in the order of the rows. 0 or SHARD_ENOMEM. */
int shard__csr_reverse(const shard_context *context, const struct shard__csr *csr, int32_t rows, int32_t ids,
                       struct shard__csr *ret_csr);

/* Successors and predecessors of each task from edges; sorted, each once. 0 or SHARD_ENOMEM. */
int shard__csr_edges(const shard_context *context, const struct shard__pair *edges, size_t count, int32_t tasks,
                     struct shard__csr *ret_successors, struct shard__csr *ret_predecessors);

void shard__csr_free(const shard_context *context, struct shard__csr *csr, int32_t rows);
size_t shard__csr_memory(const struct shard__csr *csr, int32_t rows);

/*
 * Orders tasks so that each comes after its predecessors (Kahn 1962). `order` and `waiting` have a place for each task;
 * where fewer than all could be, what stays above 0 in `waiting` is on a cycle or behind one. Returns how many could.
 */
int32_t shard__topological_order(const struct shard__csr *successors, const struct shard__csr *predecessors,
                                 int32_t tasks, int32_t *order, int32_t *waiting);

/* The same with memory from the context: 0 and the order, SHARD_ECYCLE with the path by name, or SHARD_ENOMEM. */
int shard__order(const shard_context *context, const struct shard__csr *successors,
                 const struct shard__csr *predecessors, const struct shard__names *names, int32_t tasks,
                 int32_t **ret_order);

/* Fails with SHARD_ECYCLE and the path by name of a cycle among tasks that are `waiting`; or with SHARD_ENOMEM. */
int shard__report_cycle(const shard_context *context, const struct shard__csr *successors,
                        const struct shard__csr *predecessors, const struct shard__names *names, int32_t tasks,
                        const int32_t *waiting);

/* Fills in the ranks and the sums of a workflow whose tasks are in `order`. 0 or SHARD_ENOMEM. */
int shard__rank(struct shard_workflow *workflow, const float *expected_seconds, const int32_t *order);

/* The ranks that a sealed workflow's tasks would have with other seconds. 0 or SHARD_ENOMEM. */
int shard__rank_anew(const struct shard_workflow *workflow, const float *expected_seconds, float *ret_rank_seconds);

/*
 * Leaves out of `inputs` what tasks read of others that are not among their ancestors, and of themselves. Data has the
 * producers of `builder`, and what they write is in `outputs`. 0 or SHARD_ENOMEM.
 */
int shard__drop_unordered_inputs(const shard_builder *builder, const struct shard__csr *successors,
                                 const struct shard__csr *outputs, struct shard__csr *inputs);

#endif
