/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for kinds, by the hash of their names; found by (run, kind) afterwards. */

#include "kinds.h"

#include <string.h>

static int32_t number_by_name(struct shard__kinds *kinds, const struct shard_workflow *workflow, int32_t kind)
{
    const char *name = workflow->kind_names.text + workflow->kind_names.offsets[kind];
    uint64_t key = shard__hash_bytes(name, strlen(name)) >> 1; /* never UINT64_MAX, which is no key */
    int32_t number = shard__intmap_find(&kinds->of_name, key);
    if (number < 0 && shard__intmap_set(kinds->context, &kinds->of_name, key, kinds->count) == 0)
        number = kinds->count++;
    return number;
}

int32_t shard__kinds_number(struct shard__kinds *kinds, const struct shard_view *view, int32_t task)
{
    int32_t kind = shard__workflow_profile(view->workflow, view->tasks->origin(view->run, task))->kind;
    uint64_t key = (uint64_t)(uint32_t)view->run_number << 31 | (uint64_t)(uint32_t)kind;
    int32_t number = shard__intmap_find(&kinds->of_run, key);
    if (number >= 0)
        return number;
    number = number_by_name(kinds, view->workflow, kind);
    if (number >= 0)
        (void)shard__intmap_set(kinds->context, &kinds->of_run, key, number); /* else it is looked up again */
    return number;
}

void shard__kinds_forget_runs(struct shard__kinds *kinds)
{
    shard__intmap_free(kinds->context, &kinds->of_run);
}

void shard__kinds_free(struct shard__kinds *kinds)
{
    shard__intmap_free(kinds->context, &kinds->of_run);
    shard__intmap_free(kinds->context, &kinds->of_name);
}
