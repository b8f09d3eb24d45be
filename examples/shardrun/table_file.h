/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_TABLE_FILE_H
#define SHARDRUN_TABLE_FILE_H

/* Tables of attempts in CSV files, for the commands that learn: options they share, reading, and a trainer of trees. */

#include <argp.h>
#include <stdio.h>

#include <shard/train.h>

#include "need.h"

/* Options that every command with a table has; a child of its argp, whose input is a struct table_options. */
struct table_options {
    const char *time_column;
    const char *seconds_column;
    const char *end_column;
    const char *label_column;
    struct strings ignored;
};

extern const struct argp table_argp;

/* Opens a file; "-" is standard input. NULL after a message. */
FILE *table_open(const char *path);
void table_close(FILE *file);

/* Makes an empty table. Returns CLI_DONE, or an exit code after a message. */
int table_make(shard_context *context, const struct table_options *options, bool label_optional,
               shard_table **ret_table);

/* Reads a whole file into a new table. Returns CLI_DONE, or an exit code after a message. */
int table_read(shard_context *context, const char *path, const struct table_options *options, shard_table **ret_table);

/* The attempts that a store keeps. Returns CLI_DONE, or an exit code after a message. */
int table_read_store(shard_context *context, const char *path, shard_table **ret_table);

/* A trainer of trees, or none in a build without one. Ends with trees.port->destroy, if there is a port. */
struct shard_trees_handle table_trees(shard_context *context);
void table_trees_end(struct shard_trees_handle trees);

#endif
