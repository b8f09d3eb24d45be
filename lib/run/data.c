/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data gate: on which volumes each piece of data lies, what a task misses on a host, what has to be brought there
 * and what has to be made again. Data without a producer is on every volume until somebody says where it is.
 */

#include "run.h"

#include <string.h>

#include "base/error.h"

struct shard__place {
    int32_t volume;
    int32_t next;
};

enum { NOWHERE = -1, EVERYWHERE = -2 };

int shard__data_init(struct shard__run *run)
{
    int32_t count = run->workflow->data_count;
    run->free_place = -1;
    if (count == 0)
        return 0;
    run->data_places = shard__realloc(run->context, NULL, 0, (size_t)count * sizeof(*run->data_places));
    if (run->data_places == NULL)
        return SHARD_ENOMEM;
    for (int32_t data = 0; data < count; data++)
        run->data_places[data] = run->workflow->data_producer[data] < 0 ? EVERYWHERE : NOWHERE;
    return 0;
}

void shard__data_free(struct shard__run *run)
{
    if (run->data_places != NULL)
        shard__release(run->context, run->data_places, (size_t)run->workflow->data_count * sizeof(*run->data_places));
    shard__release(run->context, run->places, run->place_capacity * sizeof(*run->places));
}

int shard__data_is_everywhere(const struct shard__run *run, int32_t data)
{
    return run->data_places[data] == EVERYWHERE;
}

int32_t shard__data_volume(const struct shard__run *run, int32_t data)
{
    int32_t place = run->data_places[data];
    return place == EVERYWHERE ? 0 : place == NOWHERE ? -1 : run->places[place].volume;
}

static int is_on(const struct shard__run *run, int32_t data, int32_t volume)
{
    for (int32_t place = run->data_places[data]; place >= 0; place = run->places[place].next)
        if (run->places[place].volume == volume)
            return 1;
    return 0;
}

static int is_at(const struct shard__run *run, int32_t data, const struct shard__host *host)
{
    int32_t place = run->data_places[data];
    if (place == EVERYWHERE)
        return 1;
    for (; place >= 0; place = run->places[place].next)
        if (shard__host_mounts(host, run->places[place].volume))
            return 1;
    return 0;
}

static int reserve_places(struct shard__run *run, int32_t more)
{
    return shard__grow(run->context, &run->places, &run->place_capacity, (size_t)(run->place_count + more),
                       sizeof(*run->places));
}

static void put(struct shard__run *run, int32_t data, int32_t volume)
{
    if (is_on(run, data, volume))
        return;
    int32_t place = run->free_place;
    if (place >= 0)
        run->free_place = run->places[place].next;
    else
        place = run->place_count++;
    int32_t first = run->data_places[data];
    run->places[place] = (struct shard__place){volume, first >= 0 ? first : -1};
    run->data_places[data] = place;
}

int shard__data_add(struct shard__run *run, int32_t data, int32_t volume)
{
    if (reserve_places(run, 1) < 0)
        return SHARD_ENOMEM;
    put(run, data, volume);
    run->seen_changes = -1; /* a waiting task may start */
    return 0;
}

void shard__data_drop(struct shard__run *run, int32_t data, int32_t volume)
{
    int32_t *link = &run->data_places[data];
    if (*link == EVERYWHERE) {
        *link = NOWHERE;
        return;
    }
    while (*link >= 0) {
        struct shard__place *place = &run->places[*link];
        if (place->volume == volume) {
            int32_t dropped = *link;
            *link = place->next;
            place->next = run->free_place;
            run->free_place = dropped;
            return;
        }
        link = &place->next;
    }
}

void shard__data_drop_volume(struct shard__run *run, int32_t volume)
{
    for (int32_t data = 0; data < run->workflow->data_count; data++)
        if (run->data_places[data] >= 0)
            shard__data_drop(run, data, volume);
    /* What finished subtasks left there is gone too, though their join is not done: it has its outputs nowhere then. */
    for (int32_t task = run->workflow->task_count; task < run->task_count; task++) {
        struct shard__task *hot = &run->tasks[task];
        if (hot->state == SHARD_TASK_DONE && hot->host >= 0 &&
            shard__host_output_volume(&run->cluster->hosts[hot->host]) == volume)
            hot->host = -1;
    }
}

int shard__data_reserve_outputs(struct shard__run *run, int32_t task, int32_t levels)
{
    if (run->data_places == NULL)
        return 0;
    return reserve_places(run, levels * shard__csr_count(&run->workflow->outputs, shard__run_origin(run, task)));
}

void shard__data_outputs_are_on(struct shard__run *run, int32_t task, int32_t host)
{
    if (run->data_places == NULL)
        return;
    int32_t volume = shard__host_output_volume(&run->cluster->hosts[host]);
    if (!shard__volume_is_there(run->cluster, volume))
        return; /* its host went away meanwhile, and they with it */
    int32_t from = shard__run_origin(run, task);
    const int32_t *outputs = shard__csr_row(&run->workflow->outputs, from);
    for (int32_t i = 0; i < shard__csr_count(&run->workflow->outputs, from); i++)
        put(run, outputs[i], volume);
}

enum shard__gate shard__data_gate(const struct shard__run *run, int32_t task, int32_t host)
{
    if (run->data_places == NULL)
        return SHARD__GATE_OPEN;
    int32_t from = shard__run_origin(run, task);
    const int32_t *inputs = shard__csr_row(&run->workflow->inputs, from);
    enum shard__gate gate = SHARD__GATE_OPEN;
    for (int32_t i = 0; i < shard__csr_count(&run->workflow->inputs, from); i++) {
        if (is_at(run, inputs[i], &run->cluster->hosts[host]))
            continue;
        if (run->data_places[inputs[i]] == NOWHERE)
            return SHARD__GATE_LOST;
        gate = SHARD__GATE_STAGE;
    }
    return gate;
}

double shard__data_staging_seconds(const struct shard__run *run, int32_t task, int32_t host)
{
    if (run->data_places == NULL)
        return 0;
    const struct shard_workflow *workflow = run->workflow;
    const struct shard__host *to = &run->cluster->hosts[host];
    const struct shard__volume *volume = &run->cluster->volumes[shard__host_output_volume(to)];
    int32_t from = shard__run_origin(run, task);
    const int32_t *inputs = shard__csr_row(&workflow->inputs, from);
    double seconds = 0;
    for (int32_t i = 0; i < shard__csr_count(&workflow->inputs, from); i++) {
        if (is_at(run, inputs[i], to))
            continue;
        if (!run->can_stage)
            return INFINITY;
        double bytes = workflow->data_bytes[inputs[i]] < 0 ? NAN : (double)workflow->data_bytes[inputs[i]];
        double rate = volume->bytes_per_second > 0 ? volume->bytes_per_second : NAN;
        seconds += shard__paths_seconds(&run->cluster->paths, shard__data_volume(run, inputs[i]),
                                        shard__host_output_volume(to), bytes, volume->latency_seconds + bytes / rate);
    }
    return seconds;
}

double shard__data_staging_bytes(const struct shard__run *run, int32_t task, int32_t host)
{
    if (run->data_places == NULL)
        return 0;
    int32_t from = shard__run_origin(run, task);
    const int32_t *inputs = shard__csr_row(&run->workflow->inputs, from);
    double bytes = 0;
    for (int32_t i = 0; i < shard__csr_count(&run->workflow->inputs, from); i++)
        if (run->workflow->data_bytes[inputs[i]] > 0 && !is_at(run, inputs[i], &run->cluster->hosts[host]))
            bytes += (double)run->workflow->data_bytes[inputs[i]];
    return bytes;
}

int shard__data_stage(struct shard__run *run, int32_t slot)
{
    struct shard__attempt *attempt = &run->attempts->slots[slot];
    const struct shard__host *host = &run->cluster->hosts[attempt->host];
    int32_t from = shard__run_origin(run, attempt->task);
    int32_t count = shard__csr_count(&run->workflow->inputs, from);
    const int32_t *inputs = shard__csr_row(&run->workflow->inputs, from);
    if (shard__stages_reserve(run->stages, count) < 0 || shard__effects_reserve(run->effects, count) < 0)
        return SHARD_ENOMEM;
    for (int32_t i = 0; i < count; i++) {
        if (is_at(run, inputs[i], host))
            continue;
        struct shard__stage wanted = {.run = run->number,
                                      .data = inputs[i],
                                      .from = shard__data_volume(run, inputs[i]),
                                      .to = shard__host_output_volume(host),
                                      .host = attempt->host,
                                      .task = attempt->task};
        int is_new;
        int32_t stage = shard__stages_wait(run->stages, &wanted, shard__attempts_token(run->attempts, slot), &is_new);
        attempt->staging++;
        if (is_new)
            shard__effects_add(run->effects, SHARD__EFFECT_STAGE, run->number, stage);
    }
    return 0;
}

/* Whether a task's input is nowhere, so that its producer must run. */
static int is_lost(const struct shard__run *run, int32_t data)
{
    return run->data_places[data] == NOWHERE;
}

int shard__data_remake(struct shard__run *run, int32_t task)
{
    const struct shard_workflow *workflow = run->workflow;
    int32_t from = shard__run_origin(run, task);
    int32_t count = shard__csr_count(&workflow->inputs, from);
    const int32_t *inputs = shard__csr_row(&workflow->inputs, from);
    if (shard__run_reserve(run, count) < 0 ||
        shard__grow(run->context, &run->skips, &run->skip_capacity,
                    (size_t)(run->skip_count + shard__csr_count(&workflow->predecessors, from)),
                    sizeof(*run->skips)) < 0)
        return SHARD_ENOMEM;
    const struct shard__cause cause = {.reason = SHARD_REASON_INPUT_LOST, .p_fail = NAN};
    for (int32_t i = 0; i < count; i++) {
        int32_t producer = workflow->data_producer[inputs[i]];
        if (!is_lost(run, inputs[i]) || producer < 0 || run->tasks[producer].state != SHARD_TASK_DONE)
            continue;
        shard__run_transition(run, producer, SHARD_TASK_READY, &cause);
        shard__run_hold_successors(run, producer);
        shard__run_make_ready(run, producer);
    }
    /* From now on it waits for whatever of its predecessors is not done. */
    const int32_t *before = shard__csr_row(&workflow->predecessors, from);
    uint32_t missing = 0;
    int32_t before_count = shard__csr_count(&workflow->predecessors, from);
    for (int32_t i = 0; i < before_count; i++)
        missing += run->tasks[before[i]].state != SHARD_TASK_DONE;
    if (missing == 0)
        return SHARD_ENOENT;
    for (int32_t i = 0; i < before_count; i++)
        if (run->tasks[before[i]].state == SHARD_TASK_FAILED || run->tasks[before[i]].state == SHARD_TASK_SKIPPED)
            run->skips[run->skip_count++] = before[i]; /* it skipped its dependents before this one was blocked */
    run->tasks[task].missing = missing;
    shard__run_transition(run, task, SHARD_TASK_BLOCKED, &cause);
    return 0;
}
