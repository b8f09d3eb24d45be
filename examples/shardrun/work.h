/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_WORK_H
#define SHARDRUN_WORK_H

/*
 * The data of a run on disk. What a task made lies at <work>/<volume>/<data>; what a subtask made at
 * <work>/common/<data>.part<index>. An attempt writes into a directory of its own,
 * <work>/<volume>/.out/<task>.<attempt>, and what it wrote is synced and renamed into place once it has ended well: a
 * file that is in place is whole, also after a power cut. Data that no task makes is read where it lies, below the
 * inputs directory; in a replay it is made up, in the common volume.
 */

#include <stdbool.h>

#include <shard/executor.h>

#include "durable.h"
#include "hosts.h"
#include "place.h"
#include "placeholder.h"

#define COMMON_VOLUME "common"

struct work {
    const struct run_place *place;
    const struct host_list *hosts;
    const char *inputs; /* directory; NULL: inputs without a producer are in the common volume */
};

/* An output: where the attempt writes it and where it belongs. */
struct output_file {
    char *name;
    char *written;
    char *target;
    int64_t bytes; /* as the workflow says; -1: not known */
};

struct attempt_data {
    char *directory; /* of what it writes */
    char *suffix;    /* of the names of its outputs: "" for a whole task */
    struct named_paths inputs;
    struct named_paths parts;
    struct output_file *outputs;
    size_t output_count;
};

/* The name of the volume that a host's outputs go to. */
const char *work_volume_of(const struct work *work, const char *host);
/* Where data that a task makes lies on a volume. */
char *work_made_path(const struct work *work, const char *volume, const char *data);
/* Where a piece of data is read on a host that mounts a volume; data without a producer where it lies anyway. */
char *work_data_path(const struct work *work, const shard_workflow *workflow, shard_data_id data, const char *volume);
/* Makes the directories of all volumes. Returns 0, or -1 and one line. */
int work_make(const struct work *work, char **ret_problem);
/* Checks that data without a producer is there. Returns 0, or -1 and one line that names what is not. */
int work_check_inputs(const struct work *work, const shard_workflow *workflow, char **ret_problem);

/* Says where an attempt reads and writes. End it with attempt_data_clear. */
void attempt_data_init(struct attempt_data *data, const struct work *work, const struct shard_start *start);
void attempt_data_clear(struct attempt_data *data);
/* From now on its outputs are the first part, of the first part, ... `depth` times, of what it was started for. */
void attempt_data_first_part(struct attempt_data *data, const struct work *work, int depth);
/* The name of the first input that is not there; NULL: all are. */
const char *attempt_data_missing(const struct attempt_data *data);

/* What has to be durable before the renames: the files, written or, after a restart, in place already. */
void attempt_data_list_files(const struct attempt_data *data, struct durable_paths *paths);
/* What has to be durable after them: the directories that they lie in now. */
void attempt_data_list_directories(const struct attempt_data *data, struct durable_paths *paths);

/*
 * Renames what the attempt wrote into place, all or nothing as far as others can see: `marker` is a path of the
 * attempt's own where is kept that the renaming has begun, so that it can be finished after a restart. Returns 0, or
 * -1 and one line that names the output.
 */
int attempt_data_commit(const struct attempt_data *data, const char *marker, char **ret_problem);

#endif
