/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_CATALOG_ACCESS_H
#define SHARDRUN_CATALOG_ACCESS_H

/*
 * The options that open the remote of a catalog, the same of each command that has --catalog.
 */

#include <argp.h>

/* Files of this machine, as they were given; NULL: none. They are not kept with a run. */
struct catalog_access {
    const char *key;
    const char *token;
    const char *authorities;
};

/* A child of a command's argp; its input is a struct catalog_access. */
extern const struct argp catalog_access_argp;

#endif
