/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_RUN_RUN_H
#define SHARD_RUN_RUN_H

/*
 * The state machine of a run. Inputs are functions of this header, the time is told, and what comes out are records (to
 * be made durable, then acted on) and effects. Nothing here does I/O or reads a clock.
 *
 * A function that returns SHARD_ENOMEM has changed nothing and can be called again, unless it says otherwise.
 *
 * This file is longer than 400 lines because all files of the room work on the one struct.
 */

#include <shard/engine.h>

#include "base/random.h"
#include "policy/view.h"
#include "run/attempts.h"
#include "run/effects.h"
#include "run/lifecycle.h"
#include "run/ready.h"
#include "run/stages.h"

/* A task as it is touched all the time: 32 bytes, two to a cache line. */
struct shard__task {
    union {
        uint32_t missing;  /* predecessors, or subtasks of a split task, that are not done */
        uint32_t ready_ms; /* while READY, when nothing is missing: since when, from the run's start */
    };
    uint32_t version;
    int32_t host; /* of the current or last attempt; -1: none */
    int32_t slot; /* in the table of attempts; -1: no attempt is under way */
    uint32_t attempt : 31;
    uint32_t has_extra : 1;
    float p_fail; /* of the last decision, and the value of its reason */
    float value;
    unsigned state : 4;
    unsigned durable : 4; /* the last state that was recorded */
    unsigned outcome : 8; /* of the last attempt that ended */
    unsigned decision : 8;
    unsigned reason : 8;
};

/* What few tasks have: those that failed, were split, came from a split, or ask for more than their profile says. */
struct shard__extra {
    uint8_t failures[SHARD_OUTCOME_COUNT];
    int32_t parent;
    int32_t origin;       /* task of the workflow that it comes from */
    int32_t index, count; /* among its siblings */
    int32_t first_subtask, subtask_count;
    int64_t unit_begin, unit_end;
    int64_t memory_bytes;  /* asked for; 0: as the profile says */
    int64_t disk_bytes;    /* the same; a resume works it out from the failures */
    int64_t retry_ns;      /* end of the back-off */
    uint8_t wanted_reason; /* of an adjustment; 0: a policy's; with the operands, and the forecast where it goes: */
    float wanted_value, wanted_limit, wanted_p_fail;
    int32_t wanted_host;   /* where the policy moved it to, -1: nowhere in particular */
    int32_t moves;         /* attempts that were ended so, in this engine: they count for nothing */
    uint8_t is_replicated; /* its two subtasks are replicas */
    int32_t amended;       /* index of what the catalog has amended, -1: nothing; of a task of the workflow only */
    uint8_t levels;        /* above 0: its attempt is that of the task so many levels above */
    char *note;            /* what the policy weighed when it made it wait, or decided on its running attempt; NULL */
};

/* Bytes of a commit's id in hex, of either hash that Git has, with its NUL. */
enum { SHARD__COMMIT_BYTES = 65 };

/* What the catalog has amended of a task of the workflow. */
struct shard__amended {
    struct shard__need need;
    double expected_seconds; /* NaN: not known */
    double failure_cost_seconds;
    int32_t revision; /* that did */
};

/* What a run is told once about how to behave. */
struct shard__rules {
    struct shard_retry retry[SHARD_OUTCOME_COUNT];
    double memory_growth;
    int64_t cancel_grace_ns;
};

/* What the attempt that ended last held at most, and what its launch took; 0: not known. */
struct shard__held {
    int32_t task;
    int64_t memory_bytes, disk_bytes;
    double launch_seconds;
};

enum shard__stop { SHARD__GO_ON = 0, SHARD__DRAINING, SHARD__FAILING, SHARD__CANCELLING };

struct shard__place; /* where data lies: data.c */

struct shard__run {
    shard_context *context;
    struct shard__cluster *cluster;
    struct shard__attempts *attempts;
    struct shard__stages *stages;
    struct shard__effects *effects;
    struct shard_policy_handle policy;
    struct shard__forecaster *forecaster;
    const struct shard__rules *rules;
    int can_stage;      /* the executor brings data */
    int can_shrink;     /* the executor stops attempts at a unit */
    int can_start_many; /* the executor runs attempts one after another in one container */
    int is_attached;    /* the policy knows of it */

    int32_t number;
    char *name;
    shard_workflow *workflow;
    int32_t keep_going;
    int32_t wait_for_hosts;
    int32_t priority;
    enum shard_run_state state;
    enum shard__stop stop;

    struct shard__task *tasks;
    size_t task_capacity;
    int32_t task_count;
    struct shard__extra *extras;
    size_t extra_capacity;
    int32_t extra_count;
    struct shard__intmap extra_of; /* by task */
    struct shard__amended *amended;
    size_t amended_capacity;
    int32_t amended_count;
    float *rank_seconds;                  /* of the workflow's tasks as amended; NULL: no seconds were, its own hold */
    int ranks_are_stale;                  /* advance makes them anew */
    char (*commits)[SHARD__COMMIT_BYTES]; /* of the revisions, from 1 */
    size_t commit_capacity;
    int32_t revision; /* the last; 0: none */

    struct shard__ready ready;
    struct shard__heap backoff; /* tasks by when they are ready again, in seconds */
    int32_t *held;              /* ready tasks that the policy made wait */
    size_t held_capacity;
    int32_t held_count;
    int64_t look_ns;    /* when those that wait are looked at again though nothing changes; INT64_MAX: never */
    int ready_is_short; /* the queues miss a ready task for want of memory, or its new rank: advance makes them anew */
    int told_no_hosts;
    int64_t review_ns;    /* when running tasks are reviewed next */
    int32_t review_next;  /* slot where a review that was not finished goes on */
    int64_t seen_changes; /* of the cluster, when held and blocked tasks were last looked at */
    int32_t blocked_left; /* blocked profiles that are to be looked at again, since something has changed */
    int32_t *skips;       /* failed tasks whose successors are not skipped yet */
    size_t skip_capacity;
    int32_t skip_count;

    struct shard_record *records; /* not yet given to the store */
    size_t record_capacity;
    int32_t record_count;
    int64_t next_seq;

    int32_t *host_numbers; /* of the records, by host; -1: not recorded yet */
    size_t host_number_capacity;
    int32_t host_number_count; /* hosts that have an entry */
    int32_t next_host_number;
    int32_t *numbered_hosts; /* the other way round: hosts by their number in the records; -1: not known */
    size_t numbered_host_capacity;

    int32_t *data_places; /* first place by data, -1: none; NULL: the workflow has no data */
    struct shard__place *places;
    size_t place_capacity;
    int32_t place_count;
    int32_t free_place;

    int32_t by_state[SHARD_TASK_STATE_COUNT];
    int64_t attempt_count;
    int64_t failures[SHARD_OUTCOME_COUNT];
    int32_t tasks_with_failures;
    int32_t in_flight;            /* attempts under way */
    int64_t started_ns, ended_ns; /* monotonic */
    int64_t now_ns, wall_ns;
    struct shard__held ended;

    struct shard__random random;
    struct shard_view view;
};

struct shard__run_config {
    shard_context *context;
    struct shard__cluster *cluster;
    struct shard__attempts *attempts;
    struct shard__stages *stages;
    struct shard__effects *effects;
    struct shard_policy_handle policy;
    struct shard__forecaster *forecaster;
    const struct shard__rules *rules;
    int can_stage;
    int can_shrink;
    int can_start_many;
    int32_t number;
    const struct shard_run_spec *spec;
};

/* ---- run.c: beginning, end, time ---- */
int shard__run_new(const struct shard__run_config *config, struct shard__run **ret_run);
void shard__run_free(struct shard__run *run);
/* Takes the workflow and makes every task blocked or ready. */
int shard__run_begin(struct shard__run *run, shard_workflow *workflow);
/* The first half of beginning and of restoring: columns for so many tasks, all in state NONE. */
int shard__run_take_workflow(struct shard__run *run, shard_workflow *workflow, int32_t task_count);
/* The policy gets to know of the run: the tasks are as they are, and none was made ready yet. */
void shard__run_attach(struct shard__run *run);
/* Counts what a task that does not run waits for, and makes it blocked or ready. */
int shard__run_settle(struct shard__run *run, int32_t task);
/* Tells the time; every other function uses it. */
void shard__run_set_time(struct shard__run *run, int64_t now_ns, int64_t wall_ns);
/* Ends back-offs that are over and skips what depends on failed tasks. */
int shard__run_advance(struct shard__run *run);
/* When advance or place has something to do again though nothing else happens; INT64_MAX: never. */
int64_t shard__run_next_ns(const struct shard__run *run);
/* The state that the run should end in now; ACTIVE: it goes on. */
enum shard_run_state shard__run_verdict(const struct shard__run *run);
/* Records the run's state: its end, or that it goes on. 0 or SHARD_ENOMEM. */
int shard__run_record_state(struct shard__run *run, enum shard_run_state state);
void shard__run_describe(const struct shard__run *run, struct shard_run_info *ret_info);

/* ---- restore.c: what a store had ---- */
int shard__run_restore(struct shard__run *run, const struct shard_run_image *image);

/* ---- transition.c: the one place where a task's state changes ---- */
/* Room for so many records. */
int shard__run_reserve(struct shard__run *run, int32_t records);
/* Why a transition happens. */
struct shard__cause {
    enum shard_decision_kind decision;
    enum shard_reason_code reason;
    double p_fail;
    double value, limit;
    double seconds;
    enum shard_outcome outcome;
    const char *detail; /* from shard__strdup; the record takes it */
};
/* Reserved before. Returns the record, or NULL when the transition is derived. */
struct shard_record *shard__run_transition(struct shard__run *run, int32_t task, int to,
                                           const struct shard__cause *cause);
/* Makes a ready task known to the queues: from BLOCKED, BACKOFF, NONE ... */
int shard__run_make_ready(struct shard__run *run, int32_t task);
/* Records a host when it is new to the run. */
int shard__run_reserve_host(struct shard__run *run, int32_t host);
/* Records the last revision of the catalog, and takes the detail. Reserved before. */
void shard__run_record_revision(struct shard__run *run, int32_t task, char *detail);
/* Lets a host have a number in the records. */
int shard__run_number_host(struct shard__run *run, int32_t host, int32_t number);
int32_t shard__run_host_number(struct shard__run *run, int32_t host);

/* ---- extra.c ---- */
struct shard__extra *shard__run_extra(const struct shard__run *run, int32_t task);
/* The same, made if it is not there; NULL: no memory. Pointers to others are stale afterwards. */
struct shard__extra *shard__run_make_extra(struct shard__run *run, int32_t task);
int32_t shard__run_origin(const struct shard__run *run, int32_t task);
/* What the task is said to need, and what it asks for. */
struct shard__need shard__run_told(const struct shard__run *run, int32_t task);
struct shard__need shard__run_need(const struct shard__run *run, int32_t task);
void shard__run_units(const struct shard__run *run, int32_t task, int64_t *ret_begin, int64_t *ret_end);
int shard__run_task_name(const struct shard__run *run, int32_t task, char *ret_name, size_t capacity);
/* Names are made for 64 levels: whether a task may have subtasks as far as that goes. 0 or SHARD_ELIMIT. */
enum { SHARD__MOST_LEVELS = 60 };
int shard__run_check_depth(const struct shard__run *run, int32_t task);
extern const struct shard__view_tasks shard__run_view_tasks;

/* ---- amend.c: the catalog ---- */
/* The revision that the run begins with. 0, SHARD_EINVAL or SHARD_ENOMEM. */
int shard__run_begin_revision(struct shard__run *run, const char *commit);
/* What a commit says of a task of the workflow. 1, 0 when that was known, or a negative code. */
int shard__run_amend(struct shard__run *run, int32_t task, const struct shard_task_info *info, const char *commit);
/* What was amended of a task, or of the one that it comes from; NULL: nothing. */
const struct shard__amended *shard__run_amended(const struct shard__run *run, int32_t task);
/* Makes the ranks anew from what is amended. 0 or SHARD_ENOMEM, after which the old ones hold. */
int shard__run_rank(struct shard__run *run);
/* Lets a task that asks for less than is amended ask for that. */
void shard__run_ask_as_amended(const struct shard__run *run, int32_t task);
int shard__run_restore_revisions(struct shard__run *run, const struct shard_run_image *image);

/* ---- place.c ---- */
/* Places up to `most` ready tasks. Returns how many were, or SHARD_ENOMEM after which place may be called again. */
int shard__run_place(struct shard__run *run, int32_t most);
/* Takes a staging attempt back: its task is ready again. */
void shard__run_unplace(struct shard__run *run, int32_t slot, enum shard_reason_code reason);
/* The inputs of a staging attempt may have arrived. */
int shard__run_staged(struct shard__run *run, int32_t slot);

/* Takes a ready task, the first of its profile, out and gives it an attempt that is not recorded yet. The slot, or
 * SHARD_ENOMEM. */
int32_t shard__run_open_attempt(struct shard__run *run, int32_t profile, int32_t task, struct shard_decision *decision);
/* Records the start of an opened attempt whose inputs are there; room was made for that. */
void shard__run_record_start(struct shard__run *run, int32_t slot, const struct shard_decision *decision);

/* ---- container.c: attempts that share a launch ---- */
/* Starts tasks of the same profile behind an attempt that is recorded now, as many as the decision wants and there are.
 */
void shard__run_share_launch(struct shard__run *run, int32_t profile, int32_t slot,
                             const struct shard_decision *decision);
/* An attempt does not end well: those behind it will not begin, and are placed again by themselves; so is it when it
   had not begun. 0 or SHARD_ENOMEM. */
int shard__run_come_apart(struct shard__run *run, int32_t slot);
/* The executor has an attempt: from now on its time counts, if it is the first in its container. */
void shard__run_attempt_began(struct shard__run *run, int32_t slot);
/* The one before it has ended; -1: there is none. */
void shard__run_next_begins(struct shard__run *run, int32_t slot);
/* A task of a restored run whose attempt was behind another is so again. All rows were restored before. */
void shard__run_rejoin(struct shard__run *run, int32_t task);

/* ---- answer.c ---- */
/* Bounds the wait of a policy's answer, and gives a reason that is none the name of another's. */
void shard__run_tame(struct shard_decision *decision);

/* ---- note.c: what the policy weighed ---- */
/* For the record of a decision that is made now, after what it waited for; or what was kept. NULL: nothing is said. */
char *shard__run_note(struct shard__run *run, int32_t task, const struct shard_decision *decision);
char *shard__run_take_note(struct shard__run *run, int32_t task);
/* Keeps it in the task for a record that comes later. Without memory it is not kept. */
void shard__run_keep_note(struct shard__run *run, int32_t task, const struct shard_decision *decision);

/* ---- review.c ---- */
/* Asks the policy about some of the running tasks. 0 or SHARD_ENOMEM. */
int shard__run_review(struct shard__run *run);

/* ---- wait.c: ready tasks that wait ---- */
/* Takes held tasks and blocked profiles up again when something has changed since, or the time for that has come. */
int shard__run_look_again(struct shard__run *run);
/* There is no start for the first task of a profile now. 0, or a negative code. */
int shard__run_wait(struct shard__run *run, int32_t profile, int32_t task, const struct shard_decision *decision,
                    int *held_in_row);
/* A task of which an input is nowhere. 0: it waits for that, or is given up; or SHARD_ENOMEM. */
int shard__run_wait_for_data(struct shard__run *run, int32_t profile, int32_t task);

/* ---- end.c ---- */
/* Frees the slot of a task's attempt. */
void shard__run_close_attempt(struct shard__run *run, int32_t slot);
/* The attempt in a slot has ended. `end` is checked by the caller. */
int shard__run_attempt_ended(struct shard__run *run, int32_t slot, const struct shard_attempt_end *end);
/*
 * Asks the memory for what the end of a task's attempt will need: where its successors are listed (depth 0), the list
 * (1), and the successors (2), which each depth before has made cheap to find.
 */
void shard__run_prefetch(const struct shard__run *run, int32_t task, int depth);
/* Asks for the end of an attempt; its outcome will be `outcome`, whatever the executor says. */
int shard__run_cancel_attempt(struct shard__run *run, int32_t slot, enum shard_outcome outcome);
/* Fails a task that has no attempt under way, and with it the join that it is part of. */
int shard__run_give_up(struct shard__run *run, int32_t task, const struct shard__cause *cause);
/* The same when shard__run_reserve_give_up() was called and nothing recorded since: cannot fail. */
void shard__run_give_up_reserved(struct shard__run *run, int32_t task, const struct shard__cause *cause);
int shard__run_reserve_give_up(struct shard__run *run, int32_t task);
/* A task is done: its successors have one less to wait for. It runs again: those that still wait have one more. */
void shard__run_release_successors(struct shard__run *run, int32_t task);
void shard__run_hold_successors(struct shard__run *run, int32_t task);

/* ---- split.c ---- */
int shard__run_split(struct shard__run *run, int32_t task, int32_t parts, const struct shard__cause *cause);
int shard__run_check_split(const struct shard__run *run, int32_t task, int32_t parts);
/* Makes the subtasks of a task, `kept` units in the first, the rest shared; all units in each when `is_replicated`. */
struct shard__shares {
    int32_t count;
    int64_t kept; /* 0: the first is as the others */
    int is_replicated;
};
/* With their extras, not yet counted or seen; reserves their records. On failure the run is as before. */
int shard__run_make_subtasks(struct shard__run *run, int32_t parent, const struct shard__shares *shares);
/* They are there, in state NONE, and the parent is their join. Returns the first. */
int32_t shard__run_adopt_subtasks(struct shard__run *run, int32_t parent, const struct shard__shares *shares);
/* Room for the end of a task and of all joins that end with it. */
int shard__run_reserve_done(struct shard__run *run, int32_t task);
/* A subtask is done; its parent may be. Reserved before. */
void shard__run_subtask_done(struct shard__run *run, int32_t parent);
/* All subtasks are done: the merge step may run, or the task is done. Reserved before. */
void shard__run_join(struct shard__run *run, int32_t task);
/* Cancels the subtasks of a task that is none any more. Reserved before. */
void shard__run_cancel_subtasks(struct shard__run *run, int32_t parent);
/* How many tasks there are in the family of a task: itself, when it is no subtask and was not split. */
int32_t shard__run_family_size(const struct shard__run *run, int32_t task);
/* Whether a task waits for lost data, itself or one of its subtasks. */
int shard__run_has_blocked_subtask(const struct shard__run *run, int32_t task);

/* ---- rest.c: tasks that run are split and replicated ---- */
/* Whether the rest of what runs in a slot can be split so; how many units from its begin its attempt should keep. */
int shard__run_check_rest(const struct shard__run *run, int32_t slot, int32_t parts, int64_t keep_units,
                          int64_t *ret_kept);
/* Asks for that, and checks it again. */
int shard__run_ask_rest(struct shard__run *run, int32_t slot, const struct shard_decision *decision);
/* The executor keeps so many units, or answers a negative code. */
int shard__run_shrunk(struct shard__run *run, int32_t slot, int64_t units);
/* An attempt has ended with only the first units done, if any. */
int shard__run_ended_in_part(struct shard__run *run, int32_t slot, int64_t units, double seconds);
/* What holds for that and for replicas: an attempt that runs as any other. */
int shard__run_check_share(const struct shard__run *run, int32_t slot);
int shard__run_check_replicate(const struct shard__run *run, int32_t slot, int32_t host);
int shard__run_replicate(struct shard__run *run, int32_t slot, const struct shard_decision *decision);
/* The replica of a task while both may still be the first; -1: none. */
int32_t shard__run_replica(const struct shard__run *run, int32_t task);
/* The host where that one is: none for the task; -1: it is nowhere. */
int32_t shard__run_replica_host(const struct shard__run *run, int32_t task);
/* The task under whose id and number the executor knows a task's attempt. */
int32_t shard__run_started_as(const struct shard__run *run, int32_t task);
/* How often a part was split off that attempt. */
int32_t shard__run_depth(const struct shard__run *run, int32_t task);
/* The indices of a task by splits, "2/0"; "" for a whole task. */
void shard__run_part(const struct shard__run *run, int32_t task, char *ret_part, size_t capacity);

/* ---- adjust.c ---- */
/* The rule of shard_engine_adjust(). 1: moved, 0: not, or a negative code. */
int shard__run_adjust(struct shard__run *run, int32_t task, double threshold);

/* ---- data.c: the data gate ---- */
int shard__data_init(struct shard__run *run);
void shard__data_free(struct shard__run *run);
int shard__data_add(struct shard__run *run, int32_t data, int32_t volume);
void shard__data_drop(struct shard__run *run, int32_t data, int32_t volume);
/* Drops what lay on a volume. */
void shard__data_drop_volume(struct shard__run *run, int32_t volume);
/* Room for the outputs of a task and of the joins above it, and where they are once it is done. */
int shard__data_reserve_outputs(struct shard__run *run, int32_t task, int32_t levels);
void shard__data_outputs_are_on(struct shard__run *run, int32_t task, int32_t host);
/* What the gate says of a task on a host. */
enum shard__gate { SHARD__GATE_OPEN, SHARD__GATE_STAGE, SHARD__GATE_LOST };
enum shard__gate shard__data_gate(const struct shard__run *run, int32_t task, int32_t host);
double shard__data_staging_seconds(const struct shard__run *run, int32_t task, int32_t host);
/* Bytes of the inputs that are not there; those of unknown size count as none. */
double shard__data_staging_bytes(const struct shard__run *run, int32_t task, int32_t host);
/* Asks for what an attempt misses on its host; counts it in the attempt. */
int shard__data_stage(struct shard__run *run, int32_t slot);
/*
 * Runs the producers of a ready task's lost inputs again; the task is blocked then. SHARD_ENOENT: it depends on none of
 * them, and stays ready.
 */
int shard__data_remake(struct shard__run *run, int32_t task);
int shard__data_is_everywhere(const struct shard__run *run, int32_t data);
int32_t shard__data_volume(const struct shard__run *run, int32_t data);

/* ---- explain.c ---- */
int shard__run_explain(const struct shard__run *run, int32_t task, char **ret_text);

#endif
