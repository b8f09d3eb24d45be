/* SPDX-License-Identifier: Apache-2.0 */
/* Answers by host and group, the last of each. */

#include "recall.h"

#include <string.h>

#include "base/alloc.h"

static size_t at(int32_t host, int32_t group)
{
    return (size_t)host * SHARD__RECALL_GROUPS + (size_t)(group & (SHARD__RECALL_GROUPS - 1));
}

const struct shard__recalled *shard__recall_find(const struct shard__recall *recall, int32_t host, int32_t group)
{
    const struct shard__recalled *answer = host < recall->host_count ? &recall->answers[at(host, group)] : NULL;
    return answer != NULL && answer->sort != 0 && answer->group == group ? answer : NULL;
}

void shard__recall_keep(struct shard__recall *recall, int32_t host, const struct shard__recalled *answer)
{
    if (host >= recall->host_count) {
        size_t wanted = ((size_t)host + 1) * SHARD__RECALL_GROUPS, known = at(recall->host_count, 0);
        if (shard__grow(recall->context, &recall->answers, &recall->capacity, wanted, sizeof(*recall->answers)) < 0)
            return;
        memset(recall->answers + known, 0, (wanted - known) * sizeof(*recall->answers));
        recall->host_count = host + 1;
    }
    recall->answers[at(host, answer->group)] = *answer;
}

void shard__recall_free(struct shard__recall *recall)
{
    shard__release(recall->context, recall->answers, recall->capacity * sizeof(*recall->answers));
}
