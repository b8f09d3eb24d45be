/* SPDX-License-Identifier: Apache-2.0 */
/* What a build without libgit2 has in place of the catalog. */

#include <shard/catalog.h>

#include "base/error.h"

int shard_catalog_open(shard_context *context, const struct shard_catalog_config *config, shard_catalog **ret_catalog)
{
    (void)context;
    (void)config;
    (void)ret_catalog;
    shard__clear_error();
    return shard__fail(SHARD_ENOTSUP, "this build has no catalog");
}

/* There is no catalog to call these with. */
void shard_catalog_close(shard_catalog *catalog)
{
    (void)catalog;
}

int shard_catalog_publish(shard_catalog *catalog, const shard_workflow *workflow, const char *message,
                          char ret_commit[SHARD_COMMIT_TEXT])
{
    (void)workflow;
    (void)message;
    (void)ret_commit;
    return shard_catalog_sync(catalog);
}

int shard_catalog_sync(shard_catalog *catalog)
{
    (void)catalog;
    shard__clear_error();
    return shard__fail(SHARD_ENOTSUP, "this build has no catalog");
}

int shard_catalog_load(shard_catalog *catalog, const struct shard_catalog_request *load,
                       struct shard_catalog_report *ret_report, shard_workflow **ret_workflow)
{
    (void)load;
    (void)ret_report;
    (void)ret_workflow;
    return shard_catalog_sync(catalog);
}

int shard_catalog_task_path(const char *task_name, char ret_path[SHARD_CATALOG_PATH])
{
    (void)task_name;
    (void)ret_path;
    return shard_catalog_sync(NULL);
}

int shard_catalog_note(shard_catalog *catalog, const struct shard_catalog_decision *note)
{
    (void)note;
    return shard_catalog_sync(catalog);
}

int shard_catalog_fd(const shard_catalog *catalog)
{
    (void)catalog;
    return -1;
}

int shard_catalog_step(shard_catalog *catalog)
{
    return shard_catalog_sync(catalog);
}

int shard_catalog_next_change(shard_catalog *catalog, struct shard_catalog_change *ret_change)
{
    (void)ret_change;
    return shard_catalog_sync(catalog);
}

int shard_catalog_amend(shard_catalog *catalog, const char *task, const char *field, const char *value,
                        const char *message, char ret_commit[SHARD_COMMIT_TEXT])
{
    (void)task;
    (void)field;
    (void)value;
    (void)message;
    (void)ret_commit;
    return shard_catalog_sync(catalog);
}

int shard_catalog_history(shard_catalog *catalog, const char *task, shard_catalog_each *each, void *each_self)
{
    (void)task;
    (void)each;
    (void)each_self;
    return shard_catalog_sync(catalog);
}

int shard_catalog_check(shard_catalog *catalog)
{
    return shard_catalog_sync(catalog);
}

int shard_catalog_put_model(shard_catalog *catalog, const char *name, const void *bytes, size_t size,
                            const char *message, char ret_commit[SHARD_COMMIT_TEXT])
{
    (void)name;
    (void)bytes;
    (void)size;
    (void)message;
    (void)ret_commit;
    return shard_catalog_sync(catalog);
}

int shard_catalog_get_model(shard_catalog *catalog, const char *name, const char *revision, void **ret_bytes,
                            size_t *ret_size)
{
    (void)name;
    (void)revision;
    (void)ret_bytes;
    (void)ret_size;
    return shard_catalog_sync(catalog);
}
