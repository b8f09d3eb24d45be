/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_PALETTE_H
#define SHARDRUN_PALETTE_H

/*
 * Colours of kinds, the same in every picture of a workflow. The kinds with the most work get a colour each, all others
 * share a grey. Red is left out: it stands for failures. Colours are CSS classes, `k0` ... to fill and `e0` ... for
 * lines, so that one picture fits light and dark pages.
 */

#include <shard/workflow.h>

#include "need.h"

enum { PALETTE_COLOURS = 8, PALETTE_OTHER = PALETTE_COLOURS, PALETTE_SLOTS = PALETTE_COLOURS + 1 };

/* What a workflow says of a kind. */
struct palette_kind {
    const char *name; /* lives as long as the workflow */
    int slot;         /* of the palette */
    int tasks;
    double seconds; /* expected; what is not known counts as nothing */
};

/* Returns the kinds by id, for the caller to free. */
struct palette_kind *palette_read(const shard_workflow *workflow, int *ret_count);

/* Ids of kinds, those with the most work first; for legends. For the caller to free. */
int *palette_order(const struct palette_kind *kinds, int count);

/* Appends the style sheet: the colours on a light page, and on a dark one. */
void palette_style(struct text *text);

#endif
