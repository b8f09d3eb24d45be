/* SPDX-License-Identifier: Apache-2.0 */
/* The members of a JSON object as pieces of its text, so that what nobody changes keeps its form. The native reader has
   taken the text before; on any other this gives up, and reads nothing beyond its end. */

#include <string.h>

#include "git.h"

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

/* Behind the string that begins at p, or NULL. */
static const char *skip_string(const char *p, const char *end)
{
    if (p == end || *p != '"')
        return NULL;
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\')
            p++;
    }
    return p < end ? p + 1 : NULL;
}

/* Behind the value that begins at p, or NULL. */
static const char *skip_value(const char *p, const char *end)
{
    int depth = 0;
    while (p != NULL && p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        if (depth == 0 && strchr(",}]", *p) != NULL)
            return p;
        if (*p == '{' || *p == '[')
            depth++;
        if (*p == '}' || *p == ']')
            depth--;
        p++;
    }
    return NULL;
}

/* Reads "key": value at p; behind it, or NULL. */
static const char *read_member(const char *p, const char *end, struct shard__git_member *ret_member)
{
    ret_member->key = p + 1;
    p = skip_string(p, end);
    if (p == NULL)
        return NULL;
    ret_member->key_bytes = (size_t)(p - 1 - ret_member->key);
    p = skip_space(p, end);
    if (p == end || *p != ':')
        return NULL;
    p = skip_space(p + 1, end);
    ret_member->value = p;
    p = skip_value(p, end);
    if (p == NULL)
        return NULL;
    ret_member->value_bytes = (size_t)(p - ret_member->value);
    while (ret_member->value_bytes > 0 && strchr(" \n\t\r", ret_member->value[ret_member->value_bytes - 1]) != NULL)
        ret_member->value_bytes--;
    return ret_member->value_bytes == 0 ? NULL : p;
}

size_t shard__git_value_bytes(const char *text, size_t bytes)
{
    const char *end = skip_value(text, text + bytes);
    return end == NULL ? 0 : (size_t)(end - text);
}

int shard__git_members(const char *text, size_t bytes, struct shard__git_member members[SHARD__MEMBERS])
{
    const char *end = text + bytes;
    const char *p = skip_space(text, end);
    int count = 0;
    if (p == end || *p != '{')
        return -1;
    p = skip_space(p + 1, end);
    if (p < end && *p == '}')
        return 0;
    while (count < SHARD__MEMBERS) {
        p = read_member(p, end, &members[count]);
        if (p == NULL)
            return -1;
        count++;
        if (*p == '}')
            return count;
        if (*p != ',')
            return -1;
        p = skip_space(p + 1, end);
    }
    return -1;
}

const struct shard__git_member *shard__git_member(const struct shard__git_member *members, int count, const char *key,
                                                  size_t key_bytes)
{
    for (int i = 0; i < count; i++) {
        if (members[i].key_bytes == key_bytes && memcmp(members[i].key, key, key_bytes) == 0)
            return &members[i];
    }
    return NULL;
}

void shard__git_put_members(struct shard__bytes *out, const struct shard__git_member *members, int count)
{
    for (int i = 0; i < count; i++) {
        shard__bytes_text(out, i == 0 ? "{\n  \"" : ",\n  \"");
        shard__bytes_append(out, members[i].key, members[i].key_bytes);
        shard__bytes_text(out, "\": ");
        shard__bytes_append(out, members[i].value, members[i].value_bytes);
    }
    shard__bytes_text(out, count == 0 ? "{}\n" : "\n}\n");
}
