/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts and volumes of an engine, as the application brings, describes and takes them away. */

#include <stdio.h>

#include "base/context.h"
#include "base/error.h"
#include "engine/engine.h"

shard_volume_id shard_engine_add_volume(shard_engine *engine, const struct shard_volume_spec *spec)
{
    shard__clear_error();
    return shard__cluster_add_volume(&engine->cluster, spec);
}

static int check_host(const struct shard_engine *engine, int32_t host)
{
    shard__clear_error();
    if (host < 0 || host >= engine->cluster.host_count)
        return shard__fail(SHARD_ENOENT, "there is no host %d", host);
    return 0;
}

/* Reserved before. The event takes the message. */
static void tell_why(struct shard_engine *engine, int32_t host, enum shard_reason_code reason, char *message)
{
    struct shard__event event = {.kind = SHARD_EVENT_HOST_CHANGED,
                                 .run = -1,
                                 .task = -1,
                                 .host = host,
                                 .code = (int32_t)engine->cluster.hosts[host].state,
                                 .reason = (uint8_t)reason,
                                 .message = message,
                                 .time_ns = shard__wall_ns(engine->context)};
    shard__events_add(engine, &event);
    shard_engine_wake(engine);
}

static void tell(struct shard_engine *engine, int32_t host)
{
    tell_why(engine, host, SHARD_REASON_NONE, NULL);
}

shard_host_id shard_engine_add_host(shard_engine *engine, const struct shard_host_spec *spec)
{
    shard__clear_error();
    if (shard__events_reserve(engine, 1) < 0)
        return SHARD_ENOMEM;
    shard_host_id host = shard__cluster_add_host(&engine->cluster, spec);
    if (host >= 0)
        tell(engine, host);
    return host;
}

shard_host_id shard_engine_find_host(const shard_engine *engine, const char *name)
{
    shard__clear_error();
    if (name == NULL)
        return shard__fail(SHARD_ENOENT, "there is no host without a name");
    return shard__cluster_find_host(&engine->cluster, name);
}

int shard_engine_host(const shard_engine *engine, shard_host_id host, struct shard_host_view *ret_host)
{
    int status = check_host(engine, host);
    if (status < 0)
        return status;
    struct shard_host_view ours;
    shard__host_describe(&engine->cluster.hosts[host], &ours);
    return shard__give_struct(ret_host, &ours, sizeof(ours), "host view");
}

/* The attempts that run on a host now, as tags of its next sample. How many; what there is no room for has none. */
static int32_t tag_attempts(struct shard_engine *engine, int32_t host)
{
    int32_t before = engine->tag_count;
    for (int32_t slot = engine->cluster.hosts[host].first_attempt; slot >= 0;
         slot = engine->attempts.slots[slot].next_on_host) {
        const struct shard__attempt *attempt = &engine->attempts.slots[slot];
        if (attempt->phase < SHARD__ATTEMPT_STARTED || attempt->before >= 0)
            continue;
        if (shard__grow(engine->context, &engine->tags, &engine->tag_capacity, (size_t)engine->tag_count + 1,
                        sizeof(*engine->tags)) < 0)
            break;
        engine->tags[engine->tag_count++] = (struct shard__tag){attempt->run, attempt->task, attempt->number};
    }
    return engine->tag_count - before;
}

int shard_engine_host_sample(shard_engine *engine, shard_host_id host, const struct shard_sample *given)
{
    int status = check_host(engine, host);
    struct shard_sample sample;
    if (status == 0)
        status = shard__take_struct(&sample, sizeof(sample), given, "sample");
    if (status == 0)
        status = shard__cluster_sample(&engine->cluster, host, &sample, shard__wall_ns(engine->context));
    if (status < 0) {
        shard__log(engine->context, SHARD_LOG_WARNING, "sample-refused", "%s", shard__error_message());
        return status;
    }
    shard__foresight_sample(&engine->foresight, host, &sample);
    enum { MOST_WAITING = 4096 };
    if (engine->store.put_samples == NULL || engine->sample_count >= MOST_WAITING ||
        shard__grow(engine->context, &engine->samples, &engine->sample_capacity, (size_t)engine->sample_count + 1,
                    sizeof(*engine->samples)) < 0)
        return 0; /* written behind: what does not fit is not kept */
    engine->samples[engine->sample_count++] = (struct shard_host_sample){
        .host = engine->cluster.hosts[host].name, .sample = sample, .tag_count = tag_attempts(engine, host)};
    shard_engine_wake(engine);
    return 0;
}

static int set_state(struct shard_engine *engine, int32_t host, enum shard_host_state state)
{
    if (shard__events_reserve(engine, 1) < 0)
        return SHARD_ENOMEM;
    shard__cluster_set_state(&engine->cluster, host, state);
    tell(engine, host);
    return 0;
}

static int refuse(const struct shard_engine *engine, int32_t host, const char *what)
{
    const struct shard__host *is = &engine->cluster.hosts[host];
    return shard__fail(SHARD_ESTATE, "host '%s' is %s, it cannot be %s", is->name,
                       shard_host_state_text((int)is->state), what);
}

int shard_engine_host_drain(shard_engine *engine, shard_host_id host)
{
    int status = check_host(engine, host);
    if (status < 0)
        return status;
    if (engine->cluster.hosts[host].state >= SHARD_HOST_LEFT)
        return refuse(engine, host, "drained");
    return set_state(engine, host, SHARD_HOST_DRAINING);
}

int shard_engine_host_undrain(shard_engine *engine, shard_host_id host)
{
    int status = check_host(engine, host);
    if (status < 0)
        return status;
    if (engine->cluster.hosts[host].state >= SHARD_HOST_LEFT)
        return refuse(engine, host, "undrained");
    return set_state(engine, host, SHARD_HOST_UP);
}

static int set_quarantine(struct shard_engine *engine, int32_t id, int64_t until_ns)
{
    struct shard__cluster *cluster = &engine->cluster;
    struct shard__host *host = &cluster->hosts[id];
    enum shard_host_state wanted = until_ns > 0 ? SHARD_HOST_QUARANTINED : SHARD_HOST_UP;
    int may_change = host->state == SHARD_HOST_UP || host->state == SHARD_HOST_QUARANTINED;
    if (may_change && host->state != wanted && set_state(engine, id, wanted) < 0)
        return SHARD_ENOMEM;
    cluster->wish_count -= host->has_wish;
    host->has_wish = 0;
    host->quarantined_until_ns = may_change ? until_ns : 0;
    if (until_ns > 0 && until_ns < cluster->release_ns)
        cluster->release_ns = until_ns;
    return 0;
}

/* Nobody is up and nothing runs, so that only time would change that: the host that would come back first does now. */
static int let_one_out(struct shard_engine *engine)
{
    const struct shard__cluster *cluster = &engine->cluster;
    int32_t first = -1;
    for (int32_t id = 0; id < cluster->host_count; id++) {
        const struct shard__host *host = &cluster->hosts[id];
        if (host->state == SHARD_HOST_UP)
            return 0;
        if (host->state == SHARD_HOST_QUARANTINED &&
            (first < 0 || host->quarantined_until_ns < cluster->hosts[first].quarantined_until_ns))
            first = id;
    }
    if (first < 0 || set_quarantine(engine, first, 0) < 0)
        return first < 0 ? 0 : SHARD_ENOMEM;
    char message[256];
    snprintf(message, sizeof(message), "host '%.100s' is let out of quarantine: no other host is up",
             cluster->hosts[first].name);
    shard__engine_warn(engine, -1, -1, SHARD_EHOST, "least-bad-host", message);
    return 0;
}

/* Hosts that a policy leaves out by itself. */
static int tell_left_out(struct shard_engine *engine)
{
    struct shard__cluster *cluster = &engine->cluster;
    for (int32_t id = 0; cluster->left_out_count > 0 && id < cluster->host_count; id++) {
        struct shard__host *host = &cluster->hosts[id];
        char text[100];
        if (host->attempts_told == 0)
            continue;
        snprintf(text, sizeof(text), "%.1f of its last %.1f attempts failed by its doing", (double)host->failures_told,
                 (double)host->attempts_told);
        char *message = shard__strdup(engine->context, text);
        if (message == NULL || shard__events_reserve(engine, 1) < 0) {
            shard__strfree(engine->context, message);
            return SHARD_ENOMEM;
        }
        shard__log(engine->context, SHARD_LOG_WARNING, "host-quarantined", "host '%s' is quarantined: %s", host->name,
                   text);
        tell_why(engine, id, SHARD_REASON_HOST_SICK, message);
        host->attempts_told = host->failures_told = 0;
        cluster->left_out_count--;
    }
    return 0;
}

int shard__keep_quarantines(struct shard_engine *engine)
{
    struct shard__cluster *cluster = &engine->cluster;
    if (tell_left_out(engine) < 0)
        return SHARD_ENOMEM;
    if (cluster->release_ns != INT64_MAX && cluster->open_count == 0 && engine->attempts.active == 0 &&
        let_one_out(engine) < 0)
        return SHARD_ENOMEM;
    if (cluster->wish_count == 0 && engine->now_ns < cluster->release_ns)
        return 0;
    int status = 0;
    cluster->release_ns = INT64_MAX;
    for (int32_t id = 0; id < cluster->host_count; id++) {
        const struct shard__host *host = &cluster->hosts[id];
        int is_over = host->state == SHARD_HOST_QUARANTINED && host->quarantined_until_ns <= engine->now_ns;
        if ((host->has_wish || is_over) && set_quarantine(engine, id, is_over ? 0 : host->quarantined_until_ns) < 0)
            status = SHARD_ENOMEM;
        if (host->state == SHARD_HOST_QUARANTINED && host->quarantined_until_ns < cluster->release_ns)
            cluster->release_ns = host->quarantined_until_ns;
    }
    return status;
}

int shard_engine_host_quarantine(shard_engine *engine, shard_host_id host, double seconds)
{
    int status = check_host(engine, host);
    if (status == 0)
        status = shard__cluster_check_quarantine(&engine->cluster, host, seconds);
    if (status < 0)
        return status;
    return set_quarantine(engine, host, shard__quarantine_end_ns(shard__now_ns(engine->context), seconds));
}

/* What lay on volumes that are gone with the host. */
static void drop_volumes(struct shard_engine *engine, int32_t host)
{
    const struct shard__host *lost = &engine->cluster.hosts[host];
    for (int32_t i = 0; i < lost->volume_count; i++) {
        int32_t volume = lost->volumes[i];
        if (shard__volume_is_there(&engine->cluster, volume))
            continue;
        for (int32_t run = 0; run < engine->member_count; run++)
            if (engine->members[run].phase == SHARD__PHASE_ACTIVE)
                shard__data_drop_volume(engine->members[run].run, volume);
    }
}

int shard_engine_host_leave(shard_engine *engine, shard_host_id host)
{
    int status = check_host(engine, host);
    if (status < 0)
        return status;
    if (engine->cluster.hosts[host].state == SHARD_HOST_LOST)
        return refuse(engine, host, "asked to leave");
    if (engine->cluster.hosts[host].state == SHARD_HOST_LEFT && engine->cluster.hosts[host].first_attempt < 0)
        return refuse(engine, host, "asked to leave");
    if (engine->cluster.hosts[host].state != SHARD_HOST_LEFT) {
        status = set_state(engine, host, SHARD_HOST_LEFT);
        if (status < 0)
            return status;
        drop_volumes(engine, host);
    }
    return shard__end_attempts_on(engine, host, 0); /* a second call goes on where memory failed before */
}

int shard_engine_host_lost(shard_engine *engine, shard_host_id host)
{
    int status = check_host(engine, host);
    if (status < 0)
        return status;
    if (engine->cluster.hosts[host].state == SHARD_HOST_LOST)
        return shard__end_attempts_on(engine, host, 1); /* goes on where memory failed before */
    status = set_state(engine, host, SHARD_HOST_LOST);
    if (status < 0)
        return status;
    drop_volumes(engine, host);
    return shard__end_attempts_on(engine, host, 1);
}
