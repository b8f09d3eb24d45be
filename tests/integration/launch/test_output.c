/* SPDX-License-Identifier: Apache-2.0 */

/* What a command writes is kept within bounds, first and last half, and never blocks it or fills the disk. */

#include "bed.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static off_t size_of(const char *dir, const char *name)
{
    char path[256];
    struct stat status;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_size;
}

START_TEST(both_streams_are_kept_apart)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "echo out; echo err >&2");
    struct launch_result result = bed_run(&bed, &spec);
    ck_assert_str_eq(bed_read(spec.dir, "stdout"), "out\n");
    ck_assert_str_eq(bed_read(spec.dir, "stderr"), "err\n");
    ck_assert_uint_eq(result.stdout_dropped_bytes, 0);
    ck_assert_uint_eq(result.stderr_dropped_bytes, 0);
    bed_clear(&bed);
}
END_TEST

START_TEST(a_flood_is_bounded)
{
    const uint64_t flood = 200 << 20;
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec =
        bed_spec(&bed, "echo first; head -c 209715200 /dev/zero | tr '\\0' x; echo; echo last; echo done >&2");
    struct launch_result result = bed_run(&bed, &spec);
    ck_assert_int_eq(result.exit_code, 0);
    ck_assert_int_le(size_of(spec.dir, "stdout"), (1 << 20) + 100);
    ck_assert_uint_eq(result.stdout_dropped_bytes, flood + strlen("first\n\nlast\n") - (1 << 20));
    const char *text = bed_read(spec.dir, "stdout");
    ck_assert_int_eq(strncmp(text, "first\nxxx", 9), 0);
    ck_assert_str_eq(text + strlen(text) - 7, "x\nlast\n");
    char marker[80];
    snprintf(marker, sizeof marker, "\n[... %llu bytes left out ...]\n",
             (unsigned long long)result.stdout_dropped_bytes);
    ck_assert_ptr_nonnull(strstr(text, marker));
    ck_assert_str_eq(bed_read(spec.dir, "stderr"), "done\n");
    bed_clear(&bed);
}
END_TEST

/* Sizes around the bound: nothing lost, nothing doubled, whatever half a byte falls into. */
START_TEST(output_at_the_bound_is_whole)
{
    static const int written[] = {0, 1, 49, 50, 51, 99, 100, 101, 250};
    struct bed bed;
    bed_make(&bed, BED_PROCESS);
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        char script[64];
        snprintf(script, sizeof script, "printf '%%0%dd' 7", written[i]);
        struct launch_spec spec = bed_spec(&bed, written[i] == 0 ? "true" : script);
        spec.max_output_bytes = 100;
        struct launch_result result = bed_run(&bed, &spec);
        uint64_t dropped = written[i] > 100 ? (uint64_t)written[i] - 100 : 0;
        ck_assert_uint_eq(result.stdout_dropped_bytes, dropped);
        const char *text = bed_read(spec.dir, "stdout");
        if (dropped == 0)
            ck_assert_uint_eq(strlen(text), (size_t)written[i]);
        if (written[i] > 0)
            ck_assert_int_eq(text[strlen(text) - 1], '7');
    }
    bed_clear(&bed);
}
END_TEST

START_TEST(output_of_what_the_command_leaves_behind_is_kept_until_its_end)
{
    struct bed bed;
    bed_make(&bed, _i);
    struct launch_spec spec = bed_spec(&bed, "sleep 1000 & echo ended");
    struct launch_result result = bed_run(&bed, &spec);
    ck_assert_int_eq(result.how, LAUNCH_EXITED);
    ck_assert_str_eq(bed_read(spec.dir, "stdout"), "ended\n");
    bed_clear(&bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch output");
    TCase *tcase = tcase_create("output");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, both_streams_are_kept_apart, 0, bed_ways(BED_WAYS));
    tcase_add_loop_test(tcase, a_flood_is_bounded, 0, bed_ways(BED_WAYS));
    tcase_add_test(tcase, output_at_the_bound_is_whole);
    tcase_add_loop_test(tcase, output_of_what_the_command_leaves_behind_is_kept_until_its_end, 0, bed_ways(BED_WAYS));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
