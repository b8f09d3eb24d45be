/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options for the bounds of time series. What is given to `run` goes for its `resume`; `compact` has to be told again.
 */
#include "keep.h"

#include "cli.h"

enum { OPTION_SAMPLES = 512, OPTION_SAMPLE_DAYS, OPTION_OUTCOMES, OPTION_OUTCOME_DAYS, OPTION_RECORDS };

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "How much history the store keeps:", 5},
    {"keep-samples", OPTION_SAMPLES, "N", 0, "of each host (default 100000)", 0},
    {"keep-sample-days", OPTION_SAMPLE_DAYS, "DAYS", 0, "samples that are not older (default 30)", 0},
    {"keep-outcomes", OPTION_OUTCOMES, "N", 0, "how attempts ended, to learn from (default 500000)", 0},
    {"keep-outcome-days", OPTION_OUTCOME_DAYS, "DAYS", 0, "outcomes that are not older (default 730)", 0},
    {"keep-records", OPTION_RECORDS, "N", 0, "of each run, to tell its story from (default 10000000)", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct keep *keep = state->input;
    switch (key) {
    case OPTION_SAMPLES:
        keep->samples = cli_integer(state, "keep-samples", argument, 1, 1000000000);
        return 0;
    case OPTION_SAMPLE_DAYS:
        keep->sample_days = cli_integer(state, "keep-sample-days", argument, 1, 36500);
        return 0;
    case OPTION_OUTCOMES:
        keep->outcomes = cli_integer(state, "keep-outcomes", argument, 1, 1000000000);
        return 0;
    case OPTION_OUTCOME_DAYS:
        keep->outcome_days = cli_integer(state, "keep-outcome-days", argument, 1, 36500);
        return 0;
    case OPTION_RECORDS:
        keep->records = cli_integer(state, "keep-records", argument, 1, 1000000000);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp keep_argp = {.options = options, .parser = parse};

json_t *keep_to_json(const struct keep *keep)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "samples", (json_int_t)keep->samples, "sample_days",
                     (json_int_t)keep->sample_days, "outcomes", (json_int_t)keep->outcomes, "outcome_days",
                     (json_int_t)keep->outcome_days, "records", (json_int_t)keep->records);
}

void keep_from_json(const json_t *object, struct keep *ret_keep)
{
    *ret_keep = (struct keep){.samples = json_integer_value(json_object_get(object, "samples")),
                              .sample_days = json_integer_value(json_object_get(object, "sample_days")),
                              .outcomes = json_integer_value(json_object_get(object, "outcomes")),
                              .outcome_days = json_integer_value(json_object_get(object, "outcome_days")),
                              .records = json_integer_value(json_object_get(object, "records"))};
}
