/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun compact`: drops old records of a store and gives back the room.
 */
#include <jansson.h>
#include <stdio.h>

#include "cli.h"
#include "store_reader.h"

struct compact_options {
    const char *store;
    struct keep keep;
    bool json;
};

enum { OPTION_STORE = 256 };

static const struct argp_option options[] = {{"store", OPTION_STORE, "PATH|URL", 0, "default " PLACE_DEFAULT_STORE, 0},
                                             {"json", 'j', NULL, 0, "print one JSON object", 0},
                                             {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct compact_options *compact = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &compact->keep;
        return 0;
    case OPTION_STORE:
        compact->store = argument;
        return 0;
    case 'j':
        compact->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "no arguments are expected; --store names the store");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print(const struct shard_compacted *done, bool json)
{
    if (json) {
        json_t *object = json_pack("{s:i,s:I,s:I,s:I,s:I,s:I,s:b}", "runs", (int)done->runs, "records",
                                   (json_int_t)done->records, "samples", (json_int_t)done->samples, "outcomes",
                                   (json_int_t)done->outcomes, "bytes_before", (json_int_t)done->bytes_before,
                                   "bytes_after", (json_int_t)done->bytes_after, "partial", done->is_partial != 0);
        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(object);
        return;
    }
    printf("dropped %lld records of %d runs, %lld samples and %lld outcomes\n", (long long)done->records,
           (int)done->runs, (long long)done->samples, (long long)done->outcomes);
    if (done->bytes_before > 0)
        printf("%.1f MiB before, %.1f MiB now%s\n", (double)done->bytes_before / 1048576,
               (double)done->bytes_after / 1048576,
               done->is_partial ? "; a run is held, so the room is kept for it: compact again when it has ended" : "");
}

int cmd_compact(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &keep_argp}, {0}};
    static const struct argp argp = {.options = options,
                                     .children = children,
                                     .parser = parse,
                                     .doc =
                                         "Drops old records of a store, and samples and outcomes that are too old, "
                                         "and gives back the room. Runs can be resumed as before; what log, explain "
                                         "and report say of long ago is gone. Without --keep-records it leaves 10000 "
                                         "of each run."};
    struct compact_options given = {0};
    struct shard_compacted done = {.struct_size = sizeof done};
    struct store_reader reader;
    cli_parse(&argp, argc, argv, &given);
    struct shard_compact what = {.struct_size = sizeof what, .keep_records = given.keep.records};
    int code = store_reader_open(&reader, given.store, &given.keep);
    if (code == CLI_DONE && reader.store.port->compact == NULL)
        code = cli_error(CLI_USAGE, "store '%s' cannot be compacted", reader.place.text);
    else if (code == CLI_DONE && reader.store.port->compact(reader.store.self, &what, &done) < 0)
        code = cli_library_error("the store was not compacted");
    if (code == CLI_DONE)
        print(&done, given.json);
    store_reader_close(&reader);
    return code;
}
