/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of an engine, as the application submits, stops, changes and forgets them. */

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/name.h"
#include "engine/engine.h"

static int take_spec(const struct shard_engine *engine, const struct shard_run_spec *given, struct shard_run_spec *spec)
{
    int status = shard__take_struct(spec, sizeof(*spec), given, "run spec");
    if (status == 0)
        status = shard__check_name(spec->name, "run");
    if (status < 0)
        return status;
    for (int32_t i = 0; i < engine->order_count; i++) {
        const struct shard__member *other = &engine->members[engine->order[i]];
        if (other->phase < SHARD__PHASE_ENDED && strcmp(other->run->name, spec->name) == 0)
            return shard__fail(SHARD_EEXIST, "this engine holds a run '%s' already", spec->name);
    }
    return 0;
}

/* Room for one member more in both lists. */
static int reserve_member(struct shard_engine *engine)
{
    if (shard__grow(engine->context, &engine->members, &engine->member_capacity, (size_t)engine->member_count + 1,
                    sizeof(*engine->members)) < 0 ||
        shard__grow(engine->context, &engine->order, &engine->order_capacity, (size_t)engine->order_count + 1,
                    sizeof(*engine->order)) < 0)
        return SHARD_ENOMEM;
    return 0;
}

static int new_run(struct shard_engine *engine, const struct shard_run_spec *spec, struct shard__run **ret_run)
{
    struct shard__run_config config = {.context = engine->context,
                                       .cluster = &engine->cluster,
                                       .attempts = &engine->attempts,
                                       .stages = &engine->stages,
                                       .effects = &engine->effects,
                                       .policy = {&engine->policy, engine->policy_self},
                                       .forecaster = &engine->foresight.forecaster,
                                       .rules = &engine->rules,
                                       .can_stage = engine->executor.stage != NULL,
                                       .can_shrink = engine->executor.shrink != NULL,
                                       .can_start_many = engine->executor.start_many != NULL,
                                       .number = engine->member_count,
                                       .spec = spec};
    int status = shard__run_new(&config, ret_run);
    if (status == 0)
        shard__run_set_time(*ret_run, shard__now_ns(engine->context), shard__wall_ns(engine->context));
    return status;
}

/* Puts a run in as the last member, and into the order behind those of its priority. */
static int32_t add_member(struct shard_engine *engine, struct shard__run *run, int is_resume)
{
    int32_t id = engine->member_count++;
    engine->members[id] = (struct shard__member){.run = run,
                                                 .phase = is_resume ? SHARD__PHASE_ACQUIRING : SHARD__PHASE_CREATING,
                                                 .is_resume = is_resume,
                                                 .acquire_since_ns = run->now_ns,
                                                 .retry_ns = INT64_MAX};
    int32_t at = engine->order_count++;
    for (; at > 0 && engine->members[engine->order[at - 1]].run->priority < run->priority; at--)
        engine->order[at] = engine->order[at - 1];
    engine->order[at] = id;
    return id;
}

/* Takes the last member out again. */
static void drop_member(struct shard_engine *engine, int32_t id)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < engine->order_count; i++)
        if (engine->order[i] != id)
            engine->order[kept++] = engine->order[i];
    engine->order_count = kept;
    shard__member_free(engine, &engine->members[id]);
}

/* A profile that no host could hold, were it empty. */
static int check_placeable(const struct shard_engine *engine, const struct shard_workflow *workflow)
{
    for (int32_t task = 0, last = -1; task < workflow->task_count; task++) {
        int32_t profile_id = workflow->profile_of[task];
        if (profile_id == last)
            continue;
        last = profile_id;
        const struct shard__profile *profile = &workflow->profiles[profile_id];
        struct shard__need need = {profile->cpu_millicores, profile->memory_bytes, profile->disk_bytes};
        int fits = 0;
        for (int32_t i = 0; i < engine->cluster.host_count && !fits; i++)
            fits = engine->cluster.hosts[i].state < SHARD_HOST_LEFT &&
                   shard__host_could_hold(&engine->cluster.hosts[i], &need);
        if (!fits)
            return shard__fail_task(
                SHARD_EUNPLACEABLE, task,
                "task '%s' needs %lld millicores, %lld bytes of memory and %lld bytes of disk, more "
                "than any of the %d hosts has",
                shard__workflow_task_name(workflow, task), (long long)need.cpu_millicores, (long long)need.memory_bytes,
                (long long)need.disk_bytes, engine->cluster.host_count);
    }
    return 0;
}

shard_run_id shard_engine_submit(shard_engine *engine, shard_workflow *workflow, const struct shard_run_spec *given)
{
    shard__clear_error();
    struct shard_run_spec spec;
    int status = take_spec(engine, given, &spec);
    if (status == 0 && workflow == NULL)
        status = shard__fail(SHARD_EINVAL, "run '%s': there is no workflow", spec.name);
    if (status == 0 && !spec.wait_for_hosts)
        status = check_placeable(engine, workflow);
    struct shard__run *run = NULL;
    if (status == 0)
        status = reserve_member(engine);
    if (status == 0)
        status = new_run(engine, &spec, &run);
    if (status == 0)
        status = shard__run_begin(run, workflow);
    if (status == 0 && spec.catalog_commit != NULL)
        status = shard__run_begin_revision(run, spec.catalog_commit);
    if (status < 0) {
        shard__run_free(run);
        return status;
    }
    int32_t id = add_member(engine, run, 0);
    status = shard__call_create(engine, id);
    if (status < 0)
        drop_member(engine, id);
    shard_engine_wake(engine);
    return status < 0 ? status : id;
}

shard_run_id shard_engine_resume(shard_engine *engine, const struct shard_run_spec *given)
{
    shard__clear_error();
    struct shard_run_spec spec;
    int status = take_spec(engine, given, &spec);
    struct shard__run *run = NULL;
    if (status == 0)
        status = reserve_member(engine);
    if (status == 0)
        status = new_run(engine, &spec, &run);
    if (status < 0)
        return status;
    int32_t id = add_member(engine, run, 1);
    engine->members[id].stands_by = spec.stand_by;
    status = shard__call_acquire(engine, id);
    if (status < 0)
        drop_member(engine, id);
    shard_engine_wake(engine);
    return status < 0 ? status : id;
}

struct shard__member *shard__engine_member(const struct shard_engine *engine, int32_t run)
{
    shard__clear_error();
    if (run < 0 || run >= engine->member_count || engine->members[run].phase == SHARD__PHASE_FORGOTTEN) {
        shard__fail(SHARD_ENOENT, "there is no run %d", run);
        return NULL;
    }
    return &engine->members[run];
}

/* A member that acts; anything else is an error that is set. */
static struct shard__member *active_member(const struct shard_engine *engine, int32_t run)
{
    struct shard__member *member = shard__engine_member(engine, run);
    if (member == NULL || member->phase == SHARD__PHASE_ACTIVE)
        return member;
    shard__fail(SHARD_ESTATE, "run '%s' %s", member->run->name,
                member->phase > SHARD__PHASE_ACTIVE ? "has ended or is ending" : "has not begun");
    return NULL;
}

static int error_code(void)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    return shard_error_copy(&error);
}

int shard_engine_cancel(shard_engine *engine, shard_run_id run)
{
    struct shard__member *member = active_member(engine, run);
    if (member == NULL)
        return error_code();
    member->run->stop = SHARD__CANCELLING;
    shard__run_set_time(member->run, shard__now_ns(engine->context), shard__wall_ns(engine->context));
    for (int32_t slot = 0; slot < engine->attempts.count; slot++) {
        const struct shard__attempt *attempt = &engine->attempts.slots[slot];
        if (attempt->phase == SHARD__ATTEMPT_FREE || attempt->run != run)
            continue;
        int status = shard__run_cancel_attempt(member->run, slot, SHARD_OUTCOME_CANCELLED);
        if (status < 0)
            return status;
    }
    shard_engine_wake(engine);
    return 0;
}

int shard_engine_drain(shard_engine *engine, shard_run_id run)
{
    struct shard__member *member = active_member(engine, run);
    if (member == NULL)
        return error_code();
    if (member->run->stop == SHARD__GO_ON)
        member->run->stop = SHARD__DRAINING;
    shard_engine_wake(engine);
    return 0;
}

int shard_engine_suspend(shard_engine *engine, shard_run_id run)
{
    struct shard__member *member = active_member(engine, run);
    if (member == NULL)
        return error_code();
    member->suspend = 1;
    shard_engine_wake(engine);
    return 0;
}

int shard_engine_forget(shard_engine *engine, shard_run_id run)
{
    struct shard__member *member = shard__engine_member(engine, run);
    if (member == NULL)
        return error_code();
    if (member->phase != SHARD__PHASE_ENDED)
        return shard__fail(SHARD_ESTATE, "run '%s' has not ended", member->run->name);
    drop_member(engine, run);
    return 0;
}

static int check_task(const struct shard__run *run, int32_t task)
{
    if (run->workflow == NULL || task < 0 || task >= run->task_count)
        return shard__fail(SHARD_ENOENT, "run '%s' has no task %d", run->name, task);
    return 0;
}

static int split_rest(struct shard_engine *engine, struct shard__run *run, int32_t task, int32_t parts)
{
    const struct shard_decision decision = {.struct_size = sizeof(decision),
                                            .kind = SHARD_DECIDE_SPLIT,
                                            .parts = parts,
                                            .p_fail = NAN,
                                            .reason = SHARD_REASON_REQUESTED,
                                            .value = parts};
    shard__run_set_time(run, shard__now_ns(engine->context), shard__wall_ns(engine->context));
    int status = shard__run_ask_rest(run, run->tasks[task].slot, &decision);
    shard_engine_wake(engine);
    return status;
}

int shard_engine_split(shard_engine *engine, shard_run_id run, shard_task_id task, int32_t parts)
{
    struct shard__member *member = active_member(engine, run);
    if (member == NULL)
        return error_code();
    int status = check_task(member->run, task);
    if (status == 0 && member->run->tasks[task].state == SHARD_TASK_RUNNING)
        return split_rest(engine, member->run, task, parts);
    if (status == 0)
        status = shard__run_check_split(member->run, task, parts);
    if (status < 0)
        return status;
    struct shard__cause cause = {
        .decision = SHARD_DECIDE_SPLIT, .reason = SHARD_REASON_REQUESTED, .p_fail = NAN, .value = parts};
    shard__run_set_time(member->run, shard__now_ns(engine->context), shard__wall_ns(engine->context));
    status = shard__run_split(member->run, task, parts, &cause);
    shard_engine_wake(engine);
    return status;
}

int shard_engine_adjust(shard_engine *engine, shard_run_id run, shard_task_id task)
{
    struct shard__member *member = active_member(engine, run);
    if (member == NULL)
        return error_code();
    int status = check_task(member->run, task);
    if (status < 0)
        return status;
    shard__run_set_time(member->run, shard__now_ns(engine->context), shard__wall_ns(engine->context));
    status = shard__run_adjust(member->run, task, engine->adjust_threshold);
    shard_engine_wake(engine);
    return status;
}

int shard_engine_amend(shard_engine *engine, shard_run_id run, shard_task_id task, const struct shard_task_info *given,
                       const char *commit)
{
    struct shard__member *member = active_member(engine, run);
    if (member == NULL)
        return error_code();
    struct shard_task_info info;
    int status = shard__take_struct(&info, sizeof(info), given, "task info");
    if (status == 0 && (task < 0 || task >= member->run->workflow->task_count))
        status = shard__fail(SHARD_ENOENT, "the workflow of run '%s' has no task %d", member->run->name, task);
    if (status < 0)
        return status;
    shard__run_set_time(member->run, shard__now_ns(engine->context), shard__wall_ns(engine->context));
    status = shard__run_amend(member->run, task, &info, commit);
    shard_engine_wake(engine);
    return status;
}

static struct shard__run *run_with_data(const struct shard_engine *engine, int32_t id, int32_t data, int32_t volume)
{
    struct shard__member *member = shard__engine_member(engine, id);
    if (member == NULL)
        return NULL;
    struct shard__run *run = member->run;
    if (run->workflow == NULL || data < 0 || data >= run->workflow->data_count) {
        shard__fail(SHARD_ENOENT, "run '%s' has no data %d", run->name, data);
        return NULL;
    }
    if (volume < 0 || volume >= engine->cluster.volume_count) {
        shard__fail(SHARD_ENOENT, "there is no volume %d", volume);
        return NULL;
    }
    return run;
}

int shard_engine_data_is_on(shard_engine *engine, shard_run_id id, shard_data_id data, shard_volume_id volume)
{
    struct shard__run *run = run_with_data(engine, id, data, volume);
    if (run == NULL)
        return error_code();
    shard_engine_wake(engine);
    return shard__data_add(run, data, volume);
}

int shard_engine_data_is_lost(shard_engine *engine, shard_run_id id, shard_data_id data, shard_volume_id volume)
{
    struct shard__run *run = run_with_data(engine, id, data, volume);
    if (run == NULL)
        return error_code();
    shard__data_drop(run, data, volume);
    return 0;
}

int shard_engine_run(const shard_engine *engine, shard_run_id run, struct shard_run_info *ret_info)
{
    const struct shard__member *member = shard__engine_member(engine, run);
    if (member == NULL)
        return error_code();
    struct shard_run_info ours;
    shard__run_describe(member->run, &ours);
    ours.epoch = member->epoch;
    return shard__give_struct(ret_info, &ours, sizeof(ours), "run info");
}

int shard_engine_task(const shard_engine *engine, shard_run_id id, shard_task_id task, struct shard_task_view *ret_task)
{
    const struct shard__member *member = shard__engine_member(engine, id);
    if (member == NULL || check_task(member->run, task) < 0)
        return error_code();
    struct shard_task_view ours = {.struct_size = sizeof(ours)};
    shard__run_view_tasks.describe(member->run, task, &ours);
    return shard__give_struct(ret_task, &ours, sizeof(ours), "task view");
}

int shard_engine_task_name(const shard_engine *engine, shard_run_id id, shard_task_id task, char *ret_name,
                           size_t capacity)
{
    const struct shard__member *member = shard__engine_member(engine, id);
    if (member == NULL || check_task(member->run, task) < 0)
        return error_code();
    return shard__run_task_name(member->run, task, ret_name, capacity);
}

int shard_engine_explain(const shard_engine *engine, shard_run_id id, shard_task_id task, char **ret_text)
{
    const struct shard__member *member = shard__engine_member(engine, id);
    if (member == NULL || check_task(member->run, task) < 0)
        return error_code();
    return shard__run_explain(member->run, task, ret_text);
}
