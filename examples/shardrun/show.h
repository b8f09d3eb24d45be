/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_SHOW_H
#define SHARDRUN_SHOW_H

/*
 * Shows a run while it goes on. With --json every event is one object a line on stdout. Otherwise stderr has one line
 * that is drawn over and over on a terminal, or a plain line every few seconds when it is none; failures always get a
 * line of their own there, and the summary at the end goes to stdout.
 */

#include <stdbool.h>
#include <stdint.h>

#include <shard/engine.h>

#include "place.h"
#include "run_options.h"
#include "tally.h"

struct show {
    const struct run_options *options;
    const struct place *place;
    const struct run_place *run_place;
    const shard_engine *engine;
    const shard_workflow *workflow; /* NULL until the run has started */
    shard_run_id run;
    struct tally tally;
    bool terminal; /* stderr is one */
    bool colours;
    bool line_open; /* the progress line is on the screen */
    bool draining;
    bool resumed;         /* what the tally says is of this process alone */
    int64_t began_ns;     /* monotonic */
    int64_t last_line_ns; /* of the plain lines */
    int last_done;
};

void show_init(struct show *show, const struct run_options *options, const struct place *place,
               const struct run_place *run_place, const shard_engine *engine);
void show_clear(struct show *show);

void show_event(struct show *show, const struct shard_event *event);
/* Draws the progress anew, if it is time. */
void show_tick(struct show *show);
/* One line above the progress: warnings, what signals did. Also the library's log. */
void show_line(struct show *show, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How a run ended, for show_end. */
struct run_end {
    enum shard_run_state state;
    int code; /* of the library; 0: none */
    char *message;
    double makespan_seconds; /* since the run was made, also by an earlier process */
};

/* The last words: the summary, or the object run_finished. `report` is NULL when there is none. */
void show_end(struct show *show, const struct run_end *end, const char *report);

/* 75 s as "1:15". */
char *duration_text(double seconds);

#endif
