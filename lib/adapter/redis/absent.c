/* SPDX-License-Identifier: Apache-2.0 */
/* What a build without hiredis has in place of the Redis store. */

#include <shard/store.h>

#include "base/error.h"

int shard_redis_store_open(shard_context *context, const struct shard_redis_store_config *config,
                           struct shard_store_handle *ret_store)
{
    (void)context;
    (void)config;
    (void)ret_store;
    shard__clear_error();
    return shard__fail(SHARD_ENOTSUP, "this build has no Redis store");
}
