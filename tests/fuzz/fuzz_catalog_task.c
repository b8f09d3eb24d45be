/* SPDX-License-Identifier: Apache-2.0 */
/* Files of tasks as strangers leave them in a catalog: three versions of one, with a NUL between, read and merged. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/git/git.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static int is_task(shard_context *context, const char *text, size_t bytes)
{
    shard_workflow *workflow = NULL;
    int status = shard_workflow_parse_task(context, text, bytes, "input", NULL, &workflow);
    shard_workflow_unref(workflow);
    return status == 0;
}

/* What both sides are the same in is taken as it is, and a task stays one. */
static void merge_with_itself(shard_context *context, const char *text, size_t bytes)
{
    struct shard__bytes out, conflicts;
    shard__bytes_init(&out, context);
    shard__bytes_init(&conflicts, context);
    check(shard__git_merge_members("", 0, text, bytes, text, bytes, &out, &conflicts) == 0);
    check(conflicts.size == 0 && is_task(context, out.data, out.size));
    shard__bytes_free(&out);
    shard__bytes_free(&conflicts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    shard_context *context = NULL;
    const char *texts[3] = {"", "", ""};
    size_t sizes[3] = {0, 0, 0};
    const char *at = (const char *)data, *end = at + size;
    struct shard__bytes out, conflicts;
    check(shard_context_new(NULL, &context) == 0);
    for (int i = 0; i < 3 && at < end; i++) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));
        texts[i] = at;
        sizes[i] = (size_t)((nul == NULL ? end : nul) - at);
        at += sizes[i] + 1;
    }
    for (int i = 0; i < 3; i++) {
        struct shard__git_member members[SHARD__MEMBERS];
        int count = shard__git_members(texts[i], sizes[i], members);
        if (!is_task(context, texts[i], sizes[i]))
            continue;
        check(count >= 1);
        merge_with_itself(context, texts[i], sizes[i]);
    }
    shard__bytes_init(&out, context);
    shard__bytes_init(&conflicts, context);
    (void)shard__git_merge_members(texts[0], sizes[0], texts[1], sizes[1], texts[2], sizes[2], &out, &conflicts);
    out.size = 0;
    shard__git_merge_lines(texts[0], sizes[0], texts[1], sizes[1], &out);
    shard__bytes_free(&out);
    shard__bytes_free(&conflicts);
    shard_context_free(context);
    return 0;
}
