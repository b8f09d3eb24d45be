/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_VERSION_H
#define SHARD_VERSION_H

/* Visibility and the version. Every other public header includes this one. */

/* Only the library's own build needs the attribute; everyone else, tools that parse C included, sees plain C. */
#if defined(__GNUC__) && defined(SHARD_BUILDING)
#define SHARD_API __attribute__((visibility("default")))
#else
#define SHARD_API
#endif

#ifdef __cplusplus
#define SHARD_BEGIN extern "C" {
#define SHARD_END }
#else
#define SHARD_BEGIN
#define SHARD_END
#endif

#define SHARD_VERSION_MAJOR 0
#define SHARD_VERSION_MINOR 1
#define SHARD_VERSION_PATCH 0
#define SHARD_VERSION_STRING "0.1.0"

SHARD_BEGIN

/**
 * Says which libshard is linked, which may differ from the headers compiled against.
 *
 * Returns a static string such as "0.1.0"; it is never NULL and is not freed.
 */
SHARD_API const char *shard_version(void);

SHARD_END

#endif
