/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy `adaptive` weighed for a start, in words: for explain, long after the costs are forgotten. */

#include <stdio.h>
#include <string.h>

#include "adaptive.h"
#include "base/utf8.h"

struct note {
    char *text;
    size_t capacity, length;
};

static void add(struct note *note, const struct shard_view *view, const char *before, const struct shard__offer *offer)
{
    if (note->length + 1 >= note->capacity)
        return;
    int length = snprintf(note->text + note->length, note->capacity - note->length,
                          "%s%s costs %.1f s: runs %.1f s, fails with probability %.3f", before,
                          view->cluster->hosts[offer->host].name, offer->cost_seconds, offer->seconds, offer->p_fail);
    if (length > 0)
        note->length += (size_t)length;
}

const char *shard__adaptive_note(struct shard__adaptive *policy, const struct shard_view *view,
                                 const struct shard__offer *best, const struct shard__offer *next,
                                 const struct shard__offer *later)
{
    struct note note = {policy->note, sizeof(policy->note), 0};
    if (view->forecaster == NULL || !view->forecaster->wants_notes)
        return NULL;
    add(&note, view, "", best);
    if (next != NULL && next->host >= 0)
        add(&note, view, "; ", next);
    if (later != NULL) {
        char waits[48];
        snprintf(waits, sizeof(waits), "; to wait %.1f s for ", later->wait_seconds);
        add(&note, view, waits, later);
    }
    /* A name is cut where the text is, but not within a character. */
    if (note.length >= note.capacity)
        policy->note[shard__utf8_prefix(policy->note, strlen(policy->note))] = '\0';
    return policy->note;
}
