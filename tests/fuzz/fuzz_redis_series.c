/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Redis server may have kept of time series: after a first byte that says which, the bytes of a whole outcome,
 * of a short one or of a sample. Whatever comes of it is an error or a row that can be read, and a whole outcome that
 * was read is written the same again.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

#include "adapter/redis/redis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static shard_context *context;

static void end(void)
{
    shard_context_free(context);
}

static void start(void)
{
    if (shard_context_new(NULL, &context) < 0)
        abort();
    atexit(end);
}

static void whole(const char *bytes, size_t size)
{
    struct shard__bytes room, again;
    struct shard_outcome_row row;
    shard__bytes_init(&room, context);
    shard__bytes_init(&again, context);
    if (shard__redis_unpack_outcome(bytes, size, &room, &row) == 0) {
        shard__redis_pack_outcome(&again, &row);
        /* A NUL in a text ends it early. */
        if (again.size == size && memcmp(again.data, bytes, size) != 0)
            abort();
    }
    shard__bytes_free(&room);
    shard__bytes_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 1;
    struct shard_outcome_row row;
    struct shard_sample sample;
    if (context == NULL)
        start();
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        whole(bytes, size - 1);
    else if (data[0] % 3 == 1)
        (void)shard__redis_unpack_short(bytes, size - 1, &row);
    else
        (void)shard__redis_unpack_sample(bytes, size - 1, 1, &sample);
    return 0;
}
