/* SPDX-License-Identifier: Apache-2.0 */
/* Decayed rates of kinds, hosts, tasks and data, and the sharing out of failures among them. */

#include "blame.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* Beta priors: so many attempts at such a rate. A task's is weak, since all that is known of it are its own few. */
static const double task_p = 0.004, task_attempts = 0.7;
static const double kind_p = 0.01, kind_attempts = 8;
static const double host_p = 0.02, host_attempts = 4;
static const float host_window = 10; /* attempts of a host that count */
static const double data_p = 0.002, data_attempts = 4;

static struct shard__rate *rate_at(const struct shard__blame *blame, struct shard__rate **rates, size_t *capacity,
                                   int32_t *count, int32_t at)
{
    if (at < 0)
        return NULL;
    if (at >= *count) {
        if (shard__grow(blame->context, rates, capacity, (size_t)at + 1, sizeof(**rates)) < 0)
            return NULL;
        memset(*rates + *count, 0, (size_t)(at + 1 - *count) * sizeof(**rates));
        *count = at + 1;
    }
    return &(*rates)[at];
}

static struct shard__rate *kind_at(struct shard__blame *blame, int32_t kind)
{
    return rate_at(blame, &blame->kinds, &blame->kind_capacity, &blame->kind_count, kind);
}

static struct shard__rate *host_at(struct shard__blame *blame, int32_t host)
{
    return rate_at(blame, &blame->hosts, &blame->host_capacity, &blame->host_count, host);
}

static double mean_of(const struct shard__blame *blame, const struct shard__rate *rates, int32_t count, int32_t at,
                      int64_t now_ns, double p, double attempts, double *ret_evidence)
{
    struct shard__rate rate = at >= 0 && at < count ? rates[at] : (struct shard__rate){0};
    shard__rate_decay(&rate, blame->half_life_seconds, now_ns);
    *ret_evidence = (double)rate.attempts + attempts;
    return shard__rate_mean(&rate, p, attempts);
}

static struct shard__blame_task *find_task(const struct shard__blame *blame, uint64_t key)
{
    int32_t at = shard__intmap_find(&blame->task_of, key);
    return at < 0 ? NULL : &blame->tasks[at];
}

static struct shard__blame_task *make_task(struct shard__blame *blame, const struct shard__blame_about *about)
{
    struct shard__blame_task *task = find_task(blame, about->task);
    if (task != NULL)
        return task;
    if (shard__grow(blame->context, &blame->tasks, &blame->task_capacity, (size_t)blame->task_count + 1,
                    sizeof(*blame->tasks)) < 0 ||
        shard__intmap_set(blame->context, &blame->task_of, about->task, blame->task_count) < 0)
        return NULL;
    task = &blame->tasks[blame->task_count++];
    *task = (struct shard__blame_task){.key = about->task};
    for (int32_t i = 0; i < about->data_count && i < SHARD__BLAME_DATA; i++)
        task->data[task->data_count++] = about->data[i];
    return task;
}

/* The piece of data that is most likely at fault among those that a task reads; NULL: none is known. */
static struct shard__rate *worst_data(struct shard__blame *blame, const uint64_t *keys, int32_t count, int make)
{
    struct shard__rate *worst = NULL;
    for (int32_t i = 0; i < count && i < SHARD__BLAME_DATA; i++) {
        int32_t at = shard__intmap_find(&blame->data_of, keys[i]);
        if (at < 0 && make && shard__intmap_set(blame->context, &blame->data_of, keys[i], blame->data_count) == 0)
            at = blame->data_count;
        struct shard__rate *rate =
            at < 0 ? NULL : rate_at(blame, &blame->data, &blame->data_capacity, &blame->data_count, at);
        if (rate == NULL && make)
            shard__intmap_remove(&blame->data_of, keys[i]);
        if (rate != NULL && (worst == NULL || shard__rate_mean(rate, data_p, data_attempts) >
                                                  shard__rate_mean(worst, data_p, data_attempts)))
            worst = rate;
    }
    return worst;
}

/* How likely a task fails by its own doing, by all its cases but one (NULL: by all). */
static double task_mean(const struct shard__blame_task *task, const struct shard__blame_case *but)
{
    double failures = 0;
    for (int32_t i = 0; i < task->case_count; i++)
        failures += &task->cases[i] == but ? 0 : (double)task->cases[i].of_task;
    return (failures + task_p * task_attempts) / ((double)(task->attempts - (but != NULL)) + task_attempts);
}

static uint64_t pair_of(int32_t kind, int32_t host)
{
    return (uint64_t)(uint32_t)kind << 31 | (uint64_t)(uint32_t)host;
}

static void give(struct shard__rate *rate, float share)
{
    rate->failures += share;
    if (rate->failures < 0)
        rate->failures = 0;
}

/* Adds a case's shares to the rates, or takes them back (sign -1). */
static void count_case(struct shard__blame *blame, const struct shard__blame_case *one, struct shard__rate *data,
                       float sign)
{
    if (one->host >= 0 && one->host < blame->host_count)
        give(&blame->hosts[one->host], sign * one->of_host);
    if (one->kind >= 0 && one->kind < blame->kind_count)
        give(&blame->kinds[one->kind], sign * one->of_kind);
    if (data != NULL)
        give(data, sign * one->of_data);
}

/* Shares a case out anew, by what is known now. Its old shares are taken back first, so that it is no evidence for
   itself. */
static void share_out(struct shard__blame *blame, const struct shard__blame_task *task, struct shard__blame_case *one,
                      struct shard__rate *data, int64_t now_ns)
{
    double ignored;
    count_case(blame, one, data, -1);
    double p_host = mean_of(blame, blame->hosts, blame->host_count, one->host, now_ns, host_p, host_attempts, &ignored);
    double p_kind = mean_of(blame, blame->kinds, blame->kind_count, one->kind, now_ns, kind_p, kind_attempts, &ignored);
    double p_data = data == NULL ? 0 : shard__rate_mean(data, data_p, data_attempts);
    /* Each other host that it failed on makes it likelier to be the task's; each success elsewhere is in the mean. */
    double p_task = task_mean(task, one) * (task->hosts > 1 ? 1 + 2 * (double)(task->hosts - 1) : 1);
    p_host *= one->host < 0 ? 0 : (double)one->host_factor;
    /* A kind that fails on one host again and again, and not elsewhere, has not shown that it is the kind. */
    int32_t here = shard__intmap_find(&blame->pairs, pair_of(one->kind, one->host));
    p_kind /= here > 1 ? (double)here : 1;
    double sum = p_host + p_kind + p_data + p_task;
    one->of_host = (float)(p_host / sum);
    one->of_kind = (float)(p_kind / sum);
    one->of_data = (float)(p_data / sum);
    one->of_task = (float)(p_task / sum);
    count_case(blame, one, data, 1);
}

static void share_out_all(struct shard__blame *blame, struct shard__blame_task *task, int64_t now_ns)
{
    struct shard__rate *data = worst_data(blame, task->data, task->data_count, 0);
    for (int32_t i = 0; i < task->case_count; i++)
        share_out(blame, task, &task->cases[i], data, now_ns);
}

static struct shard__blame_case *add_case(struct shard__blame *blame, struct shard__blame_task *task,
                                          const struct shard__blame_about *about, double host_factor)
{
    task->hosts += !shard__blame_failed_on(blame, about->task, about->host);
    if (task->case_count == SHARD__BLAME_CASES) /* the oldest is settled as it is */
        memmove(task->cases, task->cases + 1, (size_t)--task->case_count * sizeof(*task->cases));
    struct shard__blame_case *one = &task->cases[task->case_count++];
    *one = (struct shard__blame_case){
        .host = about->host, .kind = about->kind, .host_factor = (float)(host_factor > 0 ? host_factor : 1)};
    return one;
}

static void count_attempt(struct shard__blame *blame, const struct shard__blame_about *about)
{
    struct shard__rate *rates[2] = {host_at(blame, about->host), kind_at(blame, about->kind)};
    /* A host that has been good for long and turns bad is to be found out after a few attempts, not after as many. */
    if (rates[0] != NULL && rates[0]->attempts > host_window) {
        rates[0]->failures *= host_window / rates[0]->attempts;
        rates[0]->attempts = host_window;
    }
    for (int i = 0; i < 2; i++)
        if (rates[i] != NULL)
            shard__rate_add(rates[i], blame->half_life_seconds, about->now_ns, 0);
    struct shard__rate *data = blame->data_of.count == 0 ? NULL : worst_data(blame, about->data, about->data_count, 0);
    if (data != NULL)
        shard__rate_add(data, blame->half_life_seconds, about->now_ns, 0);
}

/* Failures of a kind on a host, since the last success. */
static void count_pair(struct shard__blame *blame, int32_t kind, int32_t host)
{
    uint64_t pair = pair_of(kind, host);
    int32_t before = shard__intmap_find(&blame->pairs, pair);
    if (kind >= 0 && host >= 0 && before < 255)
        (void)shard__intmap_set(blame->context, &blame->pairs, pair, before < 0 ? 1 : before + 1);
}

void shard__blame_failed(struct shard__blame *blame, const struct shard__blame_about *about, double host_factor,
                         struct shard__blame_shares *ret_shares)
{
    (void)worst_data(blame, about->data, about->data_count, 1);
    count_attempt(blame, about);
    struct shard__blame_task *task = make_task(blame, about);
    struct shard__blame_task unkept = {.key = about->task};
    if (task == NULL)
        task = &unkept;
    task->attempts++;
    task->failures++;
    struct shard__blame_case *one = add_case(blame, task, about, host_factor);
    count_pair(blame, about->kind, about->host);
    share_out_all(blame, task, about->now_ns);
    *ret_shares = (struct shard__blame_shares){.task = (double)one->of_task,
                                               .kind = (double)one->of_kind,
                                               .host = (double)one->of_host,
                                               .data = (double)one->of_data,
                                               .hosts = task->hosts,
                                               .p_task = task_mean(task, NULL)};
}

void shard__blame_done(struct shard__blame *blame, const struct shard__blame_about *about)
{
    count_attempt(blame, about);
    if (blame->pairs.count > 0)
        shard__intmap_remove(&blame->pairs, (uint64_t)(uint32_t)about->kind << 31 | (uint64_t)(uint32_t)about->host);
    struct shard__blame_task *task = blame->task_of.count == 0 ? NULL : find_task(blame, about->task);
    if (task == NULL)
        return;
    task->attempts++;
    task->hosts = 0; /* it can be done: where it failed before was not its own fault */
    share_out_all(blame, task, about->now_ns);
    task->case_count = 0; /* settled */
}

struct shard__rate shard__blame_host(const struct shard__blame *blame, int32_t host, int64_t now_ns)
{
    struct shard__rate rate = {0};
    if (host >= 0 && host < blame->host_count)
        rate = blame->hosts[host];
    shard__rate_decay(&rate, blame->half_life_seconds, now_ns);
    return rate;
}

int shard__blame_failed_on(const struct shard__blame *blame, uint64_t key, int32_t host)
{
    const struct shard__blame_task *task = blame->task_of.count == 0 ? NULL : find_task(blame, key);
    for (int32_t i = 0; task != NULL && i < task->case_count; i++)
        if (task->cases[i].host == host)
            return 1;
    return 0;
}

double shard__blame_p_fail(const struct shard__blame *blame, const struct shard__blame_about *about,
                           double *ret_evidence)
{
    double of_host, of_kind;
    double host =
        mean_of(blame, blame->hosts, blame->host_count, about->host, about->now_ns, host_p, host_attempts, &of_host);
    double kind =
        mean_of(blame, blame->kinds, blame->kind_count, about->kind, about->now_ns, kind_p, kind_attempts, &of_kind);
    double task = task_p;
    const struct shard__blame_task *failed = blame->task_of.count == 0 ? NULL : find_task(blame, about->task);
    if (failed != NULL)
        task = task_mean(failed, NULL);
    int32_t pair = blame->pairs.count == 0 ? -1 : shard__intmap_find(&blame->pairs, pair_of(about->kind, about->host));
    /* Failures of this kind here without a success since, as far as they are not the kind's everywhere: one may be the
       task's. */
    double of_pair = pair > 1 ? (double)(pair - 1) / ((double)pair + host_attempts) * (1 - kind) : 0;
    *ret_evidence = of_host;
    return 1 - (1 - host) * (1 - kind) * (1 - task) * (1 - of_pair);
}

void shard__blame_forget_runs(struct shard__blame *blame)
{
    shard__intmap_free(blame->context, &blame->data_of);
    shard__intmap_free(blame->context, &blame->task_of);
    blame->task_count = 0;
    blame->data_count = 0;
}

void shard__blame_free(struct shard__blame *blame)
{
    const shard_context *context = blame->context;
    shard__intmap_free(context, &blame->data_of);
    shard__intmap_free(context, &blame->task_of);
    shard__intmap_free(context, &blame->pairs);
    shard__release(context, blame->kinds, blame->kind_capacity * sizeof(*blame->kinds));
    shard__release(context, blame->hosts, blame->host_capacity * sizeof(*blame->hosts));
    shard__release(context, blame->data, blame->data_capacity * sizeof(*blame->data));
    shard__release(context, blame->tasks, blame->task_capacity * sizeof(*blame->tasks));
}
