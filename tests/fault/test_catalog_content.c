/* SPDX-License-Identifier: Apache-2.0 */
/* Content of a catalog that somebody broke: what it is and where is said, and the rest stays of use. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/catalog.h>

#include "git_bed.h"
#include "suite.h"
#include "tracked.h"
#include "workflows.h"

static struct tracked tracked;
static shard_context *context;
static struct git_bed bed;
static shard_catalog *catalog;
static char path_of_b[SHARD_CATALOG_PATH];

/* a -> b -> c, and d alone; in a clone with a work tree, for the tests to break. */
static void setup(void)
{
    char path[200], commit[SHARD_COMMIT_TEXT];
    context = tracked_context(&tracked, NULL, NULL);
    git_bed_make(&bed);
    snprintf(path, sizeof(path), "%s/here", bed.path);
    const struct shard_catalog_config config = {.struct_size = sizeof(config), .path = path};
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), 0);
    shard_builder *builder = new_builder(context);
    for (const char *name = "a\0b\0c\0d\0"; *name != '\0'; name += 2)
        add_task(builder, name);
    add_edge(builder, "a", "b");
    add_edge(builder, "b", "c");
    ck_assert_int_eq(shard_builder_add_data(builder, "input", 5), 0);
    ck_assert_int_eq(shard_builder_add_input(builder, 3, 0), 0);
    shard_workflow *workflow = seal(builder);
    ck_assert_int_eq(shard_catalog_publish(catalog, workflow, NULL, commit), 0);
    shard_workflow_unref(workflow);
    ck_assert_int_eq(shard_catalog_task_path("b", path_of_b), 0);
    sh(&bed, "git clone -q here clone");
}

static void teardown(void)
{
    shard_catalog_close(catalog);
    git_bed_remove(&bed);
    tracked_context_free(&tracked, context);
}

static void commit_clone(void)
{
    sh(&bed, "cd clone && git add -A . && git commit -q -m broken && git push -q");
}

static void expect_refused(int code, const char *message)
{
    shard_workflow *workflow = NULL;
    int status = shard_catalog_load(catalog, NULL, NULL, &workflow);
    assert_message_has(message);
    ck_assert_int_eq(status, code);
    ck_assert_ptr_null(workflow);
}

START_TEST(a_bad_task_is_named_with_its_field)
{
    static const struct {
        const char *text;
        int code;
        const char *message;
    } cases[] = {
        {"{\"name\": \"b\",\\n\"failure_cost_seconds\": \"much\"}", SHARD_EPARSE, ":2:25: /failure_cost_seconds: "},
        {"{\"name\": \"b\", \"failure_cost_seconds\": -1}", SHARD_EINVAL, "failure_cost_seconds"},
        {"{\"name\": \"b\", \"colour\": 1}", SHARD_EPARSE, "the key 'colour' is not known"},
        {"{\"name\": \"b\", \"after\": \"a\"}", SHARD_EPARSE, "/after: "},
        {"{\"name\": \"b\", \"after\": [\"b\"]}", SHARD_ECYCLE, "/after/0: "},
        {"{\"name\": \"b\"", SHARD_EPARSE, "the text ends here"},
        {"{\"name\": \"x\"}", SHARD_EINVAL, "/name: is task 'x', whose file is 'tasks/"},
        {"{}", SHARD_EPARSE, "has no 'name'"},
        {"[]", SHARD_EPARSE, "expected"},
        {"", SHARD_EPARSE, "the text ends here"},
        {"{\"name\": \"b\", \"after\": [\"nobody\"]}", SHARD_ENOENT, "/after: there is no task 'nobody'"},
    };
    sh(&bed, "cd clone && printf '%s' >'%s'", cases[_i].text, path_of_b);
    commit_clone();
    expect_refused(cases[_i].code, cases[_i].message);
    assert_message_has(path_of_b);
}
END_TEST

START_TEST(the_rest_stays_of_use)
{
    const struct shard_catalog_request how = {.struct_size = sizeof(how), .keep_rest = 1};
    struct shard_catalog_report report = {.struct_size = sizeof(report)};
    shard_workflow *workflow = NULL;
    sh(&bed, "cd clone && echo '{' >'%s'", path_of_b);
    commit_clone();
    ck_assert_int_eq(shard_catalog_load(catalog, &how, &report, &workflow), 0);
    ck_assert_int_ge(shard_workflow_find_task(workflow, "a"), 0);
    ck_assert_int_ge(shard_workflow_find_task(workflow, "d"), 0);
    ck_assert_int_eq(shard_workflow_find_task(workflow, "b"), SHARD_ENOENT);
    ck_assert_int_eq(shard_workflow_find_task(workflow, "c"), SHARD_ENOENT);
    ck_assert_int_eq(report.bad, 1);
    ck_assert_int_eq(report.left_out, 2);
    ck_assert_ptr_nonnull(strstr(report.problems, path_of_b));
    ck_assert_str_eq(report.commit, sh(&bed, "git -C clone rev-parse HEAD"));
    shard_free(context, report.problems);
    shard_workflow_unref(workflow);
}
END_TEST

/* Shell commands in the clone that break it, and what is said of it. */
static const struct {
    const char *command;
    int code;
    const char *message;
} breaks[] = {
    {"ln -s /etc/passwd tasks/0/0/link.json", SHARD_EINVAL, "link.json' is a symbolic link, expected a file"},
    {"ln -s / tasks/0/0/0", SHARD_EINVAL, "is a symbolic link"},
    {"git init -q tasks/0/0/sub && git -C tasks/0/0/sub commit -q --allow-empty -m x", SHARD_EINVAL, "is a submodule"},
    {"echo x >tasks/0/file", SHARD_EINVAL, "tasks/0/file' is a file, expected a directory"},
    {"mkdir -p tasks/g && echo x >tasks/g/x", SHARD_EINVAL, "tasks/g' is not of the layout"},
    {"mkdir -p tasks/0/0/0/x && echo x >tasks/0/0/0/x/x", SHARD_EINVAL, "is a directory, expected a file"},
    {"mkdir -p tasks/0/0/0 && echo x >tasks/0/0/0/A.json", SHARD_EINVAL, "has a name that no file"},
    {"mkdir -p tasks/0/0/0 && echo x >'tasks/0/0/0/a b.json'", SHARD_EINVAL, "has a name that no file"},
    {"cp \"$(ls tasks/*/*/*/b-*)\" tasks/0/0/0/b-0.json", SHARD_EINVAL, "/name: is task 'b', whose file is 'tasks/"},
    {"rm workflow.json", SHARD_ENOENT, "has no workflow.json"},
    {"echo x >workflow.json", SHARD_EPARSE, "workflow.json:1:1"},
    {"rm workflow.json && ln -s x workflow.json", SHARD_EINVAL, "'workflow.json' is no file"},
    {"rm -r tasks && echo x >tasks", SHARD_EINVAL, "'tasks' is no directory"},
    {"echo '[{\"name\": \"input\", \"bytes\": -7}]' >data/00.json", SHARD_EINVAL, "data/00.json:1:"},
    {"git config core.compression 1 && truncate -s 1G tasks/0/0/0/huge.json", SHARD_ELIMIT,
     "the file has 1073741824 bytes, expected at most"},
    {"head -c 40000000 /dev/zero >tasks/0/0/0/big.json", SHARD_ELIMIT, "the file has 40000000 bytes, expected at most"},
};

START_TEST(content_that_is_not_of_the_layout_is_refused)
{
    sh(&bed, "cd clone && mkdir -p tasks/0/0 && { [ %d = 1 ] || mkdir -p tasks/0/0/0; } && %s", _i, breaks[_i].command);
    commit_clone();
    expect_refused(breaks[_i].code, breaks[_i].message);
}
END_TEST

/* Trees that git's own commands would not make: an entry of that name, in tasks/0/0/0. */
static void commit_tree(const char *entries)
{
    sh(&bed,
       "cd here && leaf=$( %s ) && level=$leaf && for i in 0 0 0; do level=$(printf '040000 tree %%s\\t%%s\\n' $level "
       "$i "
       "| "
       "git mktree); done && root=$( (git ls-tree main | grep -v tasks; printf '040000 tree %%s\\ttasks\\n' $level) | "
       "git mktree) && git update-ref refs/heads/main $(git commit-tree -m broken -p main $root)",
       entries);
}

START_TEST(names_that_lead_elsewhere_are_refused)
{
    static const char *const names[] = {"..", ".", ".git", ".GIT", "git~1", "a/../../b"};
    char command[400];
    snprintf(command, sizeof(command),
             "python3 -c 'import sys; sys.stdout.buffer.write(b\"100644 %s\\0\" + b\"x\" * 20)' | "
             "git hash-object -t tree -w --literally --stdin",
             names[_i]);
    commit_tree(command);
    shard_workflow *workflow = NULL;
    int status = shard_catalog_load(catalog, NULL, NULL, &workflow);
    assert_message_has("tasks/0/0/0");
    ck_assert(status == SHARD_EINVAL || status == SHARD_ECORRUPT);
}
END_TEST

START_TEST(a_directory_of_a_million_files_is_refused)
{
    static const int counts[] = {70000, 1000000};
    static const char *const messages[] = {"the directory has 70000 entries, expected at most 65536",
                                           "the directory has "};
    char command[400];
    snprintf(
        command, sizeof(command),
        "python3 -c 'import sys; sys.stdout.buffer.write(bytes().join(b\"100644 %%08d\\0\" %% i + b\"x\" * 20 for i in "
        "range(%d)))' | git hash-object -t tree -w --literally --stdin",
        counts[_i]);
    commit_tree(command);
    expect_refused(SHARD_ELIMIT, messages[_i]);
}
END_TEST

START_TEST(a_pack_that_is_broken_is_said_to_be)
{
    shard_catalog_close(catalog);
    catalog = NULL;
    sh(&bed, "cd here && git gc -q && chmod u+w objects/pack/*.pack && size=$(stat -c %%s objects/pack/*.pack) && "
             "head -c $((size - 60)) /dev/zero | tr '\\0' '\\377' | dd of=$(ls objects/pack/*.pack) bs=1 seek=40 "
             "conv=notrunc");
    char path[200];
    snprintf(path, sizeof(path), "%s/here", bed.path);
    const struct shard_catalog_config config = {.struct_size = sizeof(config), .path = path};
    shard_workflow *workflow = NULL;
    int status = shard_catalog_open(context, &config, &catalog);
    if (status == 0)
        status = shard_catalog_load(catalog, NULL, NULL, &workflow);
    assert_message_has("see git fsck");
    ck_assert_int_eq(status, SHARD_ECORRUPT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog content");
    TCase *tests = tcase_create("catalog content");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 100);
    tcase_add_loop_test(tests, a_bad_task_is_named_with_its_field, 0, 11);
    tcase_add_test(tests, the_rest_stays_of_use);
    tcase_add_loop_test(tests, content_that_is_not_of_the_layout_is_refused, 0, sizeof(breaks) / sizeof(breaks[0]));
    tcase_add_loop_test(tests, names_that_lead_elsewhere_are_refused, 0, 6);
    tcase_add_loop_test(tests, a_directory_of_a_million_files_is_refused, 0, 2);
    tcase_add_test(tests, a_pack_that_is_broken_is_said_to_be);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
