/* SPDX-License-Identifier: Apache-2.0 */
/* Images of runs, as `load` answers them. Where the content comes from is each store's business. */

#include "image.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* More hosts or revisions than any run has met; what a damaged store says beyond it would only eat memory. */
enum { MAX_NUMBER = 1 << 24 };

static char *copy_bytes(const shard_context *context, const char *bytes, size_t size)
{
    char *copy = shard__realloc(context, NULL, 0, size + 1);
    if (copy != NULL) {
        memcpy(copy, bytes, size);
        copy[size] = '\0';
    }
    return copy;
}

void shard__image_free(struct shard__image *image)
{
    if (image == NULL)
        return;
    const shard_context *context = image->context;
    struct shard_run_image *shown = &image->image;
    for (int32_t i = 0; i < shown->host_count; i++)
        shard__strfree(context, shown->hosts[i]);
    for (int32_t i = 0; i < shown->revision_count; i++)
        shard__strfree(context, shown->revisions[i]);
    for (int64_t i = 0; i < shown->record_count; i++) {
        struct shard_record *record = &shown->records[i];
        union {
            const char *shown;
            char *owned;
        } detail = {record->detail};
        if (detail.owned != NULL)
            shard__release(context, detail.owned, (size_t)record->detail_bytes + 1);
    }
    shard__release(context, shown->rows, image->row_capacity * sizeof(*shown->rows));
    shard__release(context, shown->hosts, image->host_capacity * sizeof(*shown->hosts));
    shard__release(context, shown->revisions, image->revision_capacity * sizeof(*shown->revisions));
    shard__release(context, shown->records, image->record_capacity * sizeof(*shown->records));
    shard__strfree(context, shown->name);
    shard_workflow_unref(shown->workflow);
    shard__release(context, image, sizeof(*image));
}

static void release(struct shard_run_image *image)
{
    shard__image_free(image->self);
}

struct shard__image *shard__image_new(shard_context *context, const char *name)
{
    struct shard__image *image = shard__zalloc(context, sizeof(*image));
    if (image == NULL)
        return NULL;
    image->context = context;
    image->image.struct_size = sizeof(image->image);
    image->image.release = release;
    image->image.self = image;
    image->image.name = shard__strdup(context, name);
    if (image->image.name == NULL) {
        shard__image_free(image);
        return NULL;
    }
    return image;
}

int shard__image_reserve(struct shard__image *image, size_t rows, size_t records)
{
    struct shard_run_image *shown = &image->image;
    int status = 0;
    if (image->row_capacity == 0 && rows > 0) {
        shown->rows = shard__realloc(image->context, NULL, 0, rows * sizeof(*shown->rows));
        image->row_capacity = shown->rows == NULL ? 0 : rows;
        status = shown->rows == NULL ? SHARD_ENOMEM : 0;
    }
    if (status == 0 && image->record_capacity == 0 && records > 0) {
        shown->records = shard__realloc(image->context, NULL, 0, records * sizeof(*shown->records));
        image->record_capacity = shown->records == NULL ? 0 : records;
        status = shown->records == NULL ? SHARD_ENOMEM : 0;
    }
    return status;
}

struct shard_task_row *shard__image_add_row(struct shard__image *image)
{
    struct shard_run_image *shown = &image->image;
    size_t count = (size_t)shown->row_count;
    if (shard__grow(image->context, &shown->rows, &image->row_capacity, count + 1, sizeof(*shown->rows)) < 0)
        return NULL;
    shown->row_count++;
    memset(&shown->rows[count], 0, sizeof(*shown->rows));
    return &shown->rows[count];
}

/* Puts a text at its number into a list of the image. */
static int set_text(struct shard__image *image, char ***list, int32_t *count, size_t *capacity, int32_t number,
                    const char *text, size_t bytes)
{
    if (number < 0 || number >= MAX_NUMBER)
        return shard__fail(SHARD_ECORRUPT, "run '%s': host or revision %d is out of range", image->image.name, number);
    if (shard__grow(image->context, list, capacity, (size_t)number + 1, sizeof(**list)) < 0)
        return SHARD_ENOMEM;
    for (; *count <= number; ++*count)
        (*list)[*count] = NULL;
    char *copy = copy_bytes(image->context, text, bytes);
    if (copy == NULL)
        return SHARD_ENOMEM;
    shard__strfree(image->context, (*list)[number]);
    (*list)[number] = copy;
    return 0;
}

int shard__image_set_host(struct shard__image *image, int32_t number, const char *text, size_t bytes)
{
    struct shard_run_image *shown = &image->image;
    return set_text(image, &shown->hosts, &shown->host_count, &image->host_capacity, number, text, bytes);
}

int shard__image_set_revision(struct shard__image *image, int32_t number, const char *text, size_t bytes)
{
    struct shard_run_image *shown = &image->image;
    return set_text(image, &shown->revisions, &shown->revision_count, &image->revision_capacity, number, text, bytes);
}

int shard__image_add_record(struct shard__image *image, const struct shard_record *record)
{
    struct shard_run_image *shown = &image->image;
    size_t count = (size_t)shown->record_count;
    if (shard__grow(image->context, &shown->records, &image->record_capacity, count + 1, sizeof(*record)) < 0)
        return SHARD_ENOMEM;
    struct shard_record copy = *record;
    if (record->detail != NULL) {
        copy.detail = copy_bytes(image->context, record->detail, (size_t)record->detail_bytes);
        if (copy.detail == NULL)
            return SHARD_ENOMEM;
    }
    shown->records[count] = copy;
    shown->record_count++;
    return 0;
}
