/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_RUN_STATUS_H
#define SHARDRUN_RUN_STATUS_H

/* Where a run is, as its store knows it: for `status`, and for `resume` of a run that has ended. */

#include <shard/store.h>

#include "place.h"
#include "store_read.h"

struct run_status {
    const struct shard_run_image *image;
    const char *owner; /* of its lease; NULL: not known */
    const char *store;
    enum shard_run_state state;
    struct run_counts counts;
    double makespan_seconds; /* until its last transition, or until now while it is active */
};

void run_status_read(struct run_status *status, const struct shard_run_image *image, const char *owner,
                     const char *store);
/* One object on one line, with the keys of run_finished and more; `event` is its name, NULL: none. */
void run_status_print_json(const struct run_status *status, const char *event);
void run_status_print_text(const struct run_status *status, const struct run_place *run_place);

#endif
