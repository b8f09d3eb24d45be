/* SPDX-License-Identifier: Apache-2.0 */

/* What a container may not see or do; what is said when the machine, or the caller, lacks something. */

#include "bed.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *run_in(struct bed *bed, struct launch_spec spec)
{
    struct launch_result result = bed_run(bed, &spec);
    ck_assert_msg(result.how == LAUNCH_EXITED, "how %d: %s", result.how, result.message);
    return bed_read(spec.dir, "stdout");
}

static void refuse(struct bed *bed, const struct launch_spec *spec, int code, const char *complaint)
{
    struct launch_error error = {""};
    struct launch_attempt *attempt = NULL;
    ck_assert_int_eq(launch_start(bed->env, spec, &error, &attempt), code);
    ck_assert_ptr_null(attempt);
    ck_assert_msg(strstr(error.text, complaint) != NULL, "%s", error.text);
}

START_TEST(a_container_has_walls)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "");
#define SEE(script, seen)                           \
    do {                                            \
        spec = bed_spec(&bed, script);              \
        ck_assert_str_eq(run_in(&bed, spec), seen); \
    } while (0)
    SEE("touch /x 2>/dev/null || touch /usr/x 2>/dev/null || touch /etc/x 2>/dev/null || echo read-only",
        "read-only\n");
    SEE("touch /tmp/x && echo scratch", "scratch\n");
    SEE("grep -E 'CapEff|CapBnd|CapPrm|CapAmb' /proc/self/status | grep -vc 0000000000000000", "0\n");
    SEE("grep NoNewPrivs /proc/self/status | tr '\\t' ' '", "NoNewPrivs: 1\n");
    SEE("echo /proc/[0-9]*", "/proc/1\n");
    SEE("echo $$", "1\n");
    SEE("uname -n", "h\n");
    SEE("ls /sys/class/net", "lo\n");
    SEE("cat /proc/kcore 2>/dev/null | head -c 1 | wc -c", "0\n");
    SEE("echo 1 2>/dev/null >/proc/sys/vm/drop_caches || echo refused", "refused\n");
    SEE("ls /dev | grep -v core | tr '\\n' ' '", "fd full null ptmx random shm stderr stdin stdout tty urandom zero ");
    SEE("mount -t tmpfs x /tmp 2>/dev/null || echo refused", "refused\n");
    SEE("cut -d: -f3 /proc/self/cgroup | grep -vc '^/$'", "0\n");
    SEE("test -t 0 || wc -c", "0\n");
    bed_clear(&bed);
}
END_TEST

START_TEST(namespaces_are_the_containers_own)
{
    struct bed bed;
    bed_make(&bed, _i);
    char own[1024] = "";
    char link[64];
    static const char *const kinds[] = {"pid", "ipc", "uts", "mnt", "net", "cgroup"};
    struct launch_spec spec = bed_spec(&bed, "for n in pid ipc uts mnt net cgroup; do readlink /proc/self/ns/$n; done");
    snprintf(own, sizeof own, "%s", run_in(&bed, spec));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        ssize_t length = readlink(path, link, sizeof link - 1);
        ck_assert_int_gt(length, 0);
        link[length] = '\0';
        ck_assert_ptr_null(strstr(own, link));
    }
    spec = bed_spec(&bed, "readlink /proc/self/ns/net");
    spec.network = true;
    ssize_t length = readlink("/proc/self/ns/net", link, sizeof link - 1);
    ck_assert_int_gt(length, 0);
    link[length] = '\0';
    ck_assert_int_eq(strncmp(run_in(&bed, spec), link, (size_t)length), 0);
    bed_clear(&bed);
}
END_TEST

START_TEST(bind_mounts_are_as_asked)
{
    struct bed bed;
    char data[96];
    bed_make(&bed, _i);
    snprintf(data, sizeof data, "%s/a \"data\" dir", bed.path);
    ck_assert_int_eq(mkdir(data, 0755), 0);
    struct launch_bind binds[] = {{data, "/mnt/in", true}, {data, "/mnt/out", false}};
    struct launch_spec spec = bed_spec(&bed, "echo 5 >/mnt/out/file; cat /mnt/in/file; touch /mnt/in/x || echo no");
    spec.binds = binds;
    spec.bind_count = 2;
    ck_assert_str_eq(run_in(&bed, spec), "5\nno\n");
    ck_assert_str_eq(bed_read(data, "file"), "5\n");
    bed_clear(&bed);
}
END_TEST

START_TEST(a_spec_that_makes_no_sense_is_refused)
{
    struct bed bed;
    bed_make(&bed, BED_CRUN);
    const char *argv[] = {"/bin/echo", "\xff", NULL};
    const char *none[] = {NULL};
    struct launch_bind bind = {"/nowhere", "/x", true};
    struct launch_spec good = bed_spec(&bed, "");
    struct launch_spec spec = good;
    spec.argv = none;
    refuse(&bed, &spec, -EINVAL, "command");
    spec = good;
    spec.timeout_seconds = -1;
    refuse(&bed, &spec, -EINVAL, "timeout");
    spec.timeout_seconds = 0.0 / 0.0;
    refuse(&bed, &spec, -EINVAL, "timeout");
    spec = good;
    spec.dir = "relative";
    refuse(&bed, &spec, -EINVAL, "absolute");
    spec.dir = "/nowhere/at/all";
    refuse(&bed, &spec, -ENOENT, "/nowhere/at/all");
    spec = good;
    spec.host = "";
    refuse(&bed, &spec, -EINVAL, "host");
    spec = good;
    spec.rootfs = NULL;
    refuse(&bed, &spec, -EINVAL, "root filesystem");
    spec = good;
    spec.binds = &bind;
    spec.bind_count = 1;
    refuse(&bed, &spec, -ENOENT, "/nowhere");
    bind.source = "/tmp";
    bind.target = "/usr/not-there";
    refuse(&bed, &spec, -EROFS, "/usr/not-there");
    bind.target = "/mnt/../../etc";
    refuse(&bed, &spec, -EINVAL, "/mnt/../../etc");
    spec = good;
    spec.argv = argv;
    refuse(&bed, &spec, -EILSEQ, "UTF-8");
    bed_clear(&bed);
}
END_TEST

static void refuse_env(struct launch_env_options options, int code, const char *complaint)
{
    struct launch_error error = {""};
    struct launch_env *env = NULL;
    ck_assert_int_eq(launch_env_open(&options, &error, &env), code);
    ck_assert_ptr_null(env);
    ck_assert_msg(strstr(error.text, complaint) != NULL, "%s", error.text);
}

START_TEST(what_the_machine_lacks_is_named)
{
    struct bed bed;
    bed_make(&bed, BED_PROCESS);
    struct launch_env_options good = {
        .state_dir = bed.path, .id = "launch-test-lacks", .shim_path = TEST_SHIM, .want_containers = true};
    struct launch_env_options options = good;
    options.runtime = "no-such-runtime";
    refuse_env(options, -ENOENT, "no-such-runtime is not installed");
    options.runtime = "/bin/false";
    refuse_env(options, -EIO, "/bin/false does not work: the OCI runtime ended with status 1");
    options = good;
    options.shim_path = "/nowhere/shim";
    refuse_env(options, -ENOENT, "/nowhere/shim");
    options = good;
    options.state_dir = "/proc/nowhere";
    refuse_env(options, -ENOENT, "/proc/nowhere");
    options.state_dir = "here";
    refuse_env(options, -EINVAL, "absolute");
    bed_clear(&bed);
}
END_TEST

START_TEST(without_cgroups_there_is_a_warning_and_processes_run)
{
    struct bed bed;
    struct launch_usage usage;
    bed_make(&bed, BED_BARE);
    ck_assert_ptr_nonnull(strstr(launch_env_warning(bed.env), "not enforced"));
    ck_assert_int_eq(launch_env_layout(bed.env), LAUNCH_LAYOUT_NONE);
    struct launch_result result = bed_run_script(&bed, "exit 6");
    ck_assert(result.how == LAUNCH_EXITED && result.exit_code == 6);
    ck_assert_uint_gt(result.max_memory_bytes, 0);
    ck_assert_int_eq(launch_host_usage(bed.env, "h", &usage), -ENOTSUP);
    bed_clear(&bed);
}
END_TEST

/* Another user, who may not make cgroups: told so once, and plain processes run. */
START_TEST(without_privileges_processes_run_and_the_limits_are_disclaimed)
{
    struct bed bed = {.path = "/tmp/launch-test.XXXXXX"};
    struct launch_error error = {""};
    char shim[96];
    char command[512];
    ck_assert_msg(geteuid() == 0, "this test gives up root and so needs it");
    ck_assert_ptr_nonnull(mkdtemp(bed.path));
    snprintf(shim, sizeof shim, "%s/shim", bed.path);
    snprintf(command, sizeof command, "cp '" TEST_SHIM "' %s && chmod 755 %s && chown -R 65534:65534 %s", shim, shim,
             bed.path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(setgroups(0, NULL), 0);
    ck_assert_int_eq(setresgid(65534, 65534, 65534), 0);
    ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
    struct launch_env_options options = {.state_dir = bed.path, .id = "unprivileged", .shim_path = shim};
    ck_assert_msg(launch_env_open(&options, &error, &bed.env) == 0, "%s", error.text);
    ck_assert_ptr_nonnull(strstr(launch_env_warning(bed.env), "run as root"));
    struct launch_result result = bed_run_script(&bed, "exit $(id -u | cut -c 1)");
    ck_assert_msg(result.how == LAUNCH_EXITED && result.exit_code == 6, "%s", result.message);
    bed_clear(&bed);
}
END_TEST

START_TEST(nothing_is_left_in_the_cgroups)
{
    struct bed bed;
    char command[256];
    bed_make(&bed, _i);
    bed_run_script(&bed, "exit 0");
    snprintf(command, sizeof command, "test -z \"$(find /sys/fs/cgroup -name '*%s*')\"", bed.path + strlen("/tmp/"));
    bed_clear(&bed);
    /* The name of the bed has a dot, which is escaped in names of groups. */
    for (char *dot = strchr(command, '.'); dot != NULL; dot = strchr(dot, '.'))
        *dot = '?';
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch environment");
    TCase *tcase = tcase_create("environment");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_container_has_walls, BED_CRUN, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, namespaces_are_the_containers_own, BED_CRUN, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, bind_mounts_are_as_asked, BED_CRUN, bed_ways(BED_WAYS));
    tcase_add_test(tcase, a_spec_that_makes_no_sense_is_refused);
    tcase_add_test(tcase, what_the_machine_lacks_is_named);
    tcase_add_test(tcase, without_cgroups_there_is_a_warning_and_processes_run);
    tcase_add_test(tcase, without_privileges_processes_run_and_the_limits_are_disclaimed);
    tcase_add_loop_test(tcase, nothing_is_left_in_the_cgroups, 0, bed_ways(BED_WAYS));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
