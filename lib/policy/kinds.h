/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_KINDS_H
#define SHARD_POLICY_KINDS_H

/*
 * Kinds across runs: a policy's dense number of a kind, the same for all workflows that call it the same, so that what
 * was learnt in one run serves the next.
 */

#include "view.h"

struct shard__kinds {
    shard_context *context;
    struct shard__intmap of_run;  /* (run, kind of its workflow): number */
    struct shard__intmap of_name; /* hash of the name: number */
    int32_t count;
};

/* The number of a task's kind, from 0; -1: there was no memory to number it. */
int32_t shard__kinds_number(struct shard__kinds *kinds, const struct shard_view *view, int32_t task);
/* Drops what is known by a run's number only. */
void shard__kinds_forget_runs(struct shard__kinds *kinds);
void shard__kinds_free(struct shard__kinds *kinds);

#endif
