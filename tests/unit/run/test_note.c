/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy says that it weighed comes to stand in the record of what it decided, and in no other. */

#include <string.h>

#include <shard/shard.h>

#include "suite.h"
#include "workflows.h"
#include "world.h"

/* A record with a note, as the store got it. */
struct noted {
    int32_t task;
    int to, decision;
    char note[128];
};

static struct world world;
static int run;
static struct shard_policy port;
static struct shard_decision answer; /* to the first review in which three units are done */
static const char *waits;            /* what the first question about the task is answered by; NULL: a start */
static struct noted noted[32];
static int noted_count;

static int put_outcomes(void *self, shard_sink *sink, shard_token token, const struct shard_outcome_row *outcomes,
                        int32_t count)
{
    (void)self;
    (void)outcomes;
    (void)count;
    return shard_sink_store_answered(sink, token, 0, 0, NULL, NULL);
}

static int commit(void *self, shard_sink *sink, shard_token token, const struct shard_commit *commit)
{
    for (int32_t i = 0; i < commit->record_count; i++) {
        const struct shard_record *record = &commit->records[i];
        if (record->type != SHARD_RECORD_TASK || record->detail == NULL || noted_count == 32)
            continue;
        struct noted *into = &noted[noted_count++];
        *into = (struct noted){.task = record->task, .to = record->to, .decision = record->decision};
        strncpy(into->note, record->detail, sizeof(into->note) - 1);
    }
    return world_store.commit(self, sink, token, commit);
}

static void plan(struct world *w, const struct shard_start *start, struct world_plan *plan)
{
    (void)w;
    plan->unit_seconds = start->index == 0 ? 1 : 0.5;
}

static int place(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    if (waits != NULL) {
        ret_decision->kind = SHARD_DECIDE_WAIT;
        ret_decision->wait_seconds = 1;
        ret_decision->reason = SHARD_REASON_PREFERS_OTHER;
        ret_decision->note = waits;
        waits = NULL;
        return 0;
    }
    int status = world.policy.port->place(self, view, task, ret_decision);
    ret_decision->note = "it is its turn";
    return status;
}

static int review(void *self, const shard_view *view, shard_task_id task, struct shard_decision *ret_decision)
{
    struct shard_task_view of_task = {.struct_size = sizeof(of_task)};
    (void)self;
    ck_assert_int_eq(shard_view_task(view, task, &of_task), 0);
    if (of_task.units_done < 3 || answer.kind == SHARD_DECIDE_NOTHING)
        return 0;
    *ret_decision = answer;
    answer.kind = SHARD_DECIDE_NOTHING;
    return 0;
}

static void setup(void)
{
    world_init(&world, "round_robin");
    world.plan = plan;
    world.store.put_outcomes = put_outcomes;
    world.store.commit = commit;
    world.config.keep_outcomes = 1;
    port = *world.policy.port;
    port.place = place;
    port.review = review;
    world.config.policy.port = &port;
    world_add_host(&world, "a", 1000, 0, 1, 0);
    world_add_host(&world, "b", 1000, 0, 1, 0);
    answer = (struct shard_decision){.struct_size = sizeof(answer), .p_fail = 0.5, .reason = SHARD_REASON_POLICY};
    waits = NULL;
    noted_count = 0;
}

static void teardown(void)
{
    world_free(&world);
}

/* A run of one task of ten units. */
static void perform(void)
{
    shard_builder *builder = new_builder(world.context);
    struct shard_task_spec spec = {.struct_size = sizeof(spec), .units = 10};
    shard_builder_add_task(builder, &spec);
    shard_workflow *workflow = seal(builder);
    world_start(&world);
    run = world_submit(&world, workflow, "run", 1);
    shard_workflow_unref(workflow);
    ck_assert_int_eq(world_finish(&world, run), SHARD_RUN_DONE);
    world_check_done(&world, run);
}

static int count_of(const char *note)
{
    int count = 0;
    for (int i = 0; i < noted_count; i++)
        count += strstr(noted[i].note, note) != NULL;
    return count;
}

START_TEST(the_note_on_a_running_task_is_in_the_record_of_what_became_of_it)
{
    static const struct {
        struct shard_decision decision;
        int to;
    } cases[] = {{{.kind = SHARD_DECIDE_MOVE, .host = 1}, SHARD_TASK_BACKOFF},
                 {{.kind = SHARD_DECIDE_REPLICATE, .host = 1}, SHARD_TASK_SPLIT},
                 {{.kind = SHARD_DECIDE_SPLIT, .parts = 2}, SHARD_TASK_SPLIT}};
    answer.kind = cases[_i].decision.kind;
    answer.host = cases[_i].decision.host;
    answer.parts = cases[_i].decision.parts;
    answer.note = "b costs 4.0 s; to stay 9.0 s";
    perform();
    ck_assert_int_ge(noted_count, 2); /* of the start, and of this */
    ck_assert_int_eq(noted[1].task, 0);
    ck_assert_int_eq(noted[1].to, cases[_i].to);
    ck_assert_int_eq(noted[1].decision, (int)cases[_i].decision.kind);
    ck_assert_str_eq(noted[1].note, "b costs 4.0 s; to stay 9.0 s");
    ck_assert_int_eq(count_of("to stay"), 1);
}
END_TEST

START_TEST(what_a_task_had_waited_for_stands_behind_why_it_starts)
{
    waits = "b is free soon";
    perform();
    ck_assert_int_eq(noted_count, 1);
    ck_assert_int_eq(noted[0].decision, SHARD_DECIDE_START);
    ck_assert_str_eq(noted[0].note, "it is its turn; it had waited, since b is free soon");
}
END_TEST

START_TEST(the_note_of_a_refused_decision_is_in_no_record)
{
    answer.kind = SHARD_DECIDE_MOVE;
    answer.host = 0; /* it runs there */
    answer.note = "a is best";
    perform();
    ck_assert_int_eq(world_logged(&world, "decision-refused"), 1);
    ck_assert_int_eq(count_of("a is best"), 0);
    ck_assert_int_eq(count_of("it is its turn"), 1);
}
END_TEST

START_TEST(notes_that_nobody_wants_or_that_are_no_text_are_left_out)
{
    static char too_long[SHARD_MAX_NAME_BYTES + 1];
    memset(too_long, 'x', SHARD_MAX_NAME_BYTES);
    const char *const notes[] = {"weighed", "\xff\xfe", too_long, ""};
    answer.kind = SHARD_DECIDE_MOVE;
    answer.host = 1;
    answer.note = notes[_i];
    world.config.keep_outcomes = _i != 0;
    perform();
    ck_assert_int_eq(noted_count, _i == 0 ? 0 : 1); /* the first start: where it moves to was said */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notes");
    TCase *tcase = tcase_create("notes");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, the_note_on_a_running_task_is_in_the_record_of_what_became_of_it, 0, 3);
    tcase_add_test(tcase, what_a_task_had_waited_for_stands_behind_why_it_starts);
    tcase_add_test(tcase, the_note_of_a_refused_decision_is_in_no_record);
    tcase_add_loop_test(tcase, notes_that_nobody_wants_or_that_are_no_text_are_left_out, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
