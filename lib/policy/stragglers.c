/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds of reviews, the quantile of rates, and the few tasks that are expected to end last. */

#include "stragglers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Nothing is said of an attempt that has run for less than this share of what it was expected to take (the paper's
   minute is for tasks of minutes), nor while fewer rates than this are known. */
static const double settles_after = 0.25;
/* What takes more than twice what is expected is slow whatever the others do: a few that run at the end of a run, or
   all of them on bad hosts, would be slow only against themselves. */
static const double slow_anyway = 0.5;
enum { FEWEST_RATES = 4, SLOW_QUANTILE_PERCENT = 25 };
/* Rounds, of a second each, for which an attempt that is on time is left alone at most: it may begin to tell units, and
   its host may turn bad. */
enum { MOST_ALONE = 5 };
/* Reviews of one round come at one time, or at times that are close together. */
static const int64_t round_ns = 500000000;

static int64_t key_of(const struct shard_view *view, int32_t task)
{
    return (int64_t)view->run_number << 32 | (int64_t)task;
}

int shard__progress_of(const struct shard__running *running, double expected_seconds, int64_t now_ns,
                       struct shard__progress *ret_progress)
{
    double ran = (double)(now_ns - running->started_ns) / 1e9;
    int is_expected = expected_seconds > 0 && isfinite(expected_seconds);
    if (!(ran > 0) || (!is_expected && running->units_done <= 0))
        return 0;
    ret_progress->ran_seconds = ran;
    if (running->units_done > 0 && running->units > 1) {
        double done = (double)running->units_done / (double)running->units;
        done = done > 1 ? 1 : done;
        ret_progress->left_seconds = ran * (1 - done) / done;
        ret_progress->rate = is_expected ? done * expected_seconds / ran : 1 / (ran / done);
        return 1;
    }
    if (!is_expected)
        return 0;
    /* What is late already is taken to be late by as much again, and a little more. */
    ret_progress->left_seconds =
        ran < expected_seconds ? expected_seconds - ran : ran - expected_seconds + 0.1 * expected_seconds;
    ret_progress->rate = ran < expected_seconds ? 1 : expected_seconds / ran;
    return 1;
}

static int by_rate(const void *a, const void *b)
{
    const float *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void begin_round(struct shard__stragglers *stragglers, int64_t now_ns)
{
    float sorted[SHARD__STRAGGLERS_RATES];
    memcpy(stragglers->last, stragglers->now, sizeof(stragglers->last));
    stragglers->last_count = stragglers->now_count;
    stragglers->now_count = 0;
    stragglers->round_ns = now_ns;
    memcpy(sorted, stragglers->rates, sizeof(sorted));
    qsort(sorted, (size_t)stragglers->rate_count, sizeof(*sorted), by_rate);
    if (stragglers->rate_count > 0)
        stragglers->slow_rate = sorted[stragglers->rate_count * SLOW_QUANTILE_PERCENT / 100];
}

/* Keeps the tasks that end last; the least of them stands at 0. */
static void keep(struct shard__stragglers *stragglers, int64_t key, double left_seconds)
{
    int32_t count = stragglers->now_count;
    if (count == SHARD__STRAGGLERS_MOST && left_seconds <= stragglers->now[0].left_seconds)
        return;
    int32_t at = count < SHARD__STRAGGLERS_MOST ? stragglers->now_count++ : 0;
    stragglers->now[at] = (struct shard__straggler){key, left_seconds};
    int32_t least = 0;
    for (int32_t i = 1; i < stragglers->now_count; i++)
        if (stragglers->now[i].left_seconds < stragglers->now[least].left_seconds)
            least = i;
    struct shard__straggler first = stragglers->now[0];
    stragglers->now[0] = stragglers->now[least];
    stragglers->now[least] = first;
}

static void note_rate(struct shard__stragglers *stragglers, double rate)
{
    stragglers->rates[stragglers->rate_next] = (float)rate;
    stragglers->rate_next = (stragglers->rate_next + 1) % SHARD__STRAGGLERS_RATES;
    if (stragglers->rate_count < SHARD__STRAGGLERS_RATES)
        stragglers->rate_count++;
}

/* An attempt that is well is not asked about for some rounds, and counts once for each: the others do, too. */
static void leave_alone(struct shard__stragglers *stragglers, double rate, double left_seconds,
                        struct shard_decision *ret_decision)
{
    int rounds = left_seconds < MOST_ALONE ? (int)left_seconds : MOST_ALONE;
    for (int i = 1; i < rounds; i++)
        note_rate(stragglers, rate);
    ret_decision->kind = SHARD_DECIDE_WAIT;
    ret_decision->wait_seconds = rounds;
}

int shard__stragglers_on_time(struct shard__stragglers *stragglers, const struct shard__running *running,
                              int64_t now_ns, struct shard_decision *ret_decision)
{
    double left_seconds = running->expected_seconds - (double)(now_ns - running->started_ns) / 1e9;
    if (running->units_done > 0 || !(left_seconds > 0))
        return 0;
    note_rate(stragglers, 1);
    leave_alone(stragglers, 1, left_seconds, ret_decision);
    return 1;
}

int shard__stragglers_review(struct shard__stragglers *stragglers, const struct shard_view *view, int32_t task,
                             const struct shard__progress *progress, int64_t most, struct shard_decision *ret_decision)
{
    int64_t key = key_of(view, task);
    if (view->now_ns - stragglers->round_ns >= round_ns)
        begin_round(stragglers, view->now_ns);
    if (!(progress->rate > 0) || !isfinite(progress->rate) || !isfinite(progress->left_seconds))
        return 0;
    note_rate(stragglers, progress->rate);
    if (shard__stragglers_has_copy(stragglers, view, task))
        return 0;
    double expected = progress->ran_seconds + progress->left_seconds;
    if (progress->ran_seconds < settles_after * expected)
        return 0;
    /* "Below a quarter of all": rates that are as expected are never slow, though a quarter of them may be less. */
    if (stragglers->rate_count < FEWEST_RATES)
        return 0;
    if (progress->rate > fmax((double)stragglers->slow_rate, slow_anyway) || progress->rate >= 1) {
        leave_alone(stragglers, progress->rate, progress->left_seconds, ret_decision);
        return 0;
    }
    if (!view->tasks->may_share(view->run, task))
        return 0; /* a merge step */
    keep(stragglers, key, progress->left_seconds);
    if ((int64_t)stragglers->copies.count >= most)
        return 0;
    for (int32_t i = 0; i < stragglers->last_count; i++)
        if (stragglers->last[i].key == key)
            return 1;
    return 0;
}

void shard__stragglers_copied(struct shard__stragglers *stragglers, const struct shard_view *view, int32_t task)
{
    (void)shard__intmap_set(stragglers->context, &stragglers->copies, (uint64_t)key_of(view, task), 1);
}

void shard__stragglers_replicate(struct shard__stragglers *stragglers, const struct shard_view *view, int32_t task,
                                 const struct shard__progress *progress, int32_t host, double seconds,
                                 struct shard_decision *ret_decision)
{
    ret_decision->kind = SHARD_DECIDE_REPLICATE;
    ret_decision->host = host;
    ret_decision->reason = SHARD_REASON_STRAGGLER;
    ret_decision->value = progress->left_seconds;
    ret_decision->limit = seconds;
    shard__stragglers_copied(stragglers, view, task);
}

/* The task that this one, as a subtask, is one of the two attempts of; -1: it is no subtask. */
static int32_t parent_of(const struct shard_view *view, int32_t task)
{
    struct shard_task_view about = {.struct_size = sizeof(about)};
    if (view->tasks->origin(view->run, task) == task)
        return -1;
    view->tasks->describe(view->run, task, &about);
    return about.parent;
}

void shard__stragglers_over(struct shard__stragglers *stragglers, const struct shard_view *view, int32_t task)
{
    if (stragglers->copies.count == 0)
        return;
    shard__intmap_remove(&stragglers->copies, (uint64_t)key_of(view, task));
    int32_t parent = parent_of(view, task);
    if (parent >= 0)
        shard__intmap_remove(&stragglers->copies, (uint64_t)key_of(view, parent));
}

int shard__stragglers_has_copy(const struct shard__stragglers *stragglers, const struct shard_view *view, int32_t task)
{
    if (view->tasks->replica(view->run, task) >= 0)
        return 1; /* also when that was before the run was taken up again */
    if (stragglers->copies.count == 0)
        return 0;
    if (shard__intmap_find(&stragglers->copies, (uint64_t)key_of(view, task)) >= 0)
        return 1;
    int32_t parent = parent_of(view, task);
    return parent >= 0 && shard__intmap_find(&stragglers->copies, (uint64_t)key_of(view, parent)) >= 0;
}

void shard__stragglers_forget(struct shard__stragglers *stragglers)
{
    shard__intmap_free(stragglers->context, &stragglers->copies);
}

void shard__stragglers_free(struct shard__stragglers *stragglers)
{
    shard__intmap_free(stragglers->context, &stragglers->copies);
}
