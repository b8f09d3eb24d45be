/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy `adaptive` weighed for a decision, in words: for explain, long after the costs are forgotten. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "adaptive.h"
#include "base/utf8.h"

struct note {
    char *text;
    size_t capacity, length;
};

static int begin(struct shard__adaptive *policy, const struct shard_view *view, struct note *ret_note)
{
    *ret_note = (struct note){policy->note, sizeof(policy->note), 0};
    policy->note[0] = '\0';
    return view->forecaster != NULL && view->forecaster->wants_notes;
}

static void __attribute__((format(printf, 2, 3))) say(struct note *note, const char *format, ...)
{
    va_list arguments;
    if (note->length + 1 >= note->capacity)
        return;
    va_start(arguments, format);
    int length = vsnprintf(note->text + note->length, note->capacity - note->length, format, arguments);
    va_end(arguments);
    if (length > 0)
        note->length += (size_t)length;
}

/* A name is cut where the text is, but not within a character. */
static const char *finish(const struct note *note)
{
    if (note->length >= note->capacity)
        note->text[shard__utf8_prefix(note->text, strlen(note->text))] = '\0';
    return note->text;
}

static void say_offer(struct note *note, const struct shard_view *view, const struct shard__offer *offer)
{
    say(note, "%s costs %.1f s: runs %.1f s, fails with probability %.3f", view->cluster->hosts[offer->host].name,
        offer->cost_seconds, offer->seconds, offer->p_fail);
}

const char *shard__adaptive_note(struct shard__adaptive *policy, const struct shard_view *view,
                                 const struct shard__offer *best, const struct shard__offer *next,
                                 const struct shard__offer *later)
{
    struct note note;
    if (!begin(policy, view, &note))
        return NULL;
    say_offer(&note, view, best);
    if (next != NULL && next->host >= 0) {
        say(&note, "; ");
        say_offer(&note, view, next);
    }
    if (later != NULL) {
        say(&note, "; to wait %.1f s for ", later->wait_seconds);
        say_offer(&note, view, later);
    }
    return finish(&note);
}

const char *shard__adaptive_note_split(struct shard__adaptive *policy, const struct shard_view *view,
                                       const struct shard__split_plan *plan, int32_t host, double p_fail)
{
    struct note note;
    if (!begin(policy, view, &note))
        return NULL;
    say(&note, "in %d parts costs %.1f s; as one %.1f s", plan->parts, plan->cost_seconds, plan->whole_seconds);
    if (host >= 0)
        say(&note, ", on %s", view->cluster->hosts[host].name);
    if (!isnan(p_fail))
        say(&note, ", where it fails with probability %.3f", p_fail);
    return finish(&note);
}

const char *shard__adaptive_note_move(struct shard__adaptive *policy, const struct shard_view *view,
                                      const struct shard__offer *stay, const struct shard__offer *best,
                                      const struct shard__offer *next)
{
    struct note note;
    if (!begin(policy, view, &note))
        return NULL;
    say(&note, "to stay on ");
    say_offer(&note, view, stay);
    say(&note, "; to begin again on ");
    say_offer(&note, view, best);
    if (next->host >= 0) {
        say(&note, "; on ");
        say_offer(&note, view, next);
    }
    return finish(&note);
}
