/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `shardrun version`: which shardrun, which library.
 */
#include <jansson.h>
#include <stdio.h>
#include <uv.h>

#include <shard/version.h>

#include "cli.h"

static const struct argp_option options[] = {{"json", 'j', NULL, 0, "print one JSON object", 0}, {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    if (key != 'j')
        return ARGP_ERR_UNKNOWN;
    *(bool *)state->input = true;
    return 0;
}

int cmd_version(int argc, char **argv)
{
    static const struct argp argp = {.options = options, .parser = parse, .doc = "Shows versions."};
    bool json = false;
    cli_parse(&argp, argc, argv, &json);
    if (json)
        printf("{\"shardrun\":\"%s\",\"libshard\":\"%s\",\"libuv\":\"%s\",\"jansson\":\"%s\"}\n", SHARD_VERSION_STRING,
               shard_version(), uv_version_string(), JANSSON_VERSION);
    else
        printf("shardrun %s (libshard %s, libuv %s, jansson %s)\n", SHARD_VERSION_STRING, shard_version(),
               uv_version_string(), JANSSON_VERSION);
    return CLI_DONE;
}
