/* SPDX-License-Identifier: Apache-2.0 */
/* Merging two versions of a small file: objects by their members, logs by their lines. Computes only. */

#include <string.h>

#include "git.h"

struct side {
    struct shard__git_member members[SHARD__MEMBERS];
    int count;
};

static int is_same(const struct shard__git_member *a, const struct shard__git_member *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->value_bytes == b->value_bytes && memcmp(a->value, b->value, a->value_bytes) == 0;
}

static const struct shard__git_member *find(const struct side *side, const struct shard__git_member *like)
{
    return shard__git_member(side->members, side->count, like->key, like->key_bytes);
}

/* The member of a key after the merge, or NULL when it is gone. */
static const struct shard__git_member *pick(const struct side *base, const struct side *ours, const struct side *theirs,
                                            const struct shard__git_member *like, struct shard__bytes *conflicts)
{
    const struct shard__git_member *before = find(base, like), *here = find(ours, like), *there = find(theirs, like);
    if (is_same(there, before) || is_same(here, there))
        return here;
    if (is_same(here, before))
        return there;
    shard__bytes_text(conflicts, conflicts->size == 0 ? "" : ", ");
    shard__bytes_append(conflicts, like->key, like->key_bytes);
    return here;
}

int shard__git_merge_members(const char *base, size_t base_bytes, const char *ours, size_t ours_bytes,
                             const char *theirs, size_t theirs_bytes, struct shard__bytes *out,
                             struct shard__bytes *conflicts)
{
    struct side before, here, there;
    struct shard__git_member merged[2 * SHARD__MEMBERS];
    int count = 0;
    before.count = base_bytes == 0 ? 0 : shard__git_members(base, base_bytes, before.members);
    here.count = shard__git_members(ours, ours_bytes, here.members);
    there.count = shard__git_members(theirs, theirs_bytes, there.members);
    if (before.count < 0 || here.count < 0 || there.count < 0)
        return 1;
    for (int i = 0; i < here.count; i++) {
        const struct shard__git_member *member = pick(&before, &here, &there, &here.members[i], conflicts);
        if (member != NULL)
            merged[count++] = *member;
    }
    for (int i = 0; i < there.count; i++) {
        if (find(&here, &there.members[i]) != NULL)
            continue;
        const struct shard__git_member *member = pick(&before, &here, &there, &there.members[i], conflicts);
        if (member != NULL)
            merged[count++] = *member;
    }
    shard__git_put_members(out, merged, count);
    return out->status < 0 ? out->status : conflicts->status;
}

static int has_line(const char *text, size_t bytes, const char *line, size_t line_bytes)
{
    for (size_t at = 0; at + line_bytes <= bytes;) {
        if (memcmp(text + at, line, line_bytes) == 0)
            return 1;
        const char *newline = memchr(text + at, '\n', bytes - at);
        if (newline == NULL)
            break;
        at = (size_t)(newline - text) + 1;
    }
    return 0;
}

void shard__git_merge_lines(const char *ours, size_t ours_bytes, const char *theirs, size_t theirs_bytes,
                            struct shard__bytes *out)
{
    shard__bytes_append(out, ours, ours_bytes);
    for (size_t at = 0; at < theirs_bytes;) {
        const char *newline = memchr(theirs + at, '\n', theirs_bytes - at);
        size_t size = newline == NULL ? theirs_bytes - at : (size_t)(newline - (theirs + at)) + 1;
        if (!has_line(ours, ours_bytes, theirs + at, size))
            shard__bytes_append(out, theirs + at, size);
        at += size;
    }
}
