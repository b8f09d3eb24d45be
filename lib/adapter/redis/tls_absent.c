/* SPDX-License-Identifier: Apache-2.0 */
/* Where the library is built without OpenSSL. */

#include "redis.h"

#include "base/error.h"

int shard__redis_tls_open(struct shard__redis_store *store, const struct shard_redis_store_config *config)
{
    (void)config;
    return shard__fail(SHARD_ENOTSUP,
                       "store '%s': TLS is not built in; build with OpenSSL (-Dtls=enabled), or use redis:// through a "
                       "tunnel (stunnel, ssh -L)",
                       store->name);
}
