/* SPDX-License-Identifier: Apache-2.0 */
/* Slots of attempts, their generations and the lists by host. */

#include "attempts.h"

#include <string.h>

void shard__attempts_init(struct shard__attempts *attempts, shard_context *context, struct shard__cluster *cluster)
{
    memset(attempts, 0, sizeof(*attempts));
    attempts->context = context;
    attempts->cluster = cluster;
    attempts->first_free = -1;
    attempts->next_deadline_ns = INT64_MAX;
}

void shard__attempts_free(struct shard__attempts *attempts)
{
    shard__release(attempts->context, attempts->slots, attempts->capacity * sizeof(*attempts->slots));
    attempts->slots = NULL;
}

int shard__attempts_reserve(struct shard__attempts *attempts)
{
    if (attempts->first_free >= 0)
        return 0;
    return shard__grow(attempts->context, &attempts->slots, &attempts->capacity, (size_t)attempts->count + 1,
                       sizeof(*attempts->slots));
}

int32_t shard__attempts_open(struct shard__attempts *attempts, int32_t run, int32_t task, int32_t host, int32_t number,
                             const struct shard__need *need)
{
    int32_t slot = attempts->first_free;
    uint32_t generation = 1;
    if (slot >= 0) {
        attempts->first_free = attempts->slots[slot].next_on_host;
        generation = attempts->slots[slot].generation;
    } else {
        slot = attempts->count++;
    }
    struct shard__host *on = &attempts->cluster->hosts[host];
    attempts->slots[slot] = (struct shard__attempt){.generation = generation,
                                                    .run = run,
                                                    .task = task,
                                                    .host = host,
                                                    .number = number,
                                                    .need = *need,
                                                    .next_on_host = on->first_attempt,
                                                    .previous_on_host = -1,
                                                    .before = -1,
                                                    .behind = -1,
                                                    .deadline_ns = INT64_MAX,
                                                    .expected_seconds = NAN};
    if (on->first_attempt >= 0)
        attempts->slots[on->first_attempt].previous_on_host = slot;
    on->first_attempt = slot;
    shard__cluster_take(attempts->cluster, host, need);
    attempts->active++;
    return slot;
}

void shard__attempts_queue(struct shard__attempts *attempts, int32_t slot, int32_t before)
{
    struct shard__attempt *attempt = &attempts->slots[slot];
    attempt->before = before;
    attempts->slots[before].behind = slot;
    shard__cluster_give(attempts->cluster, attempt->host, &attempt->need);
}

int32_t shard__attempts_close(struct shard__attempts *attempts, int32_t slot)
{
    struct shard__attempt *attempt = &attempts->slots[slot];
    int32_t before = attempt->before, behind = attempt->behind;
    if (before >= 0)
        attempts->slots[before].behind = behind;
    if (behind >= 0)
        attempts->slots[behind].before = before;
    if (attempt->next_on_host >= 0)
        attempts->slots[attempt->next_on_host].previous_on_host = attempt->previous_on_host;
    if (attempt->previous_on_host >= 0)
        attempts->slots[attempt->previous_on_host].next_on_host = attempt->next_on_host;
    else
        attempts->cluster->hosts[attempt->host].first_attempt = attempt->next_on_host;
    if (before < 0 && behind < 0)
        shard__cluster_give(attempts->cluster, attempt->host, &attempt->need);
    attempt->phase = SHARD__ATTEMPT_FREE;
    /* 0 is left out, so that no token is 0. */
    attempt->generation = attempt->generation == UINT32_MAX ? 1 : attempt->generation + 1;
    attempt->next_on_host = attempts->first_free;
    attempts->first_free = slot;
    attempts->active--;
    return before < 0 ? behind : -1;
}

void shard__attempts_set_deadline(struct shard__attempts *attempts, int32_t slot, int64_t deadline_ns)
{
    attempts->slots[slot].deadline_ns = deadline_ns;
    if (deadline_ns < attempts->next_deadline_ns)
        attempts->next_deadline_ns = deadline_ns;
}

uint64_t shard__attempts_token(const struct shard__attempts *attempts, int32_t slot)
{
    return (uint64_t)attempts->slots[slot].generation << 32 | (uint32_t)slot;
}

int32_t shard__attempts_find(const struct shard__attempts *attempts, uint64_t token)
{
    uint32_t slot = (uint32_t)token;
    if (slot >= (uint32_t)attempts->count)
        return -1;
    const struct shard__attempt *attempt = &attempts->slots[slot];
    if (attempt->phase == SHARD__ATTEMPT_FREE || attempt->generation != (uint32_t)(token >> 32))
        return -1;
    return (int32_t)slot;
}
