/* SPDX-License-Identifier: Apache-2.0 */

/* Root filesystems: a directory, an image layout (whose claims are checked), and the one assembled from the machine. */

#include "bed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Runs a shell script in the bed's directory. */
static void in_bed(const struct bed *bed, const char *script)
{
    char command[2400];

    ck_assert_int_lt(snprintf(command, sizeof command, "set -e; cd %s; %s", bed->path, script), (int)sizeof command);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static void open_root(struct bed *bed, const char *source)
{
    struct launch_error error = {""};
    char path[200];

    snprintf(path, sizeof path, "%s/%s", bed->path, source);
    launch_rootfs_close(bed->rootfs);
    bed->rootfs = NULL;
    ck_assert_msg(launch_rootfs_open(bed->env, path, &error, &bed->rootfs) == 0, "%s", error.text);
}

static void refuse_root(struct bed *bed, const char *source, const char *complaint)
{
    struct launch_error error = {""};
    struct launch_rootfs *rootfs = NULL;
    char path[200];

    snprintf(path, sizeof path, "%s/%s", bed->path, source);
    ck_assert_int_lt(launch_rootfs_open(bed->env, path, &error, &rootfs), 0);
    ck_assert_ptr_null(rootfs);
    ck_assert_msg(strstr(error.text, complaint) != NULL, "%s", error.text);
}

/* A machine small enough to pack: a shell, the libraries it needs, and where they are looked for. */
#define SMALL_ROOT                                                                                         \
    "mkdir -p one/bin one/lib one/lib64 one/proc one/sys one/dev one/tmp one/etc; cp /bin/sh one/bin/sh; " \
    "cp -L /lib/*-linux-gnu*/libc.so.6 one/lib; cp -L /lib64/ld-linux-*.so.* one/lib64; "

static const char *run_in_root(struct bed *bed, const char *script)
{
    struct launch_spec spec = bed_spec(bed, script);
    spec.rootfs = bed->rootfs;
    struct launch_result result = bed_run(bed, &spec);
    ck_assert_msg(result.how == LAUNCH_EXITED && result.exit_code == 0, "%s %s", result.message,
                  bed_read(spec.dir, "stderr"));
    return bed_read(spec.dir, "stdout");
}

START_TEST(a_directory_is_a_root)
{
    struct bed bed;
    bed_make(&bed, _i);
    in_bed(&bed, SMALL_ROOT "echo mine >one/etc/name");
    open_root(&bed, "one");
    ck_assert_str_eq(run_in_root(&bed, "read name </etc/name; echo $name"), "mine\n");
    bed_clear(&bed);
}
END_TEST

START_TEST(an_image_is_unpacked_layer_by_layer)
{
    struct bed bed;
    bed_make(&bed, _i);
    in_bed(&bed,
           SMALL_ROOT "mkdir one/etc/gone one/etc/opaque; echo 1 >one/etc/gone/x; echo 1 >one/etc/opaque/old;"
                      "echo 1 >one/etc/kept; echo 1 >one/etc/hidden; echo 1 >one/etc/changed; ln -s kept one/etc/link");
    in_bed(&bed, "mkdir -p two/etc/opaque; touch two/etc/.wh.gone two/etc/.wh.hidden two/etc/opaque/.wh..wh..opq;"
                 "echo 2 >two/etc/opaque/new; echo 2 >two/etc/changed; echo 2 >two/etc/link; " TEST_MAKE_IMAGE
                 " image latest one two");
    open_root(&bed, "image");
    ck_assert_str_eq(run_in_root(&bed, "cd /etc; echo *; echo opaque/*; read c <changed; read l <link; read k <kept; "
                                       "echo $c $l $k $FROM_IMAGE"),
                     "changed kept link opaque\nopaque/new\n2 2 1 yes\n");
    open_root(&bed, "image:latest");
    ck_assert_str_eq(run_in_root(&bed, "echo $FROM_IMAGE"), "yes\n");
    bed_clear(&bed);
}
END_TEST

START_TEST(an_image_is_unpacked_once)
{
    struct bed bed;
    bed_make(&bed, BED_CRUN);
    in_bed(&bed, SMALL_ROOT TEST_MAKE_IMAGE " image latest one");
    open_root(&bed, "image");
    in_bed(&bed, "echo still here >$(echo rootfs/sha256-*)/etc/mark");
    open_root(&bed, "image");
    ck_assert_str_eq(run_in_root(&bed, "read line </etc/mark; echo $line"), "still here\n");
    in_bed(&bed, "test \"$(ls rootfs | grep -c unpack)\" = 0");
    bed_clear(&bed);
}
END_TEST

START_TEST(a_damaged_image_is_refused)
{
    struct bed bed;
    bed_make(&bed, BED_CRUN);
    in_bed(&bed, "mkdir -p one/etc; echo 1 >one/etc/x; " TEST_MAKE_IMAGE " image latest one; cp -r image cut; "
                 "cp -r image torn; for f in cut/blobs/sha256/*; do echo x >>$f; done; head -c 20 image/index.json "
                 ">torn/index.json; mkdir empty; cp image/oci-layout empty; cp -r image gone; rm -r gone/blobs");
    refuse_root(&bed, "cut", "damaged");
    refuse_root(&bed, "torn", "index.json");
    refuse_root(&bed, "empty", "index.json");
    refuse_root(&bed, "gone", "cannot read blob");
    refuse_root(&bed, "image:other", "tagged other");
    refuse_root(&bed, "absent", "absent");
    refuse_root(&bed, "image/index.json", "not a directory");
    in_bed(&bed, "test ! -e rootfs/unpack*");
    bed_clear(&bed);
}
END_TEST

/* A layer that plants a symlink and one that writes through it; names that climb. */
START_TEST(an_image_cannot_write_outside)
{
    struct bed bed;
    bed_make(&bed, BED_CRUN);
    in_bed(&bed,
           SMALL_ROOT "mkdir -p victim two/etc/way three; echo safe >victim/file; ln -s $PWD/victim one/etc/way; "
                      "echo evil >two/etc/way/file; ln -s $PWD/victim two/etc/file; echo up >three/up; " TEST_MAKE_IMAGE
                      " image latest one two");
    open_root(&bed, "image");
    in_bed(
        &bed,
        "test \"$(cat victim/file)\" = safe; test ! -L rootfs/sha256-*/etc/way; test -f rootfs/sha256-*/etc/way/file");

    in_bed(&bed,
           "mkdir -p climb/blobs/sha256; tar --create --absolute-names --transform 's,^up$,../../../../victim/up,' "
           "--file layer.tar -C three up; d=$(sha256sum layer.tar | cut -d' ' -f1); cp layer.tar "
           "climb/blobs/sha256/$d; echo '{}' >config; c=$(sha256sum config | cut -d' ' -f1); cp config "
           "climb/blobs/sha256/$c; echo '{\"config\":{\"digest\":\"sha256:'$c'\"},\"layers\":[{\"digest\":\"sha256:'"
           "$d'\"}]}' >climb/index.json; cp image/oci-layout climb");
    refuse_root(&bed, "climb", "cannot unpack layer");
    in_bed(&bed, "test ! -e victim/up");
    bed_clear(&bed);
}
END_TEST

START_TEST(the_assembled_root_runs_the_programs_of_the_machine)
{
    struct bed bed;
    bed_make(&bed, _i);
    ck_assert_str_eq(
        run_in_root(&bed, "echo 3 | awk '{print $1 + 4}'; sed --version >/dev/null; id -un; ls -d /work /tmp"),
        "7\nroot\n/tmp\n/work\n");
    bed_clear(&bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch rootfs");
    TCase *tcase = tcase_create("rootfs");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_directory_is_a_root, BED_CRUN, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, an_image_is_unpacked_layer_by_layer, BED_CRUN, bed_ways(BED_WAYS));
    tcase_add_test(tcase, an_image_is_unpacked_once);
    tcase_add_test(tcase, a_damaged_image_is_refused);
    tcase_add_test(tcase, an_image_cannot_write_outside);
    tcase_add_loop_test(tcase, the_assembled_root_runs_the_programs_of_the_machine, BED_CRUN, bed_ways(BED_WAYS));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
