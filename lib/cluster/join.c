/* SPDX-License-Identifier: Apache-2.0 */
/* How hosts and volumes come in: their specs are checked here, and nothing is changed before all of it is good. */

#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "cluster.h"

static const char *host_name(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct shard__cluster *cluster = owner;
    *ret_bytes = strlen(cluster->hosts[id].name);
    return cluster->hosts[id].name;
}

static const char *volume_name(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct shard__cluster *cluster = owner;
    *ret_bytes = strlen(cluster->volumes[id].name);
    return cluster->volumes[id].name;
}

int shard__cluster_init(struct shard__cluster *cluster, shard_context *context)
{
    memset(cluster, 0, sizeof(*cluster));
    cluster->context = context;
    cluster->most_quarantined = 0.5;
    cluster->release_ns = INT64_MAX;
    struct shard_volume_spec common = {.struct_size = sizeof(common), .name = "common", .survives = 1};
    int32_t volume = shard__cluster_add_volume(cluster, &common);
    return volume < 0 ? volume : 0;
}

static void drop_host(const struct shard__cluster *cluster, struct shard__host *host)
{
    shard__strfree(cluster->context, host->name);
    shard__strfree(cluster->context, host->labels);
    shard__strfree(cluster->context, host->boot_id);
    shard__release(cluster->context, host->volumes, (size_t)host->volume_count * sizeof(*host->volumes));
}

void shard__cluster_free(struct shard__cluster *cluster)
{
    const shard_context *context = cluster->context;
    for (int32_t i = 0; i < cluster->host_count; i++)
        drop_host(cluster, &cluster->hosts[i]);
    for (int32_t i = 0; i < cluster->volume_count; i++)
        shard__strfree(context, cluster->volumes[i].name);
    shard__release(context, cluster->hosts, cluster->host_capacity * sizeof(*cluster->hosts));
    shard__release(context, cluster->volumes, cluster->volume_capacity * sizeof(*cluster->volumes));
    shard__release(context, cluster->open, cluster->open_capacity * sizeof(*cluster->open));
    shard__release(context, cluster->dirty, cluster->dirty_capacity * sizeof(*cluster->dirty));
    shard__paths_free(&cluster->paths, context);
    shard__namemap_free(context, &cluster->host_names);
    shard__namemap_free(context, &cluster->volume_names);
    memset(cluster, 0, sizeof(*cluster));
}

int32_t shard__cluster_find_host(const struct shard__cluster *cluster, const char *name)
{
    int32_t id = shard__namemap_find(&cluster->host_names, name, strlen(name), host_name, cluster);
    return id >= 0 ? id : shard__fail(SHARD_ENOENT, "there is no host '%s'", name);
}

int32_t shard__cluster_add_volume(struct shard__cluster *cluster, const struct shard_volume_spec *given)
{
    struct shard_volume_spec spec;
    int status = shard__take_struct(&spec, sizeof(spec), given, "volume spec");
    if (status == 0)
        status = shard__check_name(spec.name, "volume");
    if (status < 0)
        return status;
    if (!(spec.bytes_per_second >= 0) || !isfinite(spec.bytes_per_second))
        return shard__fail(SHARD_EINVAL, "volume '%s': bytes_per_second is %g, expected 0 or more", spec.name,
                           spec.bytes_per_second);
    if (!(spec.latency_seconds >= 0) || !isfinite(spec.latency_seconds))
        return shard__fail(SHARD_EINVAL, "volume '%s': latency_seconds is %g, expected 0 or more", spec.name,
                           spec.latency_seconds);
    if (shard__namemap_find(&cluster->volume_names, spec.name, strlen(spec.name), volume_name, cluster) >= 0)
        return shard__fail(SHARD_EEXIST, "there is a volume '%s' already", spec.name);
    if (shard__grow(cluster->context, &cluster->volumes, &cluster->volume_capacity, (size_t)cluster->volume_count + 1,
                    sizeof(*cluster->volumes)) < 0)
        return SHARD_ENOMEM;
    struct shard__volume *volume = &cluster->volumes[cluster->volume_count];
    *volume = (struct shard__volume){.name = shard__strdup(cluster->context, spec.name),
                                     .survives = spec.survives != 0,
                                     .bytes_per_second = spec.bytes_per_second,
                                     .latency_seconds = spec.latency_seconds};
    if (volume->name == NULL)
        return SHARD_ENOMEM;
    if (shard__namemap_add(cluster->context, &cluster->volume_names, cluster->volume_count, volume_name, cluster) < 0) {
        shard__strfree(cluster->context, volume->name);
        return SHARD_ENOMEM;
    }
    return cluster->volume_count++;
}

static int check_host(const struct shard__cluster *cluster, const struct shard_host_spec *spec)
{
    int status = shard__check_name(spec->name, "host");
    if (status < 0)
        return status;
    if (spec->cpu_millicores <= 0)
        return shard__fail(SHARD_EINVAL, "host '%s': cpu_millicores is %lld, expected more than 0", spec->name,
                           (long long)spec->cpu_millicores);
    if (spec->memory_bytes < 0 || spec->disk_bytes < 0)
        return shard__fail(SHARD_EINVAL, "host '%s': %s is negative", spec->name,
                           spec->memory_bytes < 0 ? "memory_bytes" : "disk_bytes");
    if (spec->slots < 0)
        return shard__fail(SHARD_EINVAL, "host '%s': slots is %d, expected 0 or more", spec->name, spec->slots);
    if (!(spec->speed >= 0) || !isfinite(spec->speed))
        return shard__fail(SHARD_EINVAL, "host '%s': speed is %g, expected 0 or more", spec->name, spec->speed);
    if (spec->volume_count < 0 || (spec->volume_count > 0 && spec->volumes == NULL))
        return shard__fail(SHARD_EINVAL, "host '%s': volume_count is %d without volumes", spec->name,
                           spec->volume_count);
    for (int32_t i = 0; i < spec->volume_count; i++)
        if (spec->volumes[i] < 0 || spec->volumes[i] >= cluster->volume_count)
            return shard__fail(SHARD_ENOENT, "host '%s': there is no volume %d", spec->name, spec->volumes[i]);
    return 0;
}

/* Copies what a spec owns. On failure what was copied is freed. */
static int copy_host(const struct shard__cluster *cluster, const struct shard_host_spec *spec,
                     struct shard__host *ret_host)
{
    const shard_context *context = cluster->context;
    size_t volume_bytes = (size_t)spec->volume_count * sizeof(int32_t);
    struct shard__host host = {
        .name = shard__strdup(context, spec->name),
        .labels = shard__strdup(context, spec->labels == NULL ? "" : spec->labels),
        .boot_id = shard__strdup(context, spec->boot_id == NULL ? "" : spec->boot_id),
        .volumes = volume_bytes == 0 ? NULL : shard__realloc(context, NULL, 0, volume_bytes),
        .capacity = {spec->cpu_millicores, spec->memory_bytes, spec->disk_bytes},
        .speed = spec->speed == 0 ? 1.0 : spec->speed,
        .open_index = -1,
        .first_attempt = -1,
    };
    int64_t by_cores = spec->cpu_millicores / 1000;
    host.slots = spec->slots > 0 ? spec->slots : by_cores < 1 ? 1 : by_cores > 1000000 ? 1000000 : (int32_t)by_cores;
    host.volume_count = host.volumes == NULL ? 0 : spec->volume_count;
    if (host.name == NULL || host.labels == NULL || host.boot_id == NULL || host.volume_count != spec->volume_count) {
        drop_host(cluster, &host);
        return SHARD_ENOMEM;
    }
    if (volume_bytes != 0)
        memcpy(host.volumes, spec->volumes, volume_bytes);
    *ret_host = host;
    return 0;
}

static int reserve_host(struct shard__cluster *cluster)
{
    size_t wanted = (size_t)cluster->host_count + 1;
    if (shard__grow(cluster->context, &cluster->hosts, &cluster->host_capacity, wanted, sizeof(*cluster->hosts)) < 0 ||
        shard__grow(cluster->context, &cluster->open, &cluster->open_capacity, wanted, sizeof(*cluster->open)) < 0 ||
        shard__grow(cluster->context, &cluster->dirty, &cluster->dirty_capacity, wanted, sizeof(*cluster->dirty)) < 0)
        return SHARD_ENOMEM;
    return 0;
}

/* Puts a copied host in: as a new one, or in the place of the one of its name that had gone. */
static int32_t put_host(struct shard__cluster *cluster, struct shard__host *host, int32_t old,
                        enum shard_host_state state)
{
    int32_t id = old;
    if (old >= 0) {
        struct shard__host *before = &cluster->hosts[old];
        host->running = before->running;
        host->used = before->used;
        host->dirty = before->dirty;
        host->first_attempt = before->first_attempt;
        host->done = before->done;
        host->failures = before->failures;
        host->changes = before->changes + 1;
        /* The name stays where it was: samples that wait to be stored point to it. */
        char *name = host->name;
        host->name = before->name;
        before->name = name;
        drop_host(cluster, before);
        *before = *host;
    } else {
        id = cluster->host_count;
        cluster->hosts[id] = *host;
        if (shard__namemap_add(cluster->context, &cluster->host_names, id, host_name, cluster) < 0) {
            drop_host(cluster, host);
            return SHARD_ENOMEM;
        }
        cluster->host_count++;
    }
    shard__cluster_set_state(cluster, id, state);
    return id;
}

int32_t shard__cluster_add_host(struct shard__cluster *cluster, const struct shard_host_spec *given)
{
    struct shard_host_spec spec;
    int status = shard__take_struct(&spec, sizeof(spec), given, "host spec");
    if (status == 0)
        status = check_host(cluster, &spec);
    if (status < 0)
        return status;
    int32_t old = shard__namemap_find(&cluster->host_names, spec.name, strlen(spec.name), host_name, cluster);
    if (old >= 0 && cluster->hosts[old].state < SHARD_HOST_LEFT)
        return shard__fail(SHARD_EEXIST, "there is a host '%s' already, and it is %s", spec.name,
                           shard_host_state_text(cluster->hosts[old].state));
    struct shard__host host;
    if (reserve_host(cluster) < 0 || copy_host(cluster, &spec, &host) < 0)
        return SHARD_ENOMEM;
    return put_host(cluster, &host, old, SHARD_HOST_UP);
}

int32_t shard__cluster_add_ghost(struct shard__cluster *cluster, const char *name)
{
    struct shard_host_spec spec = {.struct_size = sizeof(spec), .name = name, .cpu_millicores = 1};
    struct shard__host host;
    if (reserve_host(cluster) < 0 || copy_host(cluster, &spec, &host) < 0)
        return SHARD_ENOMEM;
    return put_host(cluster, &host, -1, SHARD_HOST_LEFT);
}
