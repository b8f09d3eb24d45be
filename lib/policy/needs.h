/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_POLICY_NEEDS_H
#define SHARD_POLICY_NEEDS_H

/*
 * How much memory and disk tasks need: by kind, a quantile of what its attempts held at most, by the size of their
 * inputs. The logarithms of bytes follow a line over those of sizes, and the quantile is that of the residuals of the
 * newest attempts. Nothing is said before there are a few of them.
 */

#include <stdint.h>

#include <shard/context.h>

enum shard__needed { SHARD__NEEDS_MEMORY = 0, SHARD__NEEDS_DISK, SHARD__NEEDED_COUNT };

enum { SHARD__NEED_POINTS = 32 };
/* What a request gets on top of the quantile. */
#define SHARD__NEED_MARGIN 1.25

struct shard__need_line {
    float x[SHARD__NEED_POINTS], y[SHARD__NEED_POINTS]; /* the newest, log(1 + size) and log(bytes) */
    int32_t count, next;
    float slope, level; /* of the quantile, when it is fitted */
    int32_t is_fitted;
    int32_t has_run_out;
};

struct shard__needs {
    shard_context *context;
    struct shard__need_line (*kinds)[SHARD__NEEDED_COUNT];
    size_t kind_capacity;
    int32_t kind_count;
};

/* What an attempt asked for (0: nothing) and held at most (0: not known), in bytes, with inputs of a size (NaN: not
   known). */
struct shard__need_seen {
    int32_t kind;
    double size;
    int64_t asked, held;
};

/* Whether one that ran out held what it had asked for (1), or less (0: its host was short); -1: that is not known. */
int shard__need_was_full(int64_t asked, int64_t held);

/* One that ended well. */
void shard__needs_done(struct shard__needs *needs, enum shard__needed what, const struct shard__need_seen *seen);
/* One that ran out. When its host was short, that says nothing of the kind. */
void shard__needs_ran_out(struct shard__needs *needs, enum shard__needed what, const struct shard__need_seen *seen);

/*
 * What to ask for, where the workflow says `told` (0: nothing) and `asked` is asked for so far: what was learned where
 * it says nothing; where it does, not less than that, and more only when the kind has run out of it. Never less than
 * what is asked for after a failure.
 */
int64_t shard__needs_ask(struct shard__needs *needs, enum shard__needed what, int32_t kind, double size, int64_t told,
                         int64_t asked, int has_failed);
void shard__needs_free(struct shard__needs *needs);

#endif
