/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store against the conformance suite: in the calling thread, and with threads to work in. */

#include <stdio.h>

#include "store_suite.h"
#include "tempdir.h"

struct place {
    char directory[128];
    char path[160];
};

static void prepare(struct store_subject *subject)
{
    struct place *place = subject->self;
    tempdir_make(place->directory);
    snprintf(place->path, sizeof(place->path), "%s/store.db", place->directory);
}

static void clean(struct store_subject *subject)
{
    const struct place *place = subject->self;
    tempdir_remove(place->directory);
}

static int open_sqlite(struct store_subject *subject, shard_context *context, struct shard_store_handle *ret_store)
{
    const struct place *place = subject->self;
    struct shard_sqlite_store_config config = {.struct_size = sizeof(config),
                                               .path = place->path,
                                               .keep_samples = subject->keep_samples,
                                               .keep_outcomes = subject->keep_samples,
                                               .keep_seconds = subject->keep_seconds,
                                               .keep_outcome_seconds = subject->keep_seconds,
                                               .keep_records = subject->keep_records};
    return shard_sqlite_store_open(context, &config, ret_store);
}

int main(void)
{
    static struct place places[2];
    struct store_subject subjects[] = {
        {.name = "sqlite store", .self = &places[0]},
        {.name = "sqlite store with workers", .self = &places[1], .has_workers = 1},
    };
    for (int i = 0; i < 2; i++) {
        subjects[i].open = open_sqlite;
        subjects[i].prepare = prepare;
        subjects[i].clean = clean;
        subjects[i].shares = 1;
        subjects[i].keeps = 1;
        subjects[i].keeps_all = 1;
    }
    return store_suite_run(subjects, 2);
}
