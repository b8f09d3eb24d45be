/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_COMMON_CHECK_H
#define SHARD_ADAPTER_COMMON_CHECK_H

/* What every store refuses in its arguments before it looks at what it has, and the messages that stores share. */

#include <stdint.h>

#include <shard/store.h>

/* Copies the struct and checks it: shape, names. 0, SHARD_EINVAL, SHARD_ELIMIT or SHARD_EVERSION. */
int shard__check_create(const struct shard_store_create *theirs, struct shard_store_create *ret_create);

/* The same, with each record: seq without gaps, ids and enums in range, details that are there. */
int shard__check_commit(const struct shard_commit *theirs, struct shard_commit *ret_commit);

/* The arguments of acquire; of renew, with any owner. */
int shard__check_lease(const char *run, const char *owner, int64_t lease_ms);

/* Samples with their tags, and outcomes: names, columns. */
int shard__check_samples(const struct shard_host_sample *samples, int32_t count);
int shard__check_outcomes(const struct shard_outcome_row *outcomes, int32_t count);

/* How much is kept of time series: defaults put in where there is 0, SHARD_EINVAL for what makes no sense. */
struct shard__keep {
    int64_t samples;
    int64_t sample_ns;
    int64_t outcomes;
    int64_t outcome_ns;
    int64_t records;
};
int shard__check_keep(const char *store, int64_t samples, int64_t seconds, int64_t outcomes, int64_t outcome_seconds,
                      int64_t records, struct shard__keep *ret_keep);

/* Copies the struct, with the default put in. 0, SHARD_EINVAL or SHARD_EVERSION. */
int shard__check_compact(const struct shard_compact *theirs, struct shard_compact *ret_compact);

/* SHARD_EHELD, "lease of run 'a' is held by 'b' until 12:04:11 UTC". */
int shard__fail_held(const shard_context *context, const char *run, const char *owner, int64_t remaining_ns);

/* SHARD_EFENCED, with what holds the run now. */
int shard__fail_fenced(const char *run, int64_t epoch, int64_t current_epoch, const char *owner);

/* SHARD_ECONFLICT, for a commit that does not follow the last record. */
int shard__fail_seq(const char *run, int64_t first_seq, int64_t last_seq);

#endif
