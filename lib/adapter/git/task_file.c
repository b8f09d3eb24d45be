/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a task's file. */

#include <stdlib.h>
#include <string.h>

#include "git.h"

static int compare_names(const void *a, const void *b)
{
    const struct shard__git_member *x = a, *y = b;
    size_t shorter = x->value_bytes < y->value_bytes ? x->value_bytes : y->value_bytes;
    int order = memcmp(x->value, y->value, shorter);
    return order != 0 ? order : x->value_bytes < y->value_bytes ? -1 : x->value_bytes > y->value_bytes;
}

/* Writes an array of names in their order, so that the same workflow has the same bytes whatever its ids are. */
static int put_sorted(const struct shard__git_member *list, struct shard__bytes *out)
{
    const shard_context *context = out->context;
    const char *end = list->value + list->value_bytes;
    struct shard__git_member *names = NULL;
    size_t count = 0, capacity = 0;
    int status = 0;
    for (const char *p = list->value + 1; status == 0 && p < end && *p == '"'; p += strspn(p, ", ")) {
        size_t size = shard__git_value_bytes(p, (size_t)(end - p));
        status = shard__grow(context, &names, &capacity, count + 1, sizeof(*names));
        if (status == 0)
            names[count++] = (struct shard__git_member){.value = p, .value_bytes = size};
        p += size;
    }
    if (status == 0 && count > 1)
        qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; status == 0 && i < count; i++) {
        shard__bytes_text(out, i == 0 ? "[" : ", ");
        shard__bytes_append(out, names[i].value, names[i].value_bytes);
    }
    shard__bytes_text(out, count == 0 ? "[]" : "]");
    shard__release(context, names, capacity * sizeof(*names));
    return status < 0 ? status : out->status;
}

int shard__git_put_task(struct shard__bytes *out, const char *line, size_t bytes)
{
    static const char *const lists[] = {"after", "inputs", "outputs"};
    struct shard__git_member members[SHARD__MEMBERS];
    struct shard__bytes sorted[3];
    int count = shard__git_members(line, bytes, members);
    int status = 0;
    for (size_t i = 0; i < 3; i++) {
        struct shard__git_member *list = NULL;
        shard__bytes_init(&sorted[i], out->context);
        for (int m = 0; m < count; m++) {
            if (members[m].key_bytes == strlen(lists[i]) && memcmp(members[m].key, lists[i], members[m].key_bytes) == 0)
                list = &members[m];
        }
        if (status < 0 || list == NULL)
            continue;
        status = put_sorted(list, &sorted[i]);
        list->value = sorted[i].data;
        list->value_bytes = sorted[i].size;
    }
    if (status == 0)
        shard__git_put_members(out, members, count);
    for (int i = 0; i < 3; i++)
        shard__bytes_free(&sorted[i]);
    return status;
}
