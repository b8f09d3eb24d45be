/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_TRAIN_MODEL_H
#define SHARD_PREDICT_TRAIN_MODEL_H

/* A trained model as it is kept: the chosen candidate's members, and why it was chosen. */

#include "seconds.h"
#include "trainer.h"

struct shard_model {
    shard_context *context;
    struct shard__bundle bundle;
    struct shard__choice choice;
    struct shard__seconds seconds;
    struct shard_feature *features; /* names are the model's own */
    struct shard_schema schema;
};

/* Copies the names and makes the schema. 0 or SHARD_ENOMEM. */
int shard__model_name_columns(shard_model *model, const char *const *names, int32_t count);

#endif
