/* SPDX-License-Identifier: Apache-2.0 */

/* The layouts of control groups are told apart, on files recorded from machines of each kind. */

#include "bed.h"

#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL (LAUNCH__MEMORY | LAUNCH__CPU | LAUNCH__CPUACCT | LAUNCH__PIDS)

static const struct {
    const char *machine;
    enum launch_layout kind;
    unsigned controllers; /* that we can use */
    /* Where memory is, if it is anywhere. */
    bool memory_v2;
    const char *memory_mount;
    const char *memory_own;
} layouts[] = {
    {"hybrid", LAUNCH_LAYOUT_HYBRID, ALL, false, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/service/payload"},
    {"v1", LAUNCH_LAYOUT_V1, ALL, false, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/user.slice"},
    {"v1-container", LAUNCH_LAYOUT_V1, ALL, false, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory"},
    {"v2", LAUNCH_LAYOUT_V2, ALL, true, "/sys/fs/cgroup",
     "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-u7.scope"},
    {"v2-container", LAUNCH_LAYOUT_V2, LAUNCH__MEMORY | LAUNCH__PIDS | LAUNCH__CPUACCT, true, "/sys/fs/cgroup",
     "/sys/fs/cgroup"},
    {"hybrid-split", LAUNCH_LAYOUT_HYBRID, ALL, true, "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/b"},
    {"systemd-only", LAUNCH_LAYOUT_V2, ALL, true, "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/init.scope"},
    {"none", LAUNCH_LAYOUT_NONE, 0, false, NULL, NULL},
    {"broken", LAUNCH_LAYOUT_V1, LAUNCH__MEMORY, false, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory"},
};

#define LAYOUTS ((int)(sizeof layouts / sizeof layouts[0]))

START_TEST(a_recorded_layout_is_recognised)
{
    char prefix[256];
    struct launch_error error = {""};
    struct launch__layout layout;
    unsigned controllers = 0;

    snprintf(prefix, sizeof prefix, TEST_DATA "/cgroup/%s", layouts[_i].machine);
    ck_assert_msg(launch__layout_read(prefix, &error, &layout) == 0, "%s", error.text);
    ck_assert_int_eq(layout.kind, layouts[_i].kind);
    for (size_t i = 0; i < layout.count; i++) {
        const struct launch__hierarchy *hierarchy = &layout.hierarchy[i];
        ck_assert_msg((controllers & hierarchy->controllers) == 0, "a controller in two hierarchies");
        controllers |= hierarchy->controllers;
        if ((hierarchy->controllers & LAUNCH__MEMORY) == 0)
            continue;
        ck_assert_int_eq(hierarchy->v2, layouts[_i].memory_v2);
        ck_assert_str_eq(hierarchy->mount + strlen(prefix), layouts[_i].memory_mount);
        ck_assert_str_eq(hierarchy->own + strlen(prefix), layouts[_i].memory_own);
    }
    ck_assert_uint_eq(controllers, layouts[_i].controllers);
    launch__layout_clear(&layout);
}
END_TEST

START_TEST(a_mount_point_with_a_space_is_decoded)
{
    struct launch__layout layout;

    ck_assert_int_eq(launch__layout_read(TEST_DATA "/cgroup/hybrid-split", NULL, &layout), 0);
    ck_assert_str_eq(layout.hierarchy[0].own, TEST_DATA "/cgroup/hybrid-split/sys/fs/cgroup/cpu one/a");
    launch__layout_clear(&layout);
}
END_TEST

START_TEST(the_path_of_a_container_loses_the_root_of_its_mount)
{
    struct launch__layout layout;
    bool seen = false;

    ck_assert_int_eq(launch__layout_read(TEST_DATA "/cgroup/v1-container", NULL, &layout), 0);
    for (size_t i = 0; i < layout.count; i++)
        seen = seen || strcmp(layout.hierarchy[i].own, TEST_DATA "/cgroup/v1-container/sys/fs/cgroup/pids/inner") == 0;
    ck_assert(seen);
    launch__layout_clear(&layout);
}
END_TEST

START_TEST(a_machine_without_proc_is_an_error)
{
    struct launch_error error = {""};
    struct launch__layout layout;

    ck_assert_int_eq(launch__layout_read("/nowhere", &error, &layout), -ENOENT);
    ck_assert_ptr_nonnull(strstr(error.text, "/nowhere/proc/self/mountinfo"));
}
END_TEST

START_TEST(names_of_groups_are_escaped_and_stay_apart)
{
    static const struct {
        const char *name;
        const char *escaped;
    } cases[] = {{"node-1_A", "node-1_A"}, {"a.b/c", "a%2eb%2fc"}, {"tasks", "%74asks"},
                 {"..", "%2e%2e"},         {"50%", "50%25"},       {"\xc3\xa9", "%c3%a9"}};
    char escaped[200];
    char one[200];
    char other[200];
    char name[10001];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        launch__group_escape(cases[i].name, escaped, sizeof escaped);
        ck_assert_str_eq(escaped, cases[i].escaped);
    }
    memset(name, '/', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    launch__group_escape(name, one, sizeof one);
    name[sizeof name - 2] = 'x';
    launch__group_escape(name, other, sizeof other);
    ck_assert_str_ne(one, other);
    launch__group_leaf("/a/t.1", one, sizeof one);
    launch__group_leaf("/b/t.1", other, sizeof other);
    ck_assert_str_ne(one, other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch layout");
    TCase *tcase = tcase_create("layout");
    tcase_add_loop_test(tcase, a_recorded_layout_is_recognised, 0, LAYOUTS);
    tcase_add_test(tcase, a_mount_point_with_a_space_is_decoded);
    tcase_add_test(tcase, the_path_of_a_container_loses_the_root_of_its_mount);
    tcase_add_test(tcase, a_machine_without_proc_is_an_error);
    tcase_add_test(tcase, names_of_groups_are_escaped_and_stay_apart);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
