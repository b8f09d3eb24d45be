/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_PLACE_H
#define SHARDRUN_PLACE_H

/*
 * Where things lie. A store is one file; the runs that it knows keep their files beside it:
 *
 *   <directory of the store>/store.db
 *   <directory of the store>/state/                          of the launch layer: root filesystems
 *   <directory of the store>/learned.model                   of a server's runs: learned-<hash of its URL>.model
 *   <directory of the store>/runs/<run>/
 *       options.json                what `resume` goes on with
 *       epoch                       highest epoch that started anything
 *       attempts/<task>.<attempt>/  ids; stdout, stderr, exit.json, task (its name)
 *       work/<volume>/<data>
 *       models/<nanoseconds>        what forecast from then on
 *       report.html
 *
 * Names of runs, volumes and data may hold any text; on disk they are encoded so that they never leave their directory.
 */

#include <stdbool.h>

#include <shard/store.h>

#include "keep.h"

struct place {
    char *text;  /* the store as the user wrote it, for messages and for `--store` */
    char *store; /* absolute path of the database, or URL of a server; NULL: in memory */
    bool on_server;
    char *runs;
    char *state;
    struct keep keep; /* bounds of its time series, for whoever opens it to write */
    char *model;      /* that was learned from the store */
};

#define PLACE_DEFAULT_STORE ".shardrun/store.db"

/* Takes a store's address apart: PATH, sqlite:PATH, redis://..., redis+unix://... or memory:. NULL is
 * the default, beside which the files of a run lie that is in memory or on a server. Touches nothing. */
int place_parse(const char *text, struct place *ret_place, char **ret_problem);
void place_clear(struct place *place);

/* Opens the store of a place; `read_only` for commands that only look. Tells an error itself; returns 0 or an exit
 * code. */
int place_open_store(const struct place *place, shard_context *context, bool read_only,
                     struct shard_store_handle *ret_store);
/* The same without a word, and without making a directory: 0 or a code of the library. */
int place_try_store(const struct place *place, shard_context *context, bool read_only,
                    struct shard_store_handle *ret_store);
void store_close(struct shard_store_handle *store); /* takes one that was never opened */
/* Tells that the store has no such run: there never was one, or it is lost, as its files show. Returns an exit code. */
int place_no_run(const struct place *place, const char *run);

struct run_place {
    char *directory;
    char *options;
    char *epoch;
    char *attempts;
    char *work;
    char *models; /* that forecast in it: run_models.h */
    char *report;
};

void run_place_init(struct run_place *run_place, const struct place *place, const char *run);
void run_place_clear(struct run_place *run_place);
/* Whether anything of the run has been started. */
bool run_place_has_begun(const struct run_place *run_place);
/* Names the run among all runs of the machine: runs of one name in two stores are not the same. */
char *run_place_id(const struct run_place *run_place);
char *run_place_attempt(const struct run_place *run_place, int task, int attempt);
char *run_place_volume(const struct run_place *run_place, const char *volume);
/* Makes the directories of a run, but refuses ones that hold attempts or data already. */
int run_place_make(const struct run_place *run_place, char **ret_problem);

/*
 * A name as one component of a path: letters, digits and "_-+=,@." stay, a leading dot and every other byte below
 * 0x80 become %XX; a name over 180 bytes is cut and gets "~" and a hash (FNV-1a, 64 bits) of the whole.
 */
char *encode_name(const char *name);

#endif
