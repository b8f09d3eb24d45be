/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_COMMON_IMAGE_H
#define SHARD_ADAPTER_COMMON_IMAGE_H

/* How stores make the image of a run that `load` answers: filled in piece by piece, freed as one. */

#include <stddef.h>
#include <stdint.h>

#include <shard/store.h>

/* An image and what it needs to know of itself; the public part is the first member. */
struct shard__image {
    struct shard_run_image image;
    shard_context *context;
    size_t row_capacity;
    size_t host_capacity;
    size_t revision_capacity;
    size_t record_capacity;
};

/* An empty image with a copy of the name; its release function works from the start. NULL: SHARD_ENOMEM. */
struct shard__image *shard__image_new(shard_context *context, const char *name);

/* Frees an image that was not answered. NULL is fine. */
void shard__image_free(struct shard__image *image);

/* Room for so many rows and records, so that adding them copies nothing. 0 or SHARD_ENOMEM. */
int shard__image_reserve(struct shard__image *image, size_t rows, size_t records);

/* A row of zeroes at the end, for the caller to fill in. NULL: SHARD_ENOMEM. */
struct shard_task_row *shard__image_add_row(struct shard__image *image);

/* Names a host, or says what a revision is. 0, SHARD_ENOMEM, or SHARD_ECORRUPT for a number that is none. */
typedef int shard__image_set(struct shard__image *image, int32_t number, const char *text, size_t bytes);
shard__image_set shard__image_set_host, shard__image_set_revision;

/* Appends a record with a copy of its detail. 0 or SHARD_ENOMEM. */
int shard__image_add_record(struct shard__image *image, const struct shard_record *record);

#endif
