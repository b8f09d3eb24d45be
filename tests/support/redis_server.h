/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_REDIS_SERVER_H
#define TEST_REDIS_SERVER_H

/*
 * A redis-server of a test's own, on a unix socket in a private directory. SHARD_TEST_REDIS_SERVER names another
 * program for it: an older or newer Redis, or Valkey.
 */

#include <sys/types.h>

struct redis_server {
    char directory[128];
    char socket[160];
    char url[180];
    const char *setting, *value; /* one more setting of its configuration; NULL: none */
    pid_t pid;
};

/** Starts it (again, with what its AOF holds) and waits until it listens. 0, or -1. */
int redis_server_start(struct redis_server *server);

/** Kills it with SIGKILL; its files stay. */
void redis_server_kill(struct redis_server *server);

/** Kills it and removes its files. */
void redis_server_remove(struct redis_server *server);

/** Sends one command of words, ended by NULL. The first line of the reply, in memory that the next call overwrites. */
const char *redis_server_ask(const struct redis_server *server, const char *const *words);

#endif
