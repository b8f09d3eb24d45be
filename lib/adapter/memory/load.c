/* SPDX-License-Identifier: Apache-2.0 */
/* Loads: the image of a run is a copy, which outlives the store's next commit. */

#include "memory.h"

#include <string.h>

#include "adapter/common/check.h"
#include "adapter/common/image.h"
#include "base/error.h"

static int copy_rows(const struct shard__memory_run *run, struct shard__image *image)
{
    size_t count = 0;
    for (size_t task = 0; task < run->rows.capacity; task++)
        count += run->rows.packed[task].word != 0;
    int status = shard__image_reserve(image, count, 0);
    for (size_t task = 0; status == 0 && task < run->rows.capacity; task++) {
        if (run->rows.packed[task].word == 0)
            continue;
        struct shard_task_row *row = shard__image_add_row(image);
        if (row == NULL)
            return SHARD_ENOMEM;
        shard__rows_get(&run->rows, (int32_t)task, row);
    }
    return status;
}

static int copy_texts(const struct shard__memory_texts *texts, shard__image_set *set, struct shard__image *image)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < texts->count; i++)
        if (texts->items[i] != NULL)
            status = set(image, (int32_t)i, texts->items[i], strlen(texts->items[i]));
    return status;
}

static int copy_records(const struct shard__memory_store *store, const struct shard__memory_run *run,
                        struct shard__image *image)
{
    int64_t count = run->last_seq < store->keep ? run->last_seq : store->keep;
    int status = shard__image_reserve(image, 0, (size_t)count);
    for (int64_t seq = run->last_seq - count + 1; status == 0 && seq <= run->last_seq; seq++)
        status = shard__image_add_record(image, &run->records[(seq - 1) % store->keep]);
    return status;
}

static int load_run(struct shard__memory_store *store, struct shard__image *image, enum shard_load_flags flags)
{
    struct shard__memory_run *run = shard__memory_find(store, image->image.name);
    if (run == NULL)
        return SHARD_ENOENT;
    image->image.workflow = shard_workflow_ref(run->workflow);
    image->image.state = run->state;
    image->image.epoch = run->epoch;
    image->image.last_seq = run->last_seq;
    image->image.created_ns = run->created_ns;
    int status = copy_rows(run, image);
    if (status == 0)
        status = copy_texts(&run->hosts, shard__image_set_host, image);
    if (status == 0)
        status = copy_texts(&run->revisions, shard__image_set_revision, image);
    if (status == 0 && (flags & SHARD_LOAD_RECORDS) != 0)
        status = copy_records(store, run, image);
    return status;
}

int shard__memory_load(void *self, shard_sink *sink, shard_token token, const char *name, enum shard_load_flags flags)
{
    struct shard__memory_store *store = self;
    int status = shard__check_lease(name, "owner", 1);
    if (status < 0)
        return status;
    struct shard__image *image = shard__image_new(store->context, name);
    if (image == NULL)
        return SHARD_ENOMEM;
    pthread_mutex_lock(&store->mutex);
    status = load_run(store, image, flags);
    pthread_mutex_unlock(&store->mutex);
    if (status == 0)
        status = shard_sink_store_answered(sink, token, 0, image->image.epoch, &image->image, NULL);
    if (status < 0)
        shard__image_free(image);
    return status;
}
