/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_SERIES_H
#define SHARD_SERIES_H

/*
 * Time series in a store: samples of hosts, tagged with the attempts that ran there, and outcomes of attempts. They are
 * written behind (shard/store.h: put_samples, put_outcomes), bounded by age and by count, and read back in buckets of
 * time by one call of the port, `series`.
 *
 * A store may keep of a tag only when it was seen first and last: an attempt runs on its host from the first sample
 * that is tagged with it until the last, and each sample between is its own.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/record.h>

SHARD_BEGIN

/** What a history is of. Values are frozen. */
enum shard_series_of {
    SHARD_SERIES_HOST = 0, /* its samples, and the attempts that ended there */
    SHARD_SERIES_KIND = 1, /* the attempts of its tasks */
    SHARD_SERIES_TASK = 2  /* its attempts, and the samples of hosts that are tagged with it */
};

/** What is measured. The first ten are of samples, by the names of struct shard_sample; the rest of attempts. */
enum shard_measure {
    SHARD_MEASURE_CPU_SHARE = 0,
    SHARD_MEASURE_MEMORY_SHARE = 1,
    SHARD_MEASURE_DISK_SHARE = 2,
    SHARD_MEASURE_IO_BYTES_PER_SECOND = 3,
    SHARD_MEASURE_NETWORK_BYTES_PER_SECOND = 4,
    SHARD_MEASURE_CPU_PRESSURE = 5,
    SHARD_MEASURE_MEMORY_PRESSURE = 6,
    SHARD_MEASURE_IO_PRESSURE = 7,
    SHARD_MEASURE_LOAD = 8,
    SHARD_MEASURE_TEMPERATURE_CELSIUS = 9,
    SHARD_MEASURE_SECONDS = 10,  /* of attempts that were done */
    SHARD_MEASURE_FAILED = 11,   /* 1: failed, 0: done; none of those that are censored */
    SHARD_MEASURE_P_FAIL = 12,   /* the forecast that it stood on */
    SHARD_MEASURE_CENSORED = 13, /* 1: cancelled or preempted, which says nothing of failure; 0: neither */
    SHARD_MEASURE_COUNT = 14
};

/** What is asked for. Zero is the default of times. */
struct shard_series_query {
    size_t struct_size;
    enum shard_series_of of;
    const char *name;   /* of the host or the kind; of a task: its run's */
    shard_task_id task; /* in that run */
    int64_t from_ns;    /* wall clock; from here ... */
    int64_t to_ns;      /* ... until before this; 0: without end */
    int64_t every_ns;   /* width of a bucket; 0: one for all */
};

/** One measure in a bucket. NaN where count is 0. */
struct shard_series_value {
    int64_t count;
    double mean;
    double min;
    double max;
};

/** A bucket that has something: [start_ns, start_ns + every_ns). Attempts count when they ended. */
struct shard_series_bucket {
    size_t struct_size;
    int64_t start_ns;
    const struct shard_series_value *values; /* by enum shard_measure */
    int32_t value_count;                     /* SHARD_MEASURE_COUNT of the library that made it */
};

/**
 * The name of a measure, as in enum shard_measure in small letters: "cpu_share".
 *
 * Returns a static string, "?" for a value that is none.
 */
SHARD_API const char *shard_measure_text(int measure);

SHARD_END

#endif
