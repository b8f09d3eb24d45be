/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_KEEP_H
#define SHARDRUN_KEEP_H

/* How much of its records and time series a store keeps, as options of every command that drops some of them. */

#include <argp.h>
#include <jansson.h>
#include <stdint.h>

/* 0: what the library does without. */
struct keep {
    int64_t samples; /* of each host */
    int64_t sample_days;
    int64_t outcomes;
    int64_t outcome_days;
    int64_t records; /* of each run */
};

/* For the children of a command's argp; its input is a struct keep. */
extern const struct argp keep_argp;

/* As part of a run's options, and from there again. */
json_t *keep_to_json(const struct keep *keep);
void keep_from_json(const json_t *object, struct keep *ret_keep);

#endif
