/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_WORKFLOW_NAMES_H
#define SHARD_WORKFLOW_NAMES_H

/*
 * Growing lists of names, and their look-up. A task without a name of its own is "t<id>": its text is kept like any
 * other, but not in the hash table, because the id can be read off the name.
 */

#include <stddef.h>
#include <stdint.h>

#include "workflow.h"

/* A list while it grows; `names` is always good to read. */
struct shard__name_list {
    struct shard__names names;
    int32_t count;
    size_t offset_capacity;
    size_t text_capacity;
};

/* Room for one name more. 0, SHARD_ENOMEM or SHARD_ELIMIT. */
int shard__name_list_reserve(const shard_context *context, struct shard__name_list *list, size_t bytes);
/* Adds a name that the list does not have and that room was made for; no bytes: "t<id>". Its id. */
int32_t shard__name_list_add(const shard_context *context, struct shard__name_list *list, const char *name,
                             size_t bytes);
/* Gives memory back that growing took too much of. 0 or SHARD_ENOMEM (still good). */
int shard__name_list_fit(const shard_context *context, struct shard__name_list *list);
void shard__name_list_free(const shard_context *context, struct shard__name_list *list);

/* The id of a name, or -1. `automatic`: "t<id>" names count too. */
int32_t shard__names_find(const struct shard__names *names, int32_t count, int automatic, const char *name,
                          size_t bytes);
void shard__names_free(const shard_context *context, struct shard__names *names, int32_t count);
size_t shard__names_memory(const struct shard__names *names, int32_t count);

enum { SHARD__AUTOMATIC_BYTES = 12 };

/* Writes "t<id>" with its NUL; returns its length. */
size_t shard__automatic_name(int32_t id, char text[SHARD__AUTOMATIC_BYTES]);

static inline const char *shard__names_at(const struct shard__names *names, int32_t id)
{
    return names->text + names->offsets[id];
}

#endif
