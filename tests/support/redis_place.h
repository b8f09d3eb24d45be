/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_REDIS_PLACE_H
#define TEST_REDIS_PLACE_H

/*
 * A Redis server, a proxy before it that does as it is told, and one store behind that, all moved by the test's own
 * thread on virtual time: what a store makes of a single odd reply. The run is "a", of two tasks, unless a test says
 * otherwise.
 */

#include <shard/shard.h>

#include "redis_proxy.h"
#include "redis_server.h"

struct redis_place {
    struct redis_server server;
    struct redis_proxy proxy;
    shard_context *context;
    shard_sink *sink;
    shard_workflow *workflow;
    struct shard_store_handle store;
    struct shard_answer answer; /* the last; its image is gone */
    struct shard_record first;  /* record of the image */
    int64_t now_ns, epoch, last_seq;
    int rows;
    char log[4096]; /* all lines */
};

void redis_place_open(struct redis_place *place);
void redis_place_close(struct redis_place *place);
/** Opens a store; `config` may be NULL. */
void redis_place_store(struct redis_place *place, const struct shard_redis_store_config *config);
void redis_place_close_store(struct redis_place *place);
/* Calls that wait; the status of the answer. */
int redis_place_create(struct redis_place *place);
int redis_place_acquire(struct redis_place *place);
int redis_place_load(struct redis_place *place, enum shard_load_flags flags);
/** Task 0 goes on by a record: 0 none to ready, 1 to running, 2 to done. `operation` 0: a new one. */
int redis_place_commit(struct redis_place *place, int phase, uint64_t operation);
int redis_place_wait(struct redis_place *place, int returned);
/** Words, up to six, to the server itself. */
const char *redis_place_ask(struct redis_place *place, const char *a, const char *b, const char *c, const char *d,
                            const char *e, const char *f);

#endif
