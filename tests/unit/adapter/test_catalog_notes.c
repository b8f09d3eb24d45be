/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions become commits in the background, and changes made elsewhere are told. */

#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <shard/catalog.h>

#include "git_bed.h"
#include "suite.h"
#include "tracked.h"
#include "workflows.h"

static struct tracked tracked;
static shard_context *context;
static shard_workers *workers;
static struct git_bed bed;
static shard_catalog *catalog;

const char *__lsan_default_suppressions(void);

/* LeakSanitizer asks: libgit2 keeps the last error of each thread, of one that outlives the catalog for good. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libpcre2-8\nleak:libgit2.so\n";
}

static void open_catalog(double sync_seconds, int max_notes)
{
    char path[200], url[200];
    snprintf(path, sizeof(path), "%s/here", bed.path);
    snprintf(url, sizeof(url), "%s/remote", bed.path);
    const struct shard_catalog_config config = {
        .struct_size = sizeof(config), .path = path, .url = url, .sync_seconds = sync_seconds, .max_notes = max_notes};
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), 0);
    publish_letters(catalog, context, "ab");
    ck_assert_int_eq(shard_catalog_sync(catalog), 0);
}

static void setup(void)
{
    git_bed_make(&bed);
    ck_assert_int_eq(shard_workers_new(1, &workers), 0);
    context = tracked_context(&tracked, shard_workers_offload, workers);
    sh(&bed, "git init -q --bare -b main remote");
    catalog = NULL;
}

static void teardown(void)
{
    /* The thread first: what libgit2 keeps for it goes with it only while libgit2 is in use. */
    shard_workers_free(workers);
    shard_catalog_close(catalog);
    git_bed_remove(&bed);
    tracked_context_free(&tracked, context);
}

static void note(const char *task, const char *host, const char *what)
{
    const struct shard_catalog_decision wanted = {.struct_size = sizeof(wanted),
                                                  .task = task,
                                                  .host = host,
                                                  .run = "r1",
                                                  .what = what,
                                                  .reason = "host is sick\nand more",
                                                  .p_fail = 0.25,
                                                  .seconds = NAN,
                                                  .time_ns = 1000000000};
    ck_assert_int_eq(shard_catalog_note(catalog, &wanted), 0);
}

/* Watches the descriptor and steps until the remote's branch has so many commits. */
static void wait_for_commits(int count)
{
    char wanted[20];
    struct pollfd watched = {.fd = shard_catalog_fd(catalog), .events = POLLIN};
    snprintf(wanted, sizeof(wanted), "%d", count);
    for (int i = 0; i < 3000; i++) {
        ck_assert_int_eq(shard_catalog_step(catalog), 0);
        if (strcmp(sh(&bed, "git -C remote rev-list --count main"), wanted) == 0)
            return;
        poll(&watched, 1, 20);
    }
    ck_abort_msg("the remote has %s commits, expected %d", sh(&bed, "git -C remote rev-list --count main"), count);
}

START_TEST(decisions_are_commits_with_trailers)
{
    char path[SHARD_CATALOG_PATH];
    open_catalog(3600, 0);
    note("a", "host-1", "moved");
    note(NULL, "host-1", "quarantined");
    wait_for_commits(3);
    ck_assert_str_eq(sh(&bed, "git -C remote log -1 --format=%%s main~1"), "a: moved");
    ck_assert_str_eq(sh(&bed, "git -C remote log -1 --format='%%(trailers)' main~1"),
                     "Task: a\nHost: host-1\nRun: r1\nReason: host is sick and more\nForecast: 0.25");
    ck_assert_str_eq(sh(&bed, "git -C remote log -1 --format='%%(trailers:key=Host,valueonly)' main"), "host-1");
    ck_assert_int_eq(shard_catalog_task_path("a", path), 0);
    path[strlen(path) - strlen("json")] = '\0';
    ck_assert_str_eq(sh(&bed, "git -C remote show 'main:%slog'", path),
                     "1970-01-01T00:00:01Z moved on host-1 in r1: host is sick and more (forecast 0.25)");
    ck_assert_ptr_nonnull(strstr(sh(&bed, "git -C remote ls-tree -r --name-only main hosts"), "hosts/host-1-"));
    sh(&bed, "git -C remote fsck --strict");
    shard_workflow *workflow = NULL;
    ck_assert_int_eq(shard_catalog_load(catalog, NULL, NULL, &workflow), 0);
    shard_workflow_unref(workflow);
}
END_TEST

START_TEST(many_decisions_share_commits)
{
    open_catalog(3600, 0);
    for (int i = 0; i < 200; i++)
        note(i % 2 == 0 ? "a" : "b", NULL, "split");
    ck_assert_int_eq(shard_catalog_sync(catalog), 0);
    int commits = atoi(sh(&bed, "git -C remote rev-list --count main"));
    ck_assert_int_gt(commits, 2);
    ck_assert_int_le(commits, 33);
    ck_assert_str_eq(sh(&bed, "git -C remote log --format=%%B main | grep -c '^Task: '"), "200");
}
END_TEST

START_TEST(decisions_are_committed_when_the_catalog_is_closed)
{
    open_catalog(3600, 0);
    note("a", NULL, "split");
    shard_catalog_close(catalog);
    catalog = NULL;
    ck_assert_str_eq(sh(&bed, "git -C here log -1 --format=%%s main"), "a: split");
}
END_TEST

START_TEST(a_remote_that_is_gone_costs_a_backlog_only)
{
    open_catalog(3600, 0);
    sh(&bed, "mv remote away");
    note("a", NULL, "split");
    ck_assert_int_eq(shard_catalog_step(catalog), 0);
    note("b", NULL, "split");
    ck_assert_int_lt(shard_catalog_sync(catalog), 0);
    sh(&bed, "mv away remote");
    wait_for_commits(3);
}
END_TEST

START_TEST(what_others_change_is_told_once)
{
    char path[SHARD_CATALOG_PATH];
    struct shard_catalog_change change = {.struct_size = sizeof(change)};
    struct shard_task_info info = {.struct_size = sizeof(info)};
    open_catalog(0.01, 0);
    ck_assert_int_eq(shard_catalog_next_change(catalog, &change), 0);
    ck_assert_int_eq(shard_catalog_task_path("a", path), 0);
    sh(&bed,
       "git clone -q remote clone && cd clone && "
       "sed -i 's/\"kind\": \"task\"/&,\\n  \"failure_cost_seconds\": 77/' '%s' && echo hello >README && "
       "git add . && git commit -q -m amend && git push -q",
       path);
    int got = 0;
    for (int i = 0; got == 0 && i < 3000; i++) {
        struct pollfd watched = {.fd = shard_catalog_fd(catalog), .events = POLLIN};
        poll(&watched, 1, 20);
        ck_assert_int_eq(shard_catalog_step(catalog), 0);
        got = shard_catalog_next_change(catalog, &change);
    }
    ck_assert_int_eq(got, 1);
    ck_assert_str_eq(change.path, path);
    ck_assert_int_eq(change.code, 0);
    ck_assert_int_eq(shard_workflow_task(change.workflow, 0, &info), 0);
    ck_assert_str_eq(info.name, "a");
    ck_assert_double_eq(info.failure_cost_seconds, 77);
    ck_assert_str_eq(change.commit, sh(&bed, "git -C clone rev-parse HEAD"));
    ck_assert_int_eq(shard_catalog_next_change(catalog, &change), 0);
    ck_assert_int_eq(shard_catalog_sync(catalog), 0);
    ck_assert_int_eq(shard_catalog_next_change(catalog, &change), 0);
}
END_TEST

START_TEST(a_change_that_is_no_task_is_told_with_its_field)
{
    char path[SHARD_CATALOG_PATH];
    struct shard_catalog_change change = {.struct_size = sizeof(change)};
    open_catalog(3600, 0);
    ck_assert_int_eq(shard_catalog_task_path("b", path), 0);
    sh(&bed,
       "git clone -q remote clone && cd clone && echo '{\"name\": \"b\", \"units\": \"x\"}' >'%s' && "
       "git commit -q -a -m broken && git push -q",
       path);
    ck_assert_int_eq(shard_catalog_sync(catalog), 0);
    ck_assert_int_eq(shard_catalog_next_change(catalog, &change), 1);
    ck_assert_int_eq(change.code, SHARD_EPARSE);
    ck_assert_ptr_nonnull(strstr(change.message, "/units: "));
    ck_assert_ptr_nonnull(strstr(change.message, path));
    ck_assert_ptr_null(change.workflow);
}
END_TEST

START_TEST(notes_that_make_no_sense_are_refused)
{
    open_catalog(3600, 2);
    struct shard_catalog_decision wanted = {.struct_size = sizeof(wanted), .p_fail = NAN, .seconds = NAN};
    ck_assert_int_eq(shard_catalog_note(catalog, &wanted), SHARD_EINVAL);
    wanted.what = "split";
    ck_assert_int_eq(shard_catalog_note(catalog, &wanted), SHARD_EINVAL);
    wanted.host = "";
    ck_assert_int_eq(shard_catalog_note(catalog, &wanted), SHARD_EINVAL);
    note("a", NULL, "split");
    note("a", NULL, "split");
    wanted.host = "host-1";
    ck_assert_int_eq(shard_catalog_note(catalog, &wanted), SHARD_ELIMIT);
    assert_message_has("2 decisions wait");
}
END_TEST

START_TEST(without_memory_no_decision_is_lost)
{
    open_catalog(3600, 0);
    struct shard_catalog_decision wanted = {
        .struct_size = sizeof(wanted), .task = "a", .what = "split", .p_fail = NAN, .seconds = NAN};
    int status = SHARD_ENOMEM;
    tracked.fail_at = tracked.calls + 1;
    ck_assert_int_eq(shard_catalog_note(catalog, &wanted), SHARD_ENOMEM);
    tracked.fail_at = 0;
    note("a", NULL, "split");
    note("b", NULL, "moved");
    for (long i = 1; status < 0; i++) {
        tracked.fail_at = tracked.calls + i;
        status = shard_catalog_sync(catalog);
        tracked.fail_at = 0;
        ck_assert(status == 0 || status == SHARD_ENOMEM);
    }
    ck_assert_str_eq(sh(&bed, "git -C remote log --format=%%B main | grep -c '^Task: '"), "2");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog notes");
    TCase *tests = tcase_create("catalog notes");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, decisions_are_commits_with_trailers);
    tcase_add_test(tests, many_decisions_share_commits);
    tcase_add_test(tests, decisions_are_committed_when_the_catalog_is_closed);
    tcase_add_test(tests, a_remote_that_is_gone_costs_a_backlog_only);
    tcase_add_test(tests, what_others_change_is_told_once);
    tcase_add_test(tests, a_change_that_is_no_task_is_told_with_its_field);
    tcase_add_test(tests, notes_that_make_no_sense_are_refused);
    tcase_add_test(tests, without_memory_no_decision_is_lost);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
