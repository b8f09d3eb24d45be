/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_RUN_ATTEMPTS_H
#define SHARD_RUN_ATTEMPTS_H

/*
 * The attempts that are under way in an engine, of all runs: a table of slots with generations, so that an answer to an
 * attempt that is over is told from one to the attempt that uses its slot now; and a list for each host.
 */

#include <stdint.h>

#include "cluster/cluster.h"

enum shard__attempt_phase {
    SHARD__ATTEMPT_FREE = 0,
    SHARD__ATTEMPT_STAGING,     /* holds its host; inputs are on their way */
    SHARD__ATTEMPT_RECORDED,    /* its start is not durable yet */
    SHARD__ATTEMPT_STARTED,     /* the executor has it */
    SHARD__ATTEMPT_REATTACHING, /* of an earlier life: the executor was asked, or will be */
};

struct shard__attempt {
    uint32_t generation;
    uint8_t phase;
    uint8_t cancelled;      /* told to end; why is in cancel_outcome */
    uint8_t told_executor;  /* of the cancelling */
    uint8_t cancel_outcome; /* enum shard_outcome that its end then means, whatever the executor calls it */
    int32_t run;
    int32_t task;
    int32_t host;
    int32_t number;
    int32_t staging; /* pieces of data on their way */
    int32_t next_on_host, previous_on_host;
    int32_t before, behind; /* in its container: the slots of those that run just before and after it; -1: none */
    struct shard__need need;
    int64_t started_ns;     /* monotonic; 0 while another runs before it */
    int64_t review_ns;      /* monotonic; the policy is not asked about it before */
    int64_t deadline_ns;    /* timeout, or end of the grace of a cancelled one; INT64_MAX: none */
    float expected_seconds; /* on this host; NaN: not known */
    int64_t units_done;
    int64_t units_kept;          /* asked for, of a split; with `parts` */
    uint8_t was_asked_for;       /* the executor, whether it still knows it */
    uint8_t told_wrong_progress; /* which is logged once */
    uint8_t is_moved;            /* cancelled, since the policy wants its task elsewhere: */
    uint8_t is_shrinking;        /* the executor is asked to let go of its rest */
    uint8_t is_split;            /* cancelled, since its task is split */
    uint8_t move_reason;         /* what the policy said of this, or of a split */
    float move_p_fail;
    float move_value, move_limit;
    int32_t revision; /* of the catalog, that it started under; 0: none, or not known */
    int32_t parts;    /* of a split that is asked for, with the one that is kept; 0: none is */
};

struct shard__attempts {
    shard_context *context;
    struct shard__cluster *cluster;
    struct shard__attempt *slots;
    size_t capacity;
    int32_t count;      /* slots ever used */
    int32_t first_free; /* list through next_on_host; -1: none */
    int32_t active;
    int64_t next_deadline_ns; /* not later than any deadline */
};

void shard__attempts_init(struct shard__attempts *attempts, shard_context *context, struct shard__cluster *cluster);
void shard__attempts_free(struct shard__attempts *attempts);

/* Room for one more, so that the next open cannot fail. 0 or SHARD_ENOMEM. */
int shard__attempts_reserve(struct shard__attempts *attempts);

/* Takes a slot, and the need from the host. Reserve was called. Returns the slot. */
int32_t shard__attempts_open(struct shard__attempts *attempts, int32_t run, int32_t task, int32_t host, int32_t number,
                             const struct shard__need *need);

/* Lets an attempt that asks for the same run behind another, which is the last in its container: that one's need is
 * theirs. */
void shard__attempts_queue(struct shard__attempts *attempts, int32_t slot, int32_t before);

/*
 * Gives the slot back, and the need, unless it goes on to the one behind; answers to it are stale from now on. Returns
 * the slot of an attempt that has become the first in its container with that, -1: none.
 */
int32_t shard__attempts_close(struct shard__attempts *attempts, int32_t slot);

void shard__attempts_set_deadline(struct shard__attempts *attempts, int32_t slot, int64_t deadline_ns);

/* A token names a slot and its generation; 0 is never one. The slot of a token, or -1 when it is over. */
uint64_t shard__attempts_token(const struct shard__attempts *attempts, int32_t slot);
int32_t shard__attempts_find(const struct shard__attempts *attempts, uint64_t token);

#endif
