/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are in a catalog: catalog.h describes it, this computes it. */

#include <stdio.h>
#include <string.h>

#include "base/blake2b.h"
#include "base/error.h"
#include "base/name.h"

#include "git.h"

enum { READABLE_BYTES = 64, HASH_DIGITS = 16 };

/* The readable part, which never begins with a dot: ".git" is no name of a file. */
static void put_readable(const char *name, char ret_text[READABLE_BYTES + 1])
{
    size_t size = 0;
    for (; size < READABLE_BYTES && name[size] != '\0'; size++) {
        char c = name[size];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        int is_kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (c == '.' && size > 0);
        ret_text[size] = (char)(is_kept ? c : '_');
    }
    ret_text[size] = '\0';
}

void shard__git_task_path(const char *name, const char *suffix, char ret_path[SHARD_CATALOG_PATH])
{
    char hash[SHARD__DIGEST_TEXT];
    char readable[READABLE_BYTES + 1];
    shard__blake2b_text(name, strlen(name), hash);
    put_readable(name, readable);
    snprintf(ret_path, SHARD_CATALOG_PATH, "tasks/%c/%c/%c/%s-%.*s.%s", hash[0], hash[1], hash[2], readable,
             HASH_DIGITS, hash, suffix);
}

void shard__git_host_path(const char *name, char ret_path[SHARD_CATALOG_PATH])
{
    char hash[SHARD__DIGEST_TEXT];
    char readable[READABLE_BYTES + 1];
    shard__blake2b_text(name, strlen(name), hash);
    put_readable(name, readable);
    snprintf(ret_path, SHARD_CATALOG_PATH, "hosts/%s-%.*s.log", readable, HASH_DIGITS, hash);
}

void shard__git_data_path(const char *name, char ret_path[SHARD_CATALOG_PATH])
{
    char hash[SHARD__DIGEST_TEXT];
    shard__blake2b_text(name, strlen(name), hash);
    snprintf(ret_path, SHARD_CATALOG_PATH, "data/%.2s.json", hash);
}

int shard_catalog_task_path(const char *task_name, char ret_path[SHARD_CATALOG_PATH])
{
    shard__clear_error();
    if (task_name == NULL)
        return shard__fail(SHARD_EINVAL, "task name is missing");
    int status = shard__check_name(task_name, "task");
    if (status < 0)
        return status;
    shard__git_task_path(task_name, "json", ret_path);
    return 0;
}
