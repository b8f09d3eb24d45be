/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog: a workflow goes into a repository and comes out of it, at any revision; so do models. This file is
 * longer than 400 lines because all cases publish the same pair of tasks.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <shard/catalog.h>
#include <shard/train.h>

#include "git_bed.h"
#include "suite.h"
#include "tracked.h"
#include "workflows.h"

static struct tracked tracked;
static shard_context *context;
static struct git_bed bed;

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    git_bed_make(&bed);
    sh(&bed, "git init -q --bare -b main remote");
}

static void teardown(void)
{
    git_bed_remove(&bed);
    tracked_context_free(&tracked, context);
}

static shard_catalog *open_catalog(const char *name, const char *branch)
{
    char path[200], url[200];
    shard_catalog *catalog = NULL;
    snprintf(path, sizeof(path), "%s/%s", bed.path, name);
    snprintf(url, sizeof(url), "file://%s/remote", bed.path);
    const struct shard_catalog_config config = {
        .struct_size = sizeof(config), .path = path, .url = url, .branch = branch};
    ck_assert_msg(shard_catalog_open(context, &config, &catalog) == 0, "%d", last_code());
    return catalog;
}

/* A workflow of two tasks, the second after the first and of that cost. */
static shard_workflow *make_pair(double failure_cost_seconds)
{
    shard_builder *builder = new_builder(context);
    add_task(builder, "Align/1");
    const struct shard_task_spec spec = {.struct_size = sizeof(spec),
                                         .name = "merge",
                                         .payload = "{\"a\": [1, \"}\"], \"b\": \"x\\\"y\"}",
                                         .payload_bytes = strlen("{\"a\": [1, \"}\"], \"b\": \"x\\\"y\"}"),
                                         .failure_cost_seconds = failure_cost_seconds};
    ck_assert_int_eq(shard_builder_add_task(builder, &spec), 1);
    add_edge(builder, "Align/1", "merge");
    return seal(builder);
}

static void publish(shard_catalog *catalog, const shard_workflow *workflow, char commit[SHARD_COMMIT_TEXT])
{
    ck_assert_int_eq(shard_catalog_publish(catalog, workflow, NULL, commit), 0);
    ck_assert_int_eq(shard_catalog_sync(catalog), 0);
}

static double cost_of(const shard_workflow *workflow, const char *task)
{
    struct shard_task_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_task(workflow, shard_workflow_find_task(workflow, task), &info), 0);
    return info.failure_cost_seconds;
}

static shard_workflow *load(shard_catalog *catalog, const char *revision)
{
    const struct shard_catalog_request how = {.struct_size = sizeof(how), .revision = revision};
    shard_workflow *workflow = NULL;
    int status = shard_catalog_load(catalog, &how, NULL, &workflow);
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s", error.message);
    return workflow;
}

/* What is read elsewhere gives the same files again, and is the same when it is read from them. */
START_TEST(a_workflow_comes_back_as_it_was_published)
{
    char first[SHARD_COMMIT_TEXT], second[SHARD_COMMIT_TEXT];
    struct shard_workflow_info a = {.struct_size = sizeof(a)}, b = {.struct_size = sizeof(b)};
    shard_workflow *published = NULL;
    shard_builder *builder = random_builder(context, (unsigned)_i, 60);
    if (shard_builder_seal(builder, &published) < 0) {
        /* A random cycle: nothing to publish. */
        shard_builder_free(builder);
        return;
    }
    shard_builder_free(builder);
    shard_catalog *here = open_catalog("here", NULL);
    publish(here, published, first);
    shard_catalog *there = open_catalog("there", NULL);
    shard_workflow *loaded = load(there, NULL);
    shard_workflow *again = load(here, first);
    assert_same_workflow(loaded, again);
    ck_assert_int_eq(shard_catalog_publish(there, loaded, NULL, second), 0);
    ck_assert_str_eq(first, second);
    ck_assert_int_eq(shard_workflow_describe(published, &a), 0);
    ck_assert_int_eq(shard_workflow_describe(loaded, &b), 0);
    ck_assert_int_eq(a.task_count, b.task_count);
    ck_assert_int_eq(a.edge_count, b.edge_count);
    ck_assert_int_eq(a.data_count, b.data_count);
    sh(&bed, "git -C remote fsck --strict");
    shard_workflow_unref(loaded);
    shard_workflow_unref(again);
    shard_workflow_unref(published);
    shard_catalog_close(here);
    shard_catalog_close(there);
}
END_TEST

START_TEST(any_revision_can_be_loaded)
{
    char commits[2][SHARD_COMMIT_TEXT];
    shard_catalog *catalog = open_catalog("here", "flows/one");
    for (int i = 0; i < 2; i++) {
        shard_workflow *workflow = make_pair(10 + i);
        publish(catalog, workflow, commits[i]);
        shard_workflow_unref(workflow);
    }
    sh(&bed, "git -C here tag first %s", commits[0]);
    const char *revisions[] = {commits[0], commits[1], "first", "refs/heads/flows/one~1", "flows/one", NULL};
    const double costs[] = {10, 11, 10, 10, 11, 11};
    for (int i = 0; i < 6; i++) {
        shard_workflow *workflow = load(catalog, revisions[i]);
        ck_assert_double_eq(cost_of(workflow, "merge"), costs[i]);
        shard_workflow_unref(workflow);
    }
    shard_catalog_close(catalog);
}
END_TEST

struct kept {
    char text[400];
    int decisions;
};

static int keep_commits(void *self, const struct shard_catalog_commit *commit)
{
    struct kept *kept = self;
    size_t length = strlen(kept->text);
    snprintf(kept->text + length, sizeof(kept->text) - length, "%s%s", length > 0 ? "\n" : "", commit->commit);
    kept->decisions += commit->is_decision;
    ck_assert_int_eq(commit->is_change, 1);
    ck_assert_str_eq(commit->author, "libshard");
    return 0;
}

static int stop_at_once(void *self, const struct shard_catalog_commit *commit)
{
    (void)commit;
    return ++*(int *)self;
}

START_TEST(plain_git_reads_the_history_of_a_task)
{
    char commit[SHARD_COMMIT_TEXT], path[SHARD_CATALOG_PATH];
    shard_catalog *catalog = open_catalog("here", NULL);
    for (int i = 0; i < 3; i++) {
        shard_workflow *workflow = make_pair(10 + i);
        publish(catalog, workflow, commit);
        shard_workflow_unref(workflow);
    }
    ck_assert_int_eq(shard_catalog_task_path("merge", path), 0);
    sh(&bed, "git clone -q remote clone");
    ck_assert_str_eq(sh(&bed, "git -C clone log --format=%%H -- '%s' | wc -l", path), "3");
    ck_assert_ptr_nonnull(strstr(sh(&bed, "git -C clone blame '%s' | grep failure_cost", path), "libshard"));
    ck_assert_ptr_nonnull(strstr(sh(&bed, "cat clone/'%s'", path), "\n  \"failure_cost_seconds\": 12,\n"));
    struct kept kept = {"", 0};
    int told = 0;
    ck_assert_int_eq(shard_catalog_history(catalog, "merge", keep_commits, &kept), 0);
    ck_assert_str_eq(sh(&bed, "git -C clone log --format=%%H -- '%s'", path), kept.text);
    ck_assert_int_eq(kept.decisions, 0);
    ck_assert_int_eq(shard_catalog_history(catalog, "merge", stop_at_once, &told), 0);
    ck_assert_int_eq(told, 1);
    ck_assert_int_eq(shard_catalog_history(catalog, "nobody", stop_at_once, &told), 0);
    ck_assert_int_eq(told, 1);
    ck_assert_int_eq(shard_catalog_history(catalog, "", stop_at_once, &told), SHARD_EINVAL);
    ck_assert_int_eq(shard_catalog_task_path("Align/1", path), 0);
    ck_assert_ptr_nonnull(strstr(path, "/align_1-"));
    ck_assert_str_eq(sh(&bed, "git -C clone log --format=%%H -- '%s' | wc -l", path), "1");
    sh(&bed, "git -C clone fsck --strict");
    shard_catalog_close(catalog);
}
END_TEST

/* README and the like, and what was decided. */
START_TEST(files_of_others_stay_when_a_workflow_is_published)
{
    char commit[SHARD_COMMIT_TEXT], path[SHARD_CATALOG_PATH];
    shard_catalog *catalog = open_catalog("here", NULL);
    shard_workflow *workflow = make_pair(1);
    publish(catalog, workflow, commit);
    ck_assert_int_eq(shard_catalog_task_path("merge", path), 0);
    path[strlen(path) - strlen("json")] = '\0';
    sh(&bed,
       "git clone -q remote clone && cd clone && echo hello >README.md && echo split >'%slog' && git add . && "
       "git commit -q -m notes && git push -q",
       path);
    ck_assert_int_eq(shard_catalog_sync(catalog), 0);
    shard_workflow_unref(workflow);
    workflow = make_pair(2);
    publish(catalog, workflow, commit);
    shard_workflow_unref(workflow);
    sh(&bed, "cd clone && git pull -q && test -f README.md && grep split '%slog' && grep -q ': 2' '%sjson'", path,
       path);
    shard_catalog_close(catalog);
}
END_TEST

START_TEST(what_is_not_there_is_said)
{
    shard_catalog *catalog = open_catalog("here", NULL);
    shard_workflow *workflow = NULL;
    const struct shard_catalog_request how = {.struct_size = sizeof(how), .revision = "no-such"};
    ck_assert_int_eq(shard_catalog_load(catalog, NULL, NULL, &workflow), SHARD_ENOENT);
    assert_message_has("has no branch 'main': publish a workflow first");
    ck_assert_int_eq(shard_catalog_load(catalog, &how, NULL, &workflow), SHARD_ENOENT);
    assert_message_has("'no-such' is no revision");
    ck_assert_ptr_null(workflow);
    shard_catalog_close(catalog);
}
END_TEST

START_TEST(a_repository_that_cannot_serve_is_refused)
{
    char commit[SHARD_COMMIT_TEXT], paths[3][200], url[200];
    shard_catalog *catalog = open_catalog("here", NULL);
    for (int i = 0; i < 2; i++) {
        shard_workflow *workflow = make_pair(i);
        publish(catalog, workflow, commit);
        shard_workflow_unref(workflow);
    }
    shard_catalog_close(catalog);
    catalog = NULL;
    sh(&bed, "git clone -q --bare --depth 1 file://%s/remote shallow && echo text >file && mkdir empty", bed.path);
    snprintf(paths[0], sizeof(paths[0]), "%s/shallow", bed.path);
    snprintf(paths[1], sizeof(paths[1]), "%s/file", bed.path);
    snprintf(paths[2], sizeof(paths[2]), "%s/empty", bed.path);
    snprintf(url, sizeof(url), "%s/nowhere", bed.path);
    static const char *const messages[] = {"is a shallow clone, expected a whole one", "cannot be opened as a bare",
                                           "cannot be opened as a bare"};
    static const int codes[] = {SHARD_ENOTSUP, SHARD_ENOENT, SHARD_ENOENT};
    for (int i = 0; i < 3; i++) {
        const struct shard_catalog_config config = {.struct_size = sizeof(config), .path = paths[i]};
        ck_assert_int_lt(shard_catalog_open(context, &config, &catalog), 0);
        assert_message_has(messages[i]);
        ck_assert_int_eq(last_code(), codes[i]);
    }
    snprintf(paths[0], sizeof(paths[0]), "%s/new", bed.path);
    const struct shard_catalog_config config = {.struct_size = sizeof(config), .path = paths[0], .url = url};
    ck_assert_int_lt(shard_catalog_open(context, &config, &catalog), 0);
    assert_message_has("nowhere' cannot be reached");
    snprintf(url, sizeof(url), "file://%s/shallow", bed.path);
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), SHARD_ECORRUPT);
    assert_message_has("shallow' lacks objects of its branch, as a shallow clone does");
    ck_assert_ptr_null(catalog);
}
END_TEST

START_TEST(names_that_differ_by_case_do_not_collide)
{
    char paths[2][SHARD_CATALOG_PATH];
    ck_assert_int_eq(shard_catalog_task_path("Align", paths[0]), 0);
    ck_assert_int_eq(shard_catalog_task_path("align", paths[1]), 0);
    ck_assert_int_ne(strcasecmp(paths[0], paths[1]), 0);
}
END_TEST

/* The prior, trained on a table of one column. */
static void *make_model(int rows, size_t *ret_size)
{
    char text[4096] = "t,te,y,a\n";
    for (int i = 0; i < rows; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d,%d,%d,%d\n", i, i + 1, i % 3 == 0, i % 5);
    shard_table *table = NULL;
    shard_model *model = NULL;
    void *bytes = NULL;
    const struct shard_train_config config = {.struct_size = sizeof(config), .candidate = "prior"};
    ck_assert_int_eq(shard_table_new(context, NULL, &table), 0);
    ck_assert_int_eq(shard_table_feed(table, text, strlen(text)), 0);
    ck_assert_int_eq(shard_table_end(table), 0);
    ck_assert_int_eq(shard_train(context, table, &config, &model), 0);
    ck_assert_int_eq(shard_model_to_bytes(context, model, &bytes, ret_size), 0);
    shard_model_free(model);
    shard_table_free(table);
    return bytes;
}

static void check_model(shard_catalog *catalog, const char *revision, const void *bytes, size_t size)
{
    void *found = NULL;
    size_t found_size = 0;
    ck_assert_int_eq(shard_catalog_get_model(catalog, "failure", revision, &found, &found_size), 0);
    ck_assert_int_eq(found_size, size);
    ck_assert_mem_eq(found, bytes, size);
    shard_free(context, found);
}

START_TEST(models_come_back_byte_by_byte)
{
    char first[SHARD_COMMIT_TEXT], second[SHARD_COMMIT_TEXT], again[SHARD_COMMIT_TEXT];
    size_t old_size, new_size;
    char *old = make_model(100, &old_size), *new = make_model(200, &new_size);
    shard_catalog *catalog = open_catalog("here", NULL);
    void *none = NULL;
    ck_assert_int_eq(shard_catalog_get_model(catalog, "failure", NULL, &none, &new_size), SHARD_ENOENT);
    ck_assert_int_eq(shard_catalog_put_model(catalog, "failure", old, old_size, NULL, first), 0);
    ck_assert_int_eq(shard_catalog_put_model(catalog, "failure", new, new_size, "Better", second), 0);
    ck_assert_int_eq(shard_catalog_put_model(catalog, "failure", new, new_size, NULL, again), 0);
    ck_assert_str_eq(second, again);
    check_model(catalog, NULL, new, new_size);
    check_model(catalog, first, old, old_size);
    ck_assert_ptr_nonnull(strstr(sh(&bed, "git -C here show main:models/failure.txt"), "columns"));
    ck_assert_int_eq(shard_catalog_get_model(catalog, "other", NULL, &none, &new_size), SHARD_ENOENT);
    assert_message_has("has no 'models/other.model'");
    old[old_size / 2] ^= 1; /* its checksum is not right any more */
    ck_assert_int_lt(shard_catalog_put_model(catalog, "failure", old, old_size, NULL, again), 0);
    static const char *const names[] = {NULL, "", "../up", "A", ".git", "a/b"};
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(shard_catalog_put_model(catalog, names[i], new, new_size, NULL, again), SHARD_EINVAL);
    ck_assert_ptr_null(none);
    shard_workflow *workflow = make_pair(1);
    publish(catalog, workflow, again);
    check_model(catalog, NULL, new, new_size);
    shard_workflow_unref(workflow);
    shard_free(context, old);
    shard_free(context, new);
    shard_catalog_close(catalog);
}
END_TEST

START_TEST(a_disk_that_is_full_loses_nothing)
{
    char commit[SHARD_COMMIT_TEXT];
    struct rlimit whole, small;
    shard_catalog *catalog = open_catalog("here", NULL);
    shard_workflow *workflow = make_pair(1), *changed = make_pair(2), *loaded = NULL;
    publish(catalog, workflow, commit);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &whole), 0);
    small = (struct rlimit){.rlim_cur = 10, .rlim_max = whole.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert_int_eq(shard_catalog_publish(catalog, changed, NULL, commit), SHARD_ENOSPC);
    assert_message_has("make room there");
    ck_assert_int_eq(shard_catalog_load(catalog, NULL, NULL, &loaded), 0);
    assert_same_workflow(workflow, loaded);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &whole), 0);
    publish(catalog, changed, commit);
    sh(&bed, "git -C here fsck --strict");
    shard_workflow_unref(workflow);
    shard_workflow_unref(changed);
    shard_workflow_unref(loaded);
    shard_catalog_close(catalog);
}
END_TEST

START_TEST(arguments_that_make_no_sense_are_refused)
{
    shard_catalog *catalog = NULL;
    char path[SHARD_CATALOG_PATH];
    const struct shard_catalog_config configs[] = {
        {.struct_size = sizeof(configs[0])},
        {.struct_size = sizeof(configs[0]), .path = ""},
        {.struct_size = sizeof(configs[0]), .path = "x", .url = ""},
        {.struct_size = sizeof(configs[0]), .path = "x", .branch = "a..b"},
        {.struct_size = sizeof(configs[0]), .path = "x", .branch = ""},
        {.struct_size = sizeof(configs[0]), .path = "x", .author = "<>"},
    };
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
        ck_assert_int_eq(shard_catalog_open(context, &configs[i], &catalog), SHARD_EINVAL);
    ck_assert_int_eq(shard_catalog_task_path(NULL, path), SHARD_EINVAL);
    ck_assert_int_eq(shard_catalog_task_path("", path), SHARD_EINVAL);
    ck_assert_ptr_null(catalog);
    shard_catalog_close(NULL);
}
END_TEST

START_TEST(one_field_of_a_task_is_amended)
{
    char commits[3][SHARD_COMMIT_TEXT];
    shard_catalog *catalog = open_catalog("here", NULL);
    shard_workflow *workflow = make_pair(1);
    publish(catalog, workflow, commits[0]);
    ck_assert_int_eq(shard_catalog_amend(catalog, "merge", "failure_cost_seconds", "30", "why", commits[1]), 0);
    ck_assert_int_eq(shard_catalog_amend(catalog, "merge", "failure_cost_seconds", "30", NULL, commits[2]), 0);
    ck_assert_str_eq(commits[1], commits[2]);
    ck_assert_int_eq(shard_catalog_amend(catalog, "merge", "memory_bytes", "\"1 GiB\"", NULL, commits[2]), 0);
    ck_assert_str_eq(sh(&bed, "git -C here log --format=%%s -2"), "merge: amend memory_bytes\nwhy");
    ck_assert_int_eq(shard_catalog_amend(catalog, "merge", "payload", NULL, NULL, commits[2]), 0);
    static const char *const bad[][3] = {{"merge", "failure_cost_seconds", "much"},
                                         {"merge", "colour", "1"},
                                         {"merge", "name", "\"x\""},
                                         {"nobody", "units", "2"},
                                         {"merge", "a\"b", "1"}};
    static const int codes[] = {SHARD_EPARSE, SHARD_EPARSE, SHARD_EINVAL, SHARD_ENOENT, SHARD_EINVAL};
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(shard_catalog_amend(catalog, bad[i][0], bad[i][1], bad[i][2], NULL, commits[2]), codes[i]);
    shard_workflow_unref(workflow);
    workflow = load(catalog, NULL);
    struct shard_task_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_workflow_task(workflow, shard_workflow_find_task(workflow, "merge"), &info), 0);
    ck_assert_double_eq(info.failure_cost_seconds, 30);
    ck_assert_int_eq(info.memory_bytes, 1 << 30);
    ck_assert_uint_eq(info.payload_bytes, 0);
    shard_workflow_unref(workflow);
    shard_catalog_close(catalog);
}
END_TEST

/* No memory at any point: the call says so, and nothing is lost. */
START_TEST(without_memory_nothing_is_lost)
{
    char commit[SHARD_COMMIT_TEXT];
    shard_catalog *catalog = open_catalog("here", NULL);
    shard_workflow *workflow = make_pair(3), *loaded = NULL;
    int status = SHARD_ENOMEM;
    for (long i = 1; status < 0; i++) {
        tracked.fail_at = tracked.calls + i;
        status = shard_catalog_publish(catalog, workflow, NULL, commit);
        tracked.fail_at = 0;
        ck_assert(status == 0 || status == SHARD_ENOMEM);
    }
    status = SHARD_ENOMEM;
    for (long i = 1; status < 0; i++) {
        tracked.fail_at = tracked.calls + i;
        status = shard_catalog_load(catalog, NULL, NULL, &loaded);
        tracked.fail_at = 0;
        ck_assert(status == 0 || status == SHARD_ENOMEM);
    }
    ck_assert_double_eq(cost_of(loaded, "merge"), 3);
    shard_workflow_unref(loaded);
    shard_workflow_unref(workflow);
    shard_catalog_close(catalog);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tests = tcase_create("catalog");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_workflow_comes_back_as_it_was_published, 0, 10);
    tcase_add_test(tests, any_revision_can_be_loaded);
    tcase_add_test(tests, models_come_back_byte_by_byte);
    tcase_add_test(tests, a_disk_that_is_full_loses_nothing);
    tcase_add_test(tests, plain_git_reads_the_history_of_a_task);
    tcase_add_test(tests, files_of_others_stay_when_a_workflow_is_published);
    tcase_add_test(tests, what_is_not_there_is_said);
    tcase_add_test(tests, a_repository_that_cannot_serve_is_refused);
    tcase_add_test(tests, names_that_differ_by_case_do_not_collide);
    tcase_add_test(tests, arguments_that_make_no_sense_are_refused);
    tcase_add_test(tests, one_field_of_a_task_is_amended);
    tcase_add_test(tests, without_memory_nothing_is_lost);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
