/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_HISTORY_TALLY_H
#define SHARD_HISTORY_TALLY_H

/* What the columns ask of a history. */

#include "history/history.h"

/* Tells the time, which the weights are for. */
void shard__history_set_time(struct shard__history *history, int64_t now_ns);
/* What attempts of a kind take for inputs of a size; NaN: not known. */
double shard__kind_seconds(const struct shard__history *history, const struct shard__kind *kind, double input_bytes);
/* NULL: this kind was never there. */
struct shard__tally *shard__history_pair(struct shard__history *history, int32_t kind, int32_t host);

#endif
