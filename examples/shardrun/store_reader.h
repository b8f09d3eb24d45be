/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_STORE_READER_H
#define SHARDRUN_STORE_READER_H

/* A store as commands open it that work without an engine. */

#include "need.h"
#include "place.h"

struct store_reader {
    struct place place;
    shard_context *context;
    struct shard_store_handle store;
};

/* Opens the store that --store names (NULL: the default one); `keep`, NULL to read only, bounds its series. Tells an
 * error itself; 0 or an exit code. It is ended by store_reader_close in any case. */
int store_reader_open(struct store_reader *reader, const char *text, const struct keep *keep);
void store_reader_close(struct store_reader *reader);

/* Names of the runs, newest first; for the caller to clear. Tells an error itself; 0 or an exit code. */
int store_reader_runs(const struct store_reader *reader, struct strings *ret_names);

#endif
