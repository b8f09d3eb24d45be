/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_HOSTS_H
#define SHARDRUN_HOSTS_H

/*
 * The hosts of a run, as the user asked for them: shares of this machine, or a file (hosts.schema.json). Only plans
 * live here; cgroups are made by the launch layer, and the engine is told by orchestrator.c.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct host_plan {
    char *name;
    char *labels;               /* NULL: none */
    int64_t cpu_millicores;     /* what the scheduler may hand out */
    int64_t cpu_limit;          /* what the cgroup gives, millicores */
    int64_t memory_bytes;       /* what the scheduler may hand out; 0: not counted */
    int64_t memory_limit_bytes; /* what the cgroup gives; less than memory_bytes makes a sick host; 0: no limit */
    int64_t disk_bytes;         /* 0: not counted */
    int64_t tmp_bytes;          /* of /tmp in its containers; 0: as others */
    double slowed_after;        /* seconds from the run's begin, after which the cgroup gives slowed_limit; 0: never */
    int64_t slowed_limit;       /* millicores */
    int32_t slots;              /* 0: one for each 1,000 millicores, at least one */
    double speed;               /* 0: 1.0 */
    bool own_volume;            /* its data is on a volume of its own, others' data is staged to it */
};

struct host_list {
    struct host_plan *items;
    int count;
};

/* `text` is a number of equal hosts or the path of a file; NULL is one host. Returns 0, or -1 and one line. */
int host_list_read(const char *text, struct host_list *ret_hosts, char **ret_problem);
/* The same from JSON, and back. `source` names the JSON in messages. */
int host_list_from_json(json_t *root, const char *source, struct host_list *ret_hosts, char **ret_problem);
json_t *host_list_to_json(const struct host_list *hosts);
void host_list_clear(struct host_list *hosts);

int host_list_find(const struct host_list *hosts, const char *name); /* index, -1: none */

#endif
