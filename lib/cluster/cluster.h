/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_CLUSTER_CLUSTER_H
#define SHARD_CLUSTER_CLUSTER_H

/*
 * The hosts and volumes of an engine: what there is, what is free, what was reported. All runs of an engine share it.
 * Knows nothing of tasks: what is taken from a host is a need.
 */

#include <math.h>
#include <stdint.h>

#include <shard/host.h>

#include "base/map.h"
#include "cluster/paths.h"

/* What an attempt takes from a host while it has it, besides a slot. */
struct shard__need {
    int64_t cpu_millicores;
    int64_t memory_bytes;
    int64_t disk_bytes;
};

struct shard__volume {
    char *name;
    int32_t survives;
    double bytes_per_second;
    double latency_seconds;
};

struct shard__host {
    char *name;
    char *labels;
    char *boot_id;
    struct shard__need capacity; /* memory and disk 0: not known, not checked */
    struct shard__need used;
    int32_t slots;
    int32_t running;
    double speed;
    int32_t *volumes;
    int32_t volume_count;
    enum shard_host_state state;
    int32_t open_index;                 /* place in the list of open hosts; -1: not in it */
    int64_t quarantined_until_ns;       /* monotonic; while QUARANTINED, or wished to be */
    int32_t has_wish;                   /* a policy wants it quarantined until then, or no more */
    float failures_told, attempts_told; /* by a policy that leaves it out for these; 0, 0: nothing new */
    int32_t dirty;                      /* in the list of hosts whose change no policy has seen */
    int32_t first_attempt;              /* list of what runs here, kept by run/attempts; -1: none */
    int32_t has_sample;
    struct shard_sample sample;
    int64_t done;
    int64_t failures;
    uint32_t changes; /* counts what happened to this host; may wrap */
};

struct shard__cluster {
    shard_context *context;
    struct shard__host *hosts;
    size_t host_capacity;
    int32_t host_count;
    struct shard__namemap host_names;
    struct shard__volume *volumes;
    size_t volume_capacity;
    int32_t volume_count;
    struct shard__namemap volume_names;
    struct shard__paths paths; /* between the volumes */
    int32_t *open;             /* ids of hosts that are up and have a free slot; room for all hosts */
    size_t open_capacity;
    int32_t open_count;
    int32_t *dirty; /* ids of hosts that changed; room for all hosts */
    size_t dirty_capacity;
    int32_t dirty_count;
    double most_quarantined; /* share of the hosts */
    int32_t wish_count;      /* hosts with a wish that the engine has not carried out */
    int32_t left_out_count;  /* hosts of which a policy has told that, and the engine has not yet */
    int64_t release_ns;      /* not later than the end of any quarantine */
    int64_t changes;         /* counts whatever could let a waiting task start */
};

/* Begins with volume 0, "common". 0 or SHARD_ENOMEM. */
int shard__cluster_init(struct shard__cluster *cluster, shard_context *context);
void shard__cluster_free(struct shard__cluster *cluster);

/* As shard_engine_add_volume() and shard_engine_add_host(). */
int32_t shard__cluster_add_volume(struct shard__cluster *cluster, const struct shard_volume_spec *spec);
int32_t shard__cluster_add_host(struct shard__cluster *cluster, const struct shard_host_spec *spec);

/* A host that is only a name, of an earlier life of a run: it has left. Its id, or SHARD_ENOMEM. */
int32_t shard__cluster_add_ghost(struct shard__cluster *cluster, const char *name);
int32_t shard__cluster_find_host(const struct shard__cluster *cluster, const char *name);

/* Checks and takes a sample. 0 or SHARD_EINVAL; `now_ns` is wall clock. */
int shard__cluster_sample(struct shard__cluster *cluster, int32_t host, const struct shard_sample *sample,
                          int64_t now_ns);

void shard__cluster_set_state(struct shard__cluster *cluster, int32_t host, enum shard_host_state state);

/* Whether a host may be quarantined for so long: 0 or a negative code. */
int shard__cluster_check_quarantine(const struct shard__cluster *cluster, int32_t host, double seconds);

/* When a quarantine of so many seconds ends, at most 30 years from now; 0: at once. */
int64_t shard__quarantine_end_ns(int64_t now_ns, double seconds);

/* Whether a host has a free slot and the rest of a need now; whether it is large enough at all, were it empty. */
int shard__host_admits(const struct shard__host *host, const struct shard__need *need);
int shard__host_could_hold(const struct shard__host *host, const struct shard__need *need);

/* The most memory and disk that any host has which is not gone, as far as it is known. */
struct shard__need shard__cluster_largest(const struct shard__cluster *cluster);

/* Takes a slot and a need from a host, and gives them back. */
void shard__cluster_take(struct shard__cluster *cluster, int32_t host, const struct shard__need *need);
void shard__cluster_give(struct shard__cluster *cluster, int32_t host, const struct shard__need *need);

/* Whether a host mounts a volume; the volume that its outputs go to. */
int shard__host_mounts(const struct shard__host *host, int32_t volume);
static inline int32_t shard__host_output_volume(const struct shard__host *host)
{
    return host->volume_count == 0 ? 0 : host->volumes[0];
}

/* Whether what is put on a volume stays: it outlives the hosts, or one that is not gone mounts it. */
int shard__volume_is_there(const struct shard__cluster *cluster, int32_t volume);

#endif
