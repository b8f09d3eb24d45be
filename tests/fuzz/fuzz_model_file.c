/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models of the trainer. Damage is caught by the digest, so the digest is made to fit: what is tried is what reads
 * behind it. A model that is taken must answer.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/train.h>

#include "base/blake2b.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void ask(shard_context *context, const shard_model *model)
{
    struct shard_model_info info = {.struct_size = sizeof(info)};
    struct shard_predictor_handle predictor = {0};
    double p = 0, seconds = 0;
    check(shard_model_describe(model, &info) == 0);
    size_t columns = (size_t)info.schema->feature_count;
    float *row = calloc(columns, sizeof(float));
    struct shard_matrix rows = {.values = row, .rows = 1};
    struct shard_forecasts ret = {.p_fail = &p, .seconds = &seconds};
    check(row != NULL && shard_model_predictor(context, model, &predictor) == 0);
    int status = shard_predict(predictor, &rows, (int32_t)columns, &ret);
    check(status < 0 || (p >= 0 && p <= 1));
    predictor.port->destroy(predictor.self);
    free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    shard_context *context = NULL;
    shard_model *model = NULL;
    char digest[SHARD__DIGEST_TEXT];
    char *text = NULL;
    char *bytes = malloc(size + 80);
    check(bytes != NULL && shard_context_new(NULL, &context) == 0);
    if (size > 0)
        memcpy(bytes, data, size);
    shard__blake2b_text(bytes, size, digest);
    int tail = snprintf(bytes + size, 80, "digest %s\n", digest);
    if (shard_model_from_bytes(context, bytes, size + (size_t)tail, "fuzz", &model) == 0) {
        ask(context, model);
        check(shard_model_text(context, model, &text) == 0);
    }
    shard_free(context, text);
    shard_model_free(model);
    shard_context_free(context);
    free(bytes);
    return 0;
}
