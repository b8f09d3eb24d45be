/* SPDX-License-Identifier: Apache-2.0 */
/* From strings of the text to numbers. */

#include <string.h>

#include "wfformat.h"

static const char *entry_text(const void *owner, int32_t id, size_t *ret_bytes)
{
    const struct shard__wf_index *index = owner;
    const char *text = shard__json_string(index->json, index->entries[id].text);
    *ret_bytes = strlen(text);
    return text;
}

int64_t shard__wf_index_find(const struct shard__wf_index *index, const char *text)
{
    int32_t at = shard__namemap_find(&index->map, text, strlen(text), entry_text, index);
    return at < 0 ? -1 : (int64_t)index->entries[at].value;
}

int shard__wf_index_add(struct shard__wf_index *index, uint32_t text, uint32_t value)
{
    const shard_context *context = index->json->context;
    int status = shard__grow(context, &index->entries, &index->capacity, index->count + 1, sizeof(*index->entries));
    if (status < 0)
        return status;
    index->entries[index->count] = (struct shard__wf_entry){text, value};
    status = shard__namemap_add(context, &index->map, (int32_t)index->count, entry_text, index);
    if (status == 0)
        index->count++;
    return status;
}

void shard__wf_index_free(struct shard__wf_index *index)
{
    const shard_context *context = index->json->context;
    shard__release(context, index->entries, index->capacity * sizeof(*index->entries));
    shard__namemap_free(context, &index->map);
}
