/* SPDX-License-Identifier: Apache-2.0 */
/* What a task may say of itself: each field's range, and how fields go together. Touches no builder. */

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/error.h"

#include "builder.h"

/* 30 million years: sums over the largest workflow still fit a float. */
static const double max_seconds = 1e15;

struct whole_field {
    const char *name;
    int64_t value;
};

static int check_wholes(const struct shard_task_spec *spec)
{
    const struct whole_field fields[] = {
        {"cpu_millicores", spec->cpu_millicores},
        {"memory_bytes", spec->memory_bytes},
        {"disk_bytes", spec->disk_bytes},
        {"max_attempts", spec->max_attempts},
        {"units", spec->units},
        {"min_units", spec->min_units},
        {"parts", spec->parts},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (fields[i].value < 0)
            return shard__fail(SHARD_EINVAL, "%s is %lld, expected 0 or more", fields[i].name,
                               (long long)fields[i].value);
    return 0;
}

static int check_seconds(const char *field, double value)
{
    if (!(value >= 0) || value > max_seconds)
        return shard__fail(SHARD_EINVAL, "%s is %g, expected 0 to %g", field, value, max_seconds);
    return 0;
}

static int check_units(struct shard_task_spec *spec)
{
    if (spec->units == 0)
        spec->units = 1;
    if (spec->min_units == 0)
        spec->min_units = 1;
    if (spec->parts == 0)
        spec->parts = 1;
    if (spec->min_units > spec->units)
        return shard__fail(SHARD_EINVAL, "min_units is %lld, expected at most its units, %lld",
                           (long long)spec->min_units, (long long)spec->units);
    if (spec->parts > spec->units / spec->min_units)
        return shard__fail(SHARD_EINVAL, "parts is %d, expected at most units / min_units, %lld", spec->parts,
                           (long long)(spec->units / spec->min_units));
    return 0;
}

static int check_payload(const struct shard_task_spec *spec)
{
    if (spec->payload_bytes > SHARD_MAX_PAYLOAD_BYTES)
        return shard__fail(SHARD_ELIMIT, "payload has %zu bytes, expected at most %d", spec->payload_bytes,
                           SHARD_MAX_PAYLOAD_BYTES);
    if (spec->payload_bytes > 0 && spec->payload == NULL)
        return shard__fail(SHARD_EINVAL, "payload is missing, expected %zu bytes", spec->payload_bytes);
    return 0;
}

static int check_expected(const struct shard_task_spec *spec, float *ret_expected_seconds)
{
    float expected = NAN;
    if (!isnan(spec->expected_seconds)) {
        int status = check_seconds("expected_seconds", spec->expected_seconds);
        if (status < 0)
            return status;
        if (spec->expected_seconds > 0 || spec->zero_seconds_known)
            expected = (float)spec->expected_seconds;
    }
    *ret_expected_seconds = expected;
    return 0;
}

int shard__check_spec(struct shard_task_spec *spec, struct shard__profile *ret_profile, float *ret_expected_seconds)
{
    int status = check_wholes(spec);
    if (status == 0)
        status = check_seconds("failure_cost_seconds", spec->failure_cost_seconds);
    if (status == 0)
        status = check_seconds("timeout_seconds", spec->timeout_seconds);
    if (status == 0)
        status = check_units(spec);
    if (status == 0)
        status = check_payload(spec);
    if (status == 0)
        status = check_expected(spec, ret_expected_seconds);
    if (status < 0)
        return status;
    memset(ret_profile, 0, sizeof(*ret_profile));
    ret_profile->cpu_millicores = spec->cpu_millicores;
    ret_profile->memory_bytes = spec->memory_bytes;
    ret_profile->disk_bytes = spec->disk_bytes;
    ret_profile->min_units = spec->min_units;
    /* Adding zero makes -0 the same profile as 0. */
    ret_profile->failure_cost_seconds = spec->failure_cost_seconds + 0.0;
    ret_profile->timeout_seconds = spec->timeout_seconds + 0.0;
    ret_profile->priority = spec->priority;
    ret_profile->max_attempts = spec->max_attempts;
    ret_profile->parts = spec->parts;
    ret_profile->has_merge = spec->has_merge != 0;
    return 0;
}
