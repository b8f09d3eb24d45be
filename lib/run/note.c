/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy says that it weighed, for explain: with a start or a split it goes into the record that is made at
 * once; what is said of a wait or of a running attempt is kept until the record comes that it belongs to, or another.
 */

#include "run.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* NULL: nothing, or nothing that can be kept. */
static char *copy(const struct shard__run *run, const struct shard_decision *decision)
{
    if (decision->note == NULL || run->forecaster == NULL || !run->forecaster->wants_notes)
        return NULL;
    size_t length = strnlen(decision->note, SHARD_MAX_NAME_BYTES);
    if (length == 0 || length == SHARD_MAX_NAME_BYTES || shard__utf8_prefix(decision->note, length) != length)
        return NULL;
    return shard__strdup(run->context, decision->note);
}

char *shard__run_take_note(struct shard__run *run, int32_t task)
{
    struct shard__extra *extra = shard__run_extra(run, task);
    char *note = extra == NULL ? NULL : extra->note;
    if (note != NULL)
        extra->note = NULL;
    return note;
}

char *shard__run_note(struct shard__run *run, int32_t task, const struct shard_decision *decision)
{
    char *note = copy(run, decision), *waited = shard__run_take_note(run, task), both[2 * SHARD_MAX_NAME_BYTES + 32];
    if (note == NULL || waited == NULL)
        return note != NULL ? note : waited;
    snprintf(both, sizeof(both), "%s; it had waited, since %s", note, waited);
    shard__strfree(run->context, waited);
    shard__strfree(run->context, note);
    return shard__strdup(run->context, both);
}

void shard__run_keep_note(struct shard__run *run, int32_t task, const struct shard_decision *decision)
{
    char *note = copy(run, decision);
    shard__strfree(run->context, shard__run_take_note(run, task));
    struct shard__extra *extra = note == NULL ? NULL : shard__run_make_extra(run, task);
    if (extra != NULL)
        extra->note = note;
    else
        shard__strfree(run->context, note);
}
