/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulations in child processes. Child c does each line whose number leaves the rest c, and writes what came of it
 * into its pipe; the parent takes the lines in turn from the pipes, so that they come in order whoever is quicker.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "need.h"
#include "simulate.h"

int simulate_line_count(const struct simulate *simulate)
{
    return simulate->workflow_count * simulate->policy_count * (int)(simulate->last_seed - simulate->first_seed + 1);
}

void simulate_line_of(const struct simulate *simulate, int line, int *ret_workflow, int *ret_policy, long *ret_seed)
{
    int seeds = (int)(simulate->last_seed - simulate->first_seed + 1);
    *ret_policy = line % simulate->policy_count;
    *ret_seed = simulate->first_seed + line / simulate->policy_count % seeds;
    *ret_workflow = line / simulate->policy_count / seeds;
}

static void show_event(void *self, const struct shard_event *event)
{
    (void)self;
    if (event->kind == SHARD_EVENT_TASK_CHANGED && event->state == SHARD_TASK_FAILED)
        fprintf(stderr, "task %d is given up after attempt %d: %s, %s\n", event->task, event->attempt,
                shard_outcome_text((int)event->outcome), shard_reason_text((int)event->reason));
}

static void simulate_line(const struct simulate *simulate, int line, struct simulate_line *ret_line)
{
    struct simulate_policy policy;
    int workflow, policy_at;
    long seed;
    *ret_line = (struct simulate_line){.result.struct_size = sizeof ret_line->result};
    simulate_line_of(simulate, line, &workflow, &policy_at, &seed);
    ret_line->status = simulate_policy_make(simulate, simulate->policies[policy_at], &policy);
    if (ret_line->status != CLI_DONE) {
        ret_line->status = -1;
        snprintf(ret_line->problem, sizeof ret_line->problem, "the policy could not be made");
        return;
    }
    struct shard_sim_config config = {.struct_size = sizeof config,
                                      .scenario = simulate->scenario,
                                      .policy = policy.handle,
                                      .seed = (uint64_t)seed,
                                      .hosts = simulate->hosts,
                                      .oracle = policy.oracle,
                                      .engine = &policy.engine,
                                      .on_event = simulate->verbose ? show_event : NULL};
    simulate_policy_timing(&policy);
    ret_line->status =
        shard_simulate(simulate->context, simulate->workflows[workflow].workflow, &config, &ret_line->result);
    simulate_policy_timed(&policy);
    if (ret_line->status < 0) {
        struct shard_error error = {.struct_size = sizeof error};
        shard_error_copy(&error);
        snprintf(ret_line->problem, sizeof ret_line->problem, "%.250s", error.message);
    }
    if (ret_line->result.task_count > 0)
        ret_line->decide_cpu_us_per_task = policy.cpu_ns / 1000 / ret_line->result.task_count;
    simulate_policy_end(&policy);
}

static bool move_all(int fd, void *bytes, size_t size, bool is_write)
{
    char *at = bytes;
    while (size > 0) {
        ssize_t moved = is_write ? write(fd, at, size) : read(fd, at, size);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0)
            return false;
        at += moved;
        size -= (size_t)moved;
    }
    return true;
}

static void be_child(const struct simulate *simulate, int child, int fd)
{
    int count = simulate_line_count(simulate);
    for (int line = child; line < count; line += simulate->jobs) {
        struct simulate_line got;
        simulate_line(simulate, line, &got);
        if (!move_all(fd, &got, sizeof got, true))
            break;
    }
    _exit(0);
}

static int start_children(const struct simulate *simulate, int *fds, pid_t *pids)
{
    fflush(NULL);
    for (int child = 0; child < simulate->jobs; child++) {
        int ends[2];
        if (pipe(ends) < 0)
            return cli_error(CLI_ENVIRONMENT, "cannot make a pipe: %s", strerror(errno));
        pids[child] = fork();
        if (pids[child] == 0) {
            close(ends[0]);
            be_child(simulate, child, ends[1]);
        }
        close(ends[1]);
        fds[child] = ends[0];
        if (pids[child] < 0)
            return cli_error(CLI_ENVIRONMENT, "cannot start a process: %s", strerror(errno));
    }
    return CLI_DONE;
}

int simulate_all(const struct simulate *simulate,
                 void (*each)(void *self, const struct simulate *simulate, int line, const struct simulate_line *got),
                 void *self)
{
    int *fds = need_zeroed((size_t)simulate->jobs, sizeof *fds);
    pid_t *pids = need_zeroed((size_t)simulate->jobs, sizeof *pids);
    int count = simulate_line_count(simulate), code = start_children(simulate, fds, pids);
    for (int line = 0; line < count && code == CLI_DONE; line++) {
        struct simulate_line got;
        int workflow, policy;
        long seed;
        simulate_line_of(simulate, line, &workflow, &policy, &seed);
        if (!move_all(fds[line % simulate->jobs], &got, sizeof got, false))
            code = cli_error(CLI_ENVIRONMENT, "a simulating process has died");
        else if (got.status < 0)
            code = cli_error(CLI_FAILED, "%s under %s with seed %ld: %s", simulate->workflows[workflow].name,
                             simulate->policies[policy], seed, got.problem);
        else
            each(self, simulate, line, &got);
    }
    for (int child = 0; child < simulate->jobs; child++) {
        if (fds[child] > 0)
            close(fds[child]);
        if (pids[child] > 0)
            waitpid(pids[child], NULL, 0);
    }
    free(fds);
    free(pids);
    return code;
}
