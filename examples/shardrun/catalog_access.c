/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options that open the remote of a catalog.
 */
#include "catalog_access.h"

enum { OPTION_KEY = 0x400, OPTION_TOKEN, OPTION_AUTHORITIES };

static const struct argp_option options[] = {
    {"catalog-key", OPTION_KEY, "FILE", 0, "private key for ssh (default: the agent's keys)", 0},
    {"catalog-token", OPTION_TOKEN, "FILE", 0, "its first line is the password for https", 0},
    {"catalog-ca", OPTION_AUTHORITIES, "FILE", 0, "certificates to trust for https (default: the system's)", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct catalog_access *access = state->input;
    switch (key) {
    case OPTION_KEY:
        access->key = argument;
        return 0;
    case OPTION_TOKEN:
        access->token = argument;
        return 0;
    case OPTION_AUTHORITIES:
        access->authorities = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp catalog_access_argp = {.options = options, .parser = parse};
