/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that come with the library, by name. */

#include <stdio.h>
#include <string.h>

#include <shard/policy.h>

#include "base/error.h"

static int exclude_with_defaults(shard_context *context, struct shard_policy_handle *ret_policy)
{
    return shard_policy_exclude_after_failures(context, NULL, ret_policy);
}

static int adaptive_with_defaults(shard_context *context, struct shard_policy_handle *ret_policy)
{
    return shard_policy_adaptive(context, NULL, ret_policy);
}

int shard_policy_by_name(shard_context *context, const char *name, struct shard_policy_handle *ret_policy)
{
    static const struct {
        const char *name;
        int (*make)(shard_context *context, struct shard_policy_handle *ret_policy);
    } policies[] = {
        {"adaptive", adaptive_with_defaults},
        {"best_without_prediction", shard_policy_best_without_prediction},
        {"late", shard_policy_late},
        {"random_retry", shard_policy_random_retry},
        {"round_robin", shard_policy_round_robin},
        {"least_loaded", shard_policy_least_loaded},
        {"heft", shard_policy_heft},
        {"exclude_after_failures", exclude_with_defaults},
    };
    shard__clear_error();
    if (name == NULL)
        return shard__fail(SHARD_EINVAL, "policy name is missing");
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (strcmp(name, policies[i].name) == 0)
            return policies[i].make(context, ret_policy);
    char names[256] = "";
    for (size_t i = 0, at = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", i == 0 ? "" : ", ", policies[i].name);
    return shard__fail(SHARD_ENOENT, "there is no policy '%s', expected one of %s", name, names);
}
