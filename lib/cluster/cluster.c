/* SPDX-License-Identifier: Apache-2.0 */
/* Capacity: what is taken and given back, which hosts are open, and which have changed. */

#include "cluster.h"

#include "base/error.h"

/* Keeps the list of open hosts and that of changed ones in step with a host. Both have room for every host. */
static void host_changed(struct shard__cluster *cluster, int32_t id)
{
    struct shard__host *host = &cluster->hosts[id];
    host->changes++;
    int open = host->state == SHARD_HOST_UP && host->running < host->slots;
    if (open && host->open_index < 0) {
        host->open_index = cluster->open_count;
        cluster->open[cluster->open_count++] = id;
    } else if (!open && host->open_index >= 0) {
        int32_t last = cluster->open[--cluster->open_count];
        cluster->open[host->open_index] = last;
        cluster->hosts[last].open_index = host->open_index;
        host->open_index = -1;
    }
    if (!host->dirty) {
        host->dirty = 1;
        cluster->dirty[cluster->dirty_count++] = id;
    }
}

void shard__cluster_set_state(struct shard__cluster *cluster, int32_t host, enum shard_host_state state)
{
    cluster->hosts[host].state = state;
    cluster->changes++;
    host_changed(cluster, host);
}

int shard__host_could_hold(const struct shard__host *host, const struct shard__need *need)
{
    return need->cpu_millicores <= host->capacity.cpu_millicores &&
           (host->capacity.memory_bytes == 0 || need->memory_bytes <= host->capacity.memory_bytes) &&
           (host->capacity.disk_bytes == 0 || need->disk_bytes <= host->capacity.disk_bytes);
}

struct shard__need shard__cluster_largest(const struct shard__cluster *cluster)
{
    struct shard__need largest = {0};
    for (int32_t i = 0; i < cluster->host_count; i++) {
        const struct shard__host *host = &cluster->hosts[i];
        if (host->state >= SHARD_HOST_LEFT)
            continue;
        if (host->capacity.memory_bytes > largest.memory_bytes)
            largest.memory_bytes = host->capacity.memory_bytes;
        if (host->capacity.disk_bytes > largest.disk_bytes)
            largest.disk_bytes = host->capacity.disk_bytes;
    }
    return largest;
}

int shard__host_admits(const struct shard__host *host, const struct shard__need *need)
{
    return host->state == SHARD_HOST_UP && host->running < host->slots &&
           need->cpu_millicores <= host->capacity.cpu_millicores - host->used.cpu_millicores &&
           (host->capacity.memory_bytes == 0 ||
            need->memory_bytes <= host->capacity.memory_bytes - host->used.memory_bytes) &&
           (host->capacity.disk_bytes == 0 || need->disk_bytes <= host->capacity.disk_bytes - host->used.disk_bytes);
}

/* Where memory or disk is not known, nothing bounds the sum: it may wrap, and comes back the same way. */
static int64_t sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

void shard__cluster_take(struct shard__cluster *cluster, int32_t id, const struct shard__need *need)
{
    struct shard__host *host = &cluster->hosts[id];
    host->running++;
    host->used.cpu_millicores += need->cpu_millicores;
    host->used.memory_bytes = sum(host->used.memory_bytes, need->memory_bytes);
    host->used.disk_bytes = sum(host->used.disk_bytes, need->disk_bytes);
    host_changed(cluster, id);
}

void shard__cluster_give(struct shard__cluster *cluster, int32_t id, const struct shard__need *need)
{
    struct shard__host *host = &cluster->hosts[id];
    host->running--;
    host->used.cpu_millicores -= need->cpu_millicores;
    host->used.memory_bytes = sum(host->used.memory_bytes, -need->memory_bytes);
    host->used.disk_bytes = sum(host->used.disk_bytes, -need->disk_bytes);
    cluster->changes++;
    host_changed(cluster, id);
}

static int share_is_good(double share)
{
    return isnan(share) || (share >= 0 && share <= 1.0001);
}

static int rate_is_good(double rate)
{
    return isnan(rate) || (rate >= 0 && isfinite(rate));
}

static int check_sample(const struct shard__host *host, const struct shard_sample *sample, int64_t now_ns)
{
    const struct {
        const char *name;
        double value;
        int is_share;
    } fields[] = {
        {"cpu_share", sample->cpu_share, 1},
        {"memory_share", sample->memory_share, 1},
        {"disk_share", sample->disk_share, 1},
        {"io_bytes_per_second", sample->io_bytes_per_second, 0},
        {"network_bytes_per_second", sample->network_bytes_per_second, 0},
        {"cpu_pressure", sample->cpu_pressure, 1},
        {"memory_pressure", sample->memory_pressure, 1},
        {"io_pressure", sample->io_pressure, 1},
        {"load", sample->load, 0},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (!(fields[i].is_share ? share_is_good(fields[i].value) : rate_is_good(fields[i].value)))
            return shard__fail(SHARD_EINVAL, "sample of host '%s': %s is %g, expected %s", host->name, fields[i].name,
                               fields[i].value, fields[i].is_share ? "a share from 0 to 1" : "0 or more");
    if (sample->time_ns > now_ns + INT64_C(60000000000))
        return shard__fail(SHARD_EINVAL, "sample of host '%s' is from %.0f s ahead", host->name,
                           (double)(sample->time_ns - now_ns) / 1e9);
    if (host->has_sample && sample->time_ns <= host->sample.time_ns)
        return shard__fail(SHARD_EINVAL, "sample of host '%s' is not newer than the one before", host->name);
    return 0;
}

int shard__cluster_sample(struct shard__cluster *cluster, int32_t id, const struct shard_sample *sample, int64_t now_ns)
{
    struct shard__host *host = &cluster->hosts[id];
    int status = check_sample(host, sample, now_ns);
    if (status < 0)
        return status;
    host->has_sample = 1;
    host->sample = *sample;
    host_changed(cluster, id);
    return 0;
}

int shard__host_mounts(const struct shard__host *host, int32_t volume)
{
    if (host->volume_count == 0)
        return volume == 0;
    for (int32_t i = 0; i < host->volume_count; i++)
        if (host->volumes[i] == volume)
            return 1;
    return 0;
}

int shard__volume_is_there(const struct shard__cluster *cluster, int32_t volume)
{
    if (cluster->volumes[volume].survives)
        return 1;
    for (int32_t i = 0; i < cluster->host_count; i++) {
        const struct shard__host *host = &cluster->hosts[i];
        if (host->state != SHARD_HOST_LEFT && host->state != SHARD_HOST_LOST && shard__host_mounts(host, volume))
            return 1;
    }
    return 0;
}
