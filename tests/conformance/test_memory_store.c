/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store against the conformance suite, with the whole history, with some of it, and without. */

#include "store_suite.h"

static int open_memory(struct store_subject *subject, shard_context *context, struct shard_store_handle *ret_store)
{
    struct shard_memory_store_config config = {
        .struct_size = sizeof(config),
        .keep_records = subject->keep_records > 0 ? subject->keep_records : *(const int64_t *)subject->self,
        .keep_samples = subject->keep_samples == 0 ? 100000 : subject->keep_samples,
        .keep_outcomes = subject->keep_samples,
        .keep_seconds = subject->keep_seconds,
        .keep_outcome_seconds = subject->keep_seconds};
    return shard_memory_store_open(context, &config, ret_store);
}

int main(void)
{
    static int64_t keep[] = {1000000, 0, 7};
    struct store_subject subjects[] = {
        {.name = "memory store", .open = open_memory, .self = &keep[0], .keeps_all = 1},
        {.name = "memory store without history", .open = open_memory, .self = &keep[1]},
        {.name = "memory store with the last 7 records", .open = open_memory, .self = &keep[2]},
    };
    return store_suite_run(subjects, 3);
}
