/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_CATALOG_H
#define SHARDRUN_CATALOG_H

/*
 * The catalog of a run: where its workflow comes from or goes to, and where its decisions are kept. Without --catalog
 * nothing of it exists, and every function here does nothing.
 */

#include <stdbool.h>

#include <uv.h>

#include <shard/catalog.h>
#include <shard/engine.h>

#include "run_options.h"
#include "show.h"

struct catalog {
    shard_catalog *handle; /* NULL: none */
    shard_context *context;
    shard_engine *engine; /* with the run whose tasks the catalog amends; of watch */
    struct show *show;
    uv_poll_t poll;
    bool is_watched;
};

/* What FILE is when the workflow is to be loaded from the catalog: "catalog:" or "catalog:REVISION". */
bool catalog_is_source(const char *file);

/* Opens the catalog that the options name, kept below `state`; try says nothing. Returns 0 or an exit code, told, or a
   negative code. */
int catalog_open(struct catalog *catalog, shard_context *context, const struct run_options *options, const char *state);
int catalog_try(struct catalog *catalog, shard_context *context, const struct run_options *options, const char *state);

/* What to do about a failure of the catalog, told by words of its message. */
const char *catalog_fix(const char *message);

/* Warns of what the last call failed with, and says what to do. */
void catalog_warn(const char *what);

/* Loads the workflow of FILE's revision. Returns 0 or an exit code, told; sets options->catalog_commit. */
int catalog_load(struct catalog *catalog, shard_context *context, struct run_options *options,
                 shard_workflow **ret_workflow);

/* Publishes the workflow that is about to run. Returns 0 or an exit code, told; sets options->catalog_commit. */
int catalog_publish(struct catalog *catalog, const shard_workflow *workflow, struct run_options *options);

/* Works in the background of a loop, until unwatch, for a run that has started. What was amended while nobody looked
   (`is_resumed`) is told to the engine at once, what is amended later as it comes. Returns 0 or an exit code, told. */
int catalog_watch(struct catalog *catalog, uv_loop_t *loop, shard_engine *engine, struct show *show, bool is_resumed);
void catalog_unwatch(struct catalog *catalog);

/* Keeps what an event of the engine says was decided. */
void catalog_note(struct catalog *catalog, const shard_engine *engine, const struct shard_event *event,
                  const char *run);

/* Keeps the model of a file as the catalog's, and takes it from there into one. Return 0, 1 when there is no catalog or
   it has none, or an exit code, told. */
int catalog_put_model(struct catalog *catalog, const char *path);
int catalog_get_model(struct catalog *catalog, const char *path);

/* Pushes what waits and ends it. */
void catalog_close(struct catalog *catalog);

#endif
