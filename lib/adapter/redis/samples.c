/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of hosts: a stream for each, trimmed by count as it grows, in one slot with the others. */

#include "redis.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"

static void take_last(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    (void)reply;
    shard__redis_end(store, call, 0);
}

static void put_sample(struct shard__redis_store *store, struct shard__redis_command *command,
                       const struct shard_host_sample *host_sample)
{
    const struct shard_sample *sample = &host_sample->sample;
    const double values[] = {sample->cpu_share,
                             sample->memory_share,
                             sample->disk_share,
                             sample->io_bytes_per_second,
                             sample->network_bytes_per_second,
                             sample->cpu_pressure,
                             sample->memory_pressure,
                             sample->io_pressure,
                             sample->load,
                             sample->temperature_celsius};
    char text[512];
    int length = 0;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        length += snprintf(text + length, sizeof(text) - (size_t)length, "%s%.9g", i == 0 ? "" : " ", values[i]);
    shard__redis_text(command, host_sample->host);
    shard__redis_number(command, sample->time_ns);
    shard__redis_arg(command, text, (size_t)length);
    (void)store;
}

int shard__redis_put_samples(void *self, shard_sink *sink, shard_token token, const struct shard_host_sample *samples,
                             int32_t count)
{
    struct shard__redis_store *store = self;
    shard__clear_error();
    if (samples == NULL || count < 1)
        return shard__fail(SHARD_EINVAL, "samples: there are none");
    for (int32_t i = 0; i < count; i++) {
        int status = shard__check_name(samples[i].host, "host");
        if (status < 0)
            return status;
    }
    struct shard__redis_call *call = shard__redis_call_new(store, sink, token, "", take_last);
    if (call == NULL)
        return SHARD_ENOMEM;
    struct shard__redis_command *command = &call->command;
    command->script = SHARD__REDIS_SAMPLES;
    shard__redis_text(command, "EVALSHA");
    shard__redis_text(command, shard__redis_scripts[SHARD__REDIS_SAMPLES].sha1);
    shard__redis_number(command, 1);
    shard__redis_key(store, command, "", "samples");
    shard__redis_number(command, store->keep_samples);
    for (int32_t i = 0; i < count; i++)
        put_sample(store, command, &samples[i]);
    return shard__redis_submit(store, call);
}
