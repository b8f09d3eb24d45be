/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ENGINE_SINK_H
#define SHARD_ENGINE_SINK_H

/*
 * The inside of a sink: the queue through which ports of any thread answer, taken by the engine a batch at a time. What
 * an answer means, and whether its token is open, is the engine's business.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/sink.h>

enum shard__answer_kind {
    SHARD__ANSWER_ENDED,      /* ended, outcome, code: exit code */
    SHARD__ANSWER_REATTACHED, /* code: enum shard_reattach */
    SHARD__ANSWER_PROGRESS,   /* units_done */
    SHARD__ANSWER_SHRUNK,     /* units_done: the units that are kept, or a negative code */
    SHARD__ANSWER_STAGED,     /* code: status */
    SHARD__ANSWER_STORE       /* store, code: status */
};

/* One answer; 56 bytes, since a million of them are on their way at times. */
struct shard__answer {
    shard_token token;
    uint8_t kind;    /* enum shard__answer_kind */
    uint8_t outcome; /* enum shard_outcome */
    uint8_t reserved[2];
    int32_t code;
    union {
        struct {
            double seconds;
            float cpu_seconds, launch_seconds;
            int64_t max_memory_bytes;
            int64_t max_disk_bytes;
            int64_t units_done;
        } ended;
        struct {
            int64_t epoch;
            struct shard_run_image *image; /* NULL: none. Whoever takes it sets it to NULL here */
        } store;
        int64_t units_done;
    } as;
    char *message; /* the batch's; NULL: none */
};

/* Answers in the order in which they came. Good until the next take; what it still owns is freed then. */
struct shard__batch {
    struct shard__answer *answers;
    size_t count;
};

/* Takes all answers that are there (count may be 0) and makes the descriptor unreadable. One thread at a time. */
void shard__sink_take(shard_sink *sink, struct shard__batch *ret_batch);

#endif
