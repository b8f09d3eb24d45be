/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Colours of kinds.
 */
#include "palette.h"

#include <math.h>
#include <stdlib.h>

struct ranked {
    int kind;
    const struct palette_kind *is;
};

static int by_work(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->is->seconds != b->is->seconds)
        return a->is->seconds > b->is->seconds ? -1 : 1;
    if (a->is->tasks != b->is->tasks)
        return a->is->tasks > b->is->tasks ? -1 : 1;
    return a->kind - b->kind;
}

int *palette_order(const struct palette_kind *kinds, int count)
{
    struct ranked *ranked = need_zeroed((size_t)count, sizeof *ranked);
    int *order = need_zeroed((size_t)count, sizeof *order);
    for (int i = 0; i < count; i++)
        ranked[i] = (struct ranked){i, &kinds[i]};
    qsort(ranked, (size_t)count, sizeof *ranked, by_work);
    for (int i = 0; i < count; i++)
        order[i] = ranked[i].kind;
    free(ranked);
    return order;
}

struct palette_kind *palette_read(const shard_workflow *workflow, int *ret_count)
{
    struct shard_workflow_info whole = {.struct_size = sizeof whole};
    shard_workflow_describe(workflow, &whole);
    struct palette_kind *kinds = need_zeroed((size_t)whole.kind_count, sizeof *kinds);
    for (shard_task_id task = 0; task < whole.task_count; task++) {
        struct shard_task_info info = {.struct_size = sizeof info};
        shard_workflow_task(workflow, task, &info);
        kinds[info.kind_id].tasks++;
        kinds[info.kind_id].seconds += isnan(info.expected_seconds) ? 0 : info.expected_seconds;
    }
    for (int32_t i = 0; i < whole.kind_count; i++)
        kinds[i].name = shard_workflow_kind_name(workflow, i);
    int *order = palette_order(kinds, whole.kind_count);
    for (int32_t i = 0; i < whole.kind_count; i++)
        kinds[order[i]].slot = i < PALETTE_COLOURS ? i : PALETTE_OTHER;
    free(order);
    *ret_count = whole.kind_count;
    return kinds;
}

void palette_style(struct text *text)
{
    static const char *const light[PALETTE_SLOTS] = {"2a78d6", "eb6834", "1baf7a", "4a3aa7", "bf8600",
                                                     "d55181", "008300", "8a5a2b", "8f8e88"};
    static const char *const dark[PALETTE_SLOTS] = {"3987e5", "d95926", "199e70", "9085e9", "c98500",
                                                    "d55181", "4a9e3f", "b07a45", "8f8e88"};
    for (int i = 0; i < PALETTE_SLOTS; i++)
        text_printf(text, ".k%d{fill:#%s}.e%d{stroke:#%s}\n", i, light[i], i, light[i]);
    text_puts(text, "@media (prefers-color-scheme:dark){\n");
    for (int i = 0; i < PALETTE_SLOTS; i++)
        text_printf(text, ".k%d{fill:#%s}.e%d{stroke:#%s}\n", i, dark[i], i, dark[i]);
    text_puts(text, "}\n");
}
