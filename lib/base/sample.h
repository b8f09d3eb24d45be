/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_SAMPLE_H
#define SHARD_BASE_SAMPLE_H

/* The numbers of a sample in the order of enum shard_measure: here and nowhere else. */

#include <string.h>

#include <shard/host.h>
#include <shard/series.h>

enum { SHARD__SAMPLE_VALUES = SHARD_MEASURE_TEMPERATURE_CELSIUS + 1 };

static inline void shard__sample_values(const struct shard_sample *sample, double ret_values[SHARD__SAMPLE_VALUES])
{
    const double values[SHARD__SAMPLE_VALUES] = {sample->cpu_share,
                                                 sample->memory_share,
                                                 sample->disk_share,
                                                 sample->io_bytes_per_second,
                                                 sample->network_bytes_per_second,
                                                 sample->cpu_pressure,
                                                 sample->memory_pressure,
                                                 sample->io_pressure,
                                                 sample->load,
                                                 sample->temperature_celsius};
    memcpy(ret_values, values, sizeof(values));
}

static inline void shard__sample_of(int64_t time_ns, const double values[SHARD__SAMPLE_VALUES],
                                    struct shard_sample *ret_sample)
{
    *ret_sample = (struct shard_sample){.struct_size = sizeof(*ret_sample),
                                        .time_ns = time_ns,
                                        .cpu_share = values[0],
                                        .memory_share = values[1],
                                        .disk_share = values[2],
                                        .io_bytes_per_second = values[3],
                                        .network_bytes_per_second = values[4],
                                        .cpu_pressure = values[5],
                                        .memory_pressure = values[6],
                                        .io_pressure = values[7],
                                        .load = values[8],
                                        .temperature_celsius = values[9]};
}

#endif
