/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ENGINE_FORESIGHT_H
#define SHARD_ENGINE_FORESIGHT_H

/*
 * Forecasts in an engine: the history, rows made of it, and the predictor that is asked, with the prior behind it. It
 * sleeps until there is a predictor or a policy asks for the first time, and costs nothing before.
 */

#include <shard/history.h>
#include <shard/store.h>

#include "history/history.h"
#include "policy/view.h"

/* A predictor, and what it was told of hosts. */
struct shard__asked {
    struct shard_predictor_handle predictor; /* port NULL: there is none */
    void *task_block, *host_block;           /* NULL: not made yet, or no two-sided form */
    uint32_t *seen;                          /* by host: version of its row in the block; 0: never set */
    int32_t host_rows;                       /* room in the block and in seen */
};

/* The row of a host. */
struct shard__host_row {
    uint32_t version; /* 0: not made yet */
    uint32_t changes; /* of the host when it was made */
    int64_t made_ns;
    int64_t samples_ns; /* when what samples tell was looked up */
};

/* An attempt under way, as it was when it was placed. */
struct shard__placed {
    int64_t start_ns; /* wall clock */
    int32_t attempt;  /* in a slot that is free: the next one, and 1; 0: there is none */
    float p_fail;
    float *row; /* NULL: the slot is free */
};

struct shard__foresight {
    struct shard__forecaster forecaster; /* what runs hold */
    shard_context *context;
    const struct shard__cluster *cluster;
    struct shard_feature_source source;
    void *source_self;
    struct shard__history history;
    struct shard__intmap kind_of; /* the history's kinds by run and kind of its workflow */
    struct shard_schema schema;
    struct shard_feature *features;
    char *names; /* of the features that are not the library's */
    size_t name_bytes;
    uint64_t schema_hash;
    int32_t columns[3]; /* of each group */
    struct shard__asked chosen, prior;
    float *task_row, *whole_rows;
    size_t whole_row_floats;
    float *host_rows; /* by host */
    size_t host_row_capacity;
    struct shard__host_row *hosts;
    size_t host_capacity;
    float *pair_rows;
    size_t pair_capacity;
    struct shard_pair *wanted;
    size_t wanted_capacity;
    int keeps;                      /* rows are kept until their attempts end: for the store, or for the predictor */
    int writes;                     /* outcomes go to the store */
    struct shard__intmap placed_of; /* by run and task */
    struct shard__placed *placed;
    size_t placed_capacity;
    int32_t placed_count;
    int32_t first_free;                 /* of placed, and 1; 0: none is free */
    struct shard_outcome_row *outcomes; /* to be written */
    size_t outcome_capacity;
    int32_t outcome_count;
    int64_t wall_ns;
    int64_t failures;       /* of the predictor, in a row */
    int64_t asked_ns;       /* when the predictor was called last, by the monotonic clock */
    int64_t spent_ns;       /* by it in this step */
    int64_t rests_until_ns; /* it is not called before */
    int64_t rests;          /* that it had to take */
};

/* Sleeps when `predictor` has no port. 0, SHARD_ENOMEM, SHARD_EINVAL, SHARD_ECONFLICT (its schema is not ours). */
int shard__foresight_init(struct shard__foresight *foresight, shard_context *context,
                          const struct shard__cluster *cluster, struct shard_predictor_handle predictor,
                          const struct shard_feature_source *source, void *source_self, int writes);
void shard__foresight_free(struct shard__foresight *foresight);
void shard__foresight_sample(struct shard__foresight *foresight, int32_t host, const struct shard_sample *sample);

/* ---- outcomes.c ---- */
/* Keeps the row of a task and a host, which is made, until its attempt has ended. Without memory it is not kept. */
void shard__foresight_keep(struct shard__foresight *foresight, const struct shard_view *view, int32_t task,
                           int32_t host, int32_t attempt, double p_fail);
/* Its attempt has ended. What does not count as a failure for forecasts is written as it was. */
void shard__foresight_end(struct shard__foresight *foresight, const struct shard_view *view, int32_t task, int32_t host,
                          int32_t kind, enum shard_outcome outcome, int counts, double seconds);
/* Forgets what was to be written. */
void shard__foresight_drop_outcomes(struct shard__foresight *foresight);
void shard__foresight_free_outcomes(struct shard__foresight *foresight);

/* ---- ask.c ---- */
/* Makes the columns of a schema: the library's, then the source's. */
int shard__foresight_schema(struct shard__foresight *foresight);
/* Asks the predictor, and the prior when that fails, about `count` hosts whose rows are made. 0 or SHARD_ENOMEM. */
int shard__foresight_ask(struct shard__foresight *foresight, const int32_t *hosts, int32_t count,
                         const struct shard_forecasts *ret);
/* Whether the predictor may be called now: there is one, and it does not rest. Then a call, and _called after it. */
int shard__foresight_may_call(struct shard__foresight *foresight);
void shard__foresight_called(struct shard__foresight *foresight);
void shard__asked_free(struct shard__asked *asked, const shard_context *context);
/* Puts the row of a task, a host and a pair together, in the schema's order. */
void shard__foresight_row(const struct shard__foresight *foresight, int32_t host, int32_t pair, float *ret_row);

#endif
