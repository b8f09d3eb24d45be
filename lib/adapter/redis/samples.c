/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of hosts: a stream for each, trimmed by count and age as it grows, in one slot with all time series. */

#include "redis.h"

#include <stdio.h>

#include "base/error.h"

/* Below this a stream is trimmed exactly; above, where that costs the server least. */
enum { EXACT = 1000 };

void shard__redis_series_key(const struct shard__redis_store *store, struct shard__redis_command *command,
                             const char *suffix, const char *name)
{
    char rest[2 * SHARD_MAX_NAME_BYTES];
    snprintf(rest, sizeof(rest), "samples%s%s", suffix, name);
    shard__redis_key(store, command, "", rest);
}

void shard__redis_series_script(const struct shard__redis_store *store, struct shard__redis_command *command,
                                enum shard__redis_script_id script)
{
    command->script = (int32_t)script;
    shard__redis_text(command, "EVALSHA");
    shard__redis_text(command, shard__redis_scripts[script].sha1);
    shard__redis_number(command, 1);
    shard__redis_series_key(store, command, "", "");
}

static void take_last(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply)
{
    (void)reply;
    shard__redis_end(store, call, 0);
}

static void put_sample(struct shard__redis_command *command, const struct shard_host_sample *host_sample)
{
    const struct shard_sample *sample = &host_sample->sample;
    unsigned char values[SHARD__REDIS_SAMPLE];
    char task[SHARD_MAX_NAME_BYTES + 32];
    shard__redis_pack_sample(sample, values);
    shard__redis_text(command, host_sample->host);
    shard__redis_number(command, sample->time_ns / 1000000);
    shard__redis_number(command, sample->time_ns % 1000000 + 1); /* 0-0 is no id */
    shard__redis_arg(command, values, sizeof(values));
    shard__redis_number(command, host_sample->tag_count);
    for (int32_t i = 0; i < host_sample->tag_count; i++) {
        snprintf(task, sizeof(task), "%d:%s", host_sample->tags[i].task, host_sample->tags[i].run);
        shard__redis_text(command, task);
        shard__redis_number(command, host_sample->tags[i].attempt);
        shard__redis_number(command, sample->time_ns);
    }
}

int shard__redis_put_samples(void *self, shard_sink *sink, shard_token token, const struct shard_host_sample *samples,
                             int32_t count)
{
    struct shard__redis_store *store = self;
    shard__clear_error();
    int status = shard__check_samples(samples, count);
    if (status < 0)
        return status;
    struct shard__redis_call *call = shard__redis_call_new(store, sink, token, "", take_last);
    if (call == NULL)
        return SHARD_ENOMEM;
    shard__redis_series_script(store, &call->command, SHARD__REDIS_SAMPLES);
    shard__redis_number(&call->command, store->keep.samples);
    shard__redis_number(&call->command, store->keep.sample_ns / 1000000);
    shard__redis_text(&call->command, store->keep.samples < EXACT ? "=" : "~");
    for (int32_t i = 0; i < count; i++)
        put_sample(&call->command, &samples[i]);
    return shard__redis_submit(store, call);
}
