/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are no store, no whole store, or none of ours: a clear error, never a crash, never a silent loss. */

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "one_store.h"
#include "suite.h"
#include "tracked.h"

static struct tracked tracked;
static struct one_store one;

static void setup(void)
{
    one_store_setup(&one, tracked_context(&tracked, NULL, NULL));
}

static void teardown(void)
{
    shard_context *context = one.context;
    one_store_teardown(&one);
    tracked_context_free(&tracked, context);
}

static unsigned char *read_all(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    *ret_size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*ret_size + 1);
    ck_assert_uint_eq(fread(bytes, 1, *ret_size, file), *ret_size);
    fclose(file);
    return bytes;
}

static void write_all(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

START_TEST(a_file_that_is_no_database_is_refused_and_kept)
{
    static const char text[] = "This is a text file, and longer than the header of a database, which has a hundred "
                               "bytes and begins in another way.";
    size_t size;
    write_all(one.path, text, sizeof(text));
    ck_assert_int_eq(one_store_open(&one, 0), SHARD_ECORRUPT);
    ck_assert_ptr_nonnull(strstr(one_store_message(), "is not a database"));
    ck_assert_ptr_nonnull(strstr(one_store_message(), one.path));
    ck_assert_int_eq(one_store_open(&one, 1), SHARD_ECORRUPT);
    unsigned char *bytes = read_all(one.path, &size);
    ck_assert_uint_eq(size, sizeof(text));
    ck_assert_mem_eq(bytes, text, size);
    free(bytes);
    write_all(one.path, "x", 1);
    ck_assert_int_eq(one_store_open(&one, 0), SHARD_ECORRUPT);
    write_all(one.path, "SQLite format 3", 16);
    ck_assert_int_eq(one_store_open(&one, 0), SHARD_ECORRUPT);
    ck_assert_ptr_nonnull(strstr(one_store_message(), "is truncated"));
}
END_TEST

START_TEST(a_directory_and_a_place_that_is_not_there_are_refused)
{
    char kept[160];
    memcpy(kept, one.path, sizeof(kept));
    memcpy(one.path, one.directory, sizeof(one.directory));
    ck_assert_int_eq(one_store_open(&one, 0), SHARD_EIO);
    ck_assert_ptr_nonnull(strstr(one_store_message(), "is not a regular file"));
    snprintf(one.path, sizeof(one.path), "%s/nowhere/store.db", one.directory);
    ck_assert_int_eq(one_store_open(&one, 0), SHARD_EIO);
    ck_assert_int_eq(one_store_open(&one, 1), SHARD_ENOENT);
    one.path[0] = '\0';
    ck_assert_int_eq(one_store_open(&one, 0), SHARD_EINVAL);
    memcpy(one.path, kept, sizeof(kept));
}
END_TEST

START_TEST(a_file_that_was_cut_short_is_refused)
{
    size_t size;
    one_store_fill(&one, ONE_STORE_TASKS);
    unsigned char *bytes = read_all(one.path, &size);
    ck_assert_uint_gt(size, 10 * 4096);
    for (size_t cut = 4096; cut < size; cut += 4096) {
        write_all(one.path, bytes, cut);
        ck_assert_msg(one_store_open(&one, 0) == SHARD_ECORRUPT, "cut at %zu of %zu: %s", cut, size,
                      one_store_message());
        ck_assert_int_eq(one_store_open(&one, 1), SHARD_ECORRUPT);
        write_all(one.path, bytes, cut + 100);
        ck_assert_int_eq(one_store_open(&one, 0), SHARD_ECORRUPT);
    }
    write_all(one.path, bytes, size);
    ck_assert_int_eq(one_store_open(&one, 0), 0);
    ck_assert_int_eq(one_store_load(&one), 0);
    ck_assert_int_eq(one.answer.image->row_count, ONE_STORE_TASKS);
    free(bytes);
}
END_TEST

START_TEST(bits_that_have_turned_do_no_harm)
{
    size_t size;
    struct shard__random random;
    int refused = 0, opened = 0;
    shard__random_seed(&random, 5);
    one_store_fill(&one, 20);
    unsigned char *bytes = read_all(one.path, &size);
    for (int i = 0; i < 250; i++) {
        /* One bit, or a run of bytes; anywhere, or in the first page, which says how to read the others. */
        size_t at = (size_t)shard__random_next(&random) % (i % 3 == 0 ? 4096 : size);
        size_t run = i % 5 == 0 ? 1 + (size_t)shard__random_next(&random) % 64 : 1;
        unsigned char *copy = malloc(size);
        memcpy(copy, bytes, size);
        for (size_t k = at; k < at + run && k < size; k++)
            copy[k] ^= (unsigned char)(run > 1 ? shard__random_next(&random) : 1U << (i % 8));
        write_all(one.path, copy, size);
        free(copy);
        int status = one_store_open(&one, i % 2);
        if (status == 0) {
            opened++;
            status = one_store_load(&one);
            one_store_close(&one);
        }
        refused += status < 0;
    }
    free(bytes);
    /* The tests of the file see something, and do not refuse all: most bytes of a small file are not in use. */
    ck_assert_int_gt(refused, 10);
    ck_assert_int_gt(opened, 20);
}
END_TEST

START_TEST(values_that_contradict_each_other_are_refused)
{
    static const char *const damage[] = {"UPDATE tasks SET state = 99 WHERE task = 3",
                                         "UPDATE tasks SET version = 0 WHERE task = 3",
                                         "UPDATE tasks SET outcome = -1",
                                         "DELETE FROM tasks WHERE task = 5",
                                         "UPDATE failures SET outcome = 77",
                                         "DELETE FROM records WHERE seq = 4",
                                         "DELETE FROM records WHERE seq = 60",
                                         "UPDATE records SET to_state = 300 WHERE seq = 7",
                                         "UPDATE runs SET state = 17",
                                         "UPDATE runs SET last_seq = -4",
                                         "UPDATE workflows SET text = 'x'",
                                         "DELETE FROM workflows",
                                         "INSERT INTO hosts VALUES(1, -7, 'x')",
                                         "DROP TABLE hosts"};
    size_t size;
    one_store_fill(&one, 20);
    unsigned char *bytes = read_all(one.path, &size);
    for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
        write_all(one.path, bytes, size);
        one_store_sql(&one, damage[i]);
        ck_assert_int_eq(one_store_open(&one, 0), 0);
        ck_assert_msg(one_store_load(&one) == SHARD_ECORRUPT, "%s: %s", damage[i], one.answer.message);
        one_store_close(&one);
    }
    free(bytes);
}
END_TEST

START_TEST(a_file_of_a_newer_library_is_refused)
{
    one_store_fill(&one, 1);
    int version = one_store_version(&one);
    char newest[32], sql[48];
    snprintf(newest, sizeof(newest), "up to %d", version);
    one_store_sql(&one, "PRAGMA user_version = 99");
    for (int read_only = 0; read_only < 2; read_only++) {
        ck_assert_int_eq(one_store_open(&one, read_only), SHARD_EVERSION);
        ck_assert_ptr_nonnull(strstr(one_store_message(), "version 99"));
        ck_assert_ptr_nonnull(strstr(one_store_message(), newest));
    }
    snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", version);
    one_store_sql(&one, sql);
    ck_assert_int_eq(one_store_open(&one, 0), 0);
}
END_TEST

START_TEST(a_database_of_another_program_is_refused_and_kept)
{
    one_store_sql(&one, "CREATE TABLE mine(x)");
    ck_assert_int_eq(one_store_open(&one, 0), SHARD_ECORRUPT);
    ck_assert_ptr_nonnull(strstr(one_store_message(), "another program"));
    one_store_sql(&one, "INSERT INTO mine VALUES(1); DROP TABLE mine; PRAGMA application_id = 77");
    ck_assert_int_eq(one_store_open(&one, 0), SHARD_ECORRUPT);
    ck_assert_int_eq(one_store_open(&one, 1), SHARD_ECORRUPT);
}
END_TEST

START_TEST(an_empty_file_becomes_a_store)
{
    write_all(one.path, "", 0);
    ck_assert_int_eq(one_store_open(&one, 1), SHARD_ENOENT);
    one_store_fill(&one, 1);
}
END_TEST

START_TEST(a_read_only_handle_reads_while_another_writes)
{
    struct one_store reader;
    ck_assert_int_eq(one_store_open(&one, 0), 0);
    ck_assert_int_eq(one_store_begin(&one), 0);
    reader = one;
    ck_assert_int_eq(one_store_open(&reader, 1), 0);
    for (int task = 0; task < 5; task++) {
        ck_assert_int_eq(one_store_commit_task(&one, task), 0);
        memset(&reader.answer, 0, sizeof(reader.answer));
        reader.answer.struct_size = sizeof(reader.answer);
        ck_assert_int_eq(one_store_load(&reader), 0);
        ck_assert_int_eq(reader.answer.image->last_seq, 3 * (task + 1));
        reader.answer.image->release(reader.answer.image);
        reader.answer.image = NULL;
    }
    reader.last_seq = 15;
    ck_assert_int_eq(one_store_commit_task(&reader, 9), SHARD_ENOTSUP);
    ck_assert_int_eq(one_store_begin(&reader), SHARD_ENOTSUP);
    one_store_close(&reader);
}
END_TEST

/* What a user who may not write sees; the superuser may always, so the child becomes somebody else. */
static int as_somebody(int (*function)(void))
{
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(99);
        _exit(function());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int open_and_load(int read_only)
{
    int status = one_store_open(&one, read_only);
    if (status == 0)
        status = one_store_load(&one);
    one_store_close(&one);
    return -status;
}

static int read_in_child(void)
{
    return open_and_load(1);
}

static int write_in_child(void)
{
    return open_and_load(0);
}

START_TEST(a_file_that_may_not_be_written_can_be_read)
{
    one_store_fill(&one, 4);
    ck_assert_int_eq(chmod(one.path, 0444), 0);
    ck_assert_int_eq(chmod(one.directory, 0555), 0);
    ck_assert_int_eq(as_somebody(write_in_child), -SHARD_EIO);
    ck_assert_int_eq(as_somebody(read_in_child), 0);
    /* A file that may be written, in a directory that may not, has no place for its WAL. */
    ck_assert_int_eq(chmod(one.path, 0666), 0);
    ck_assert_int_eq(as_somebody(write_in_child), -SHARD_EIO);
    ck_assert_int_eq(as_somebody(read_in_child), 0);
    ck_assert_int_eq(chmod(one.path, 0), 0);
    ck_assert_int_eq(as_somebody(read_in_child), -SHARD_EIO);
    chmod(one.directory, 0755);
}
END_TEST

START_TEST(names_with_a_meaning_for_sqlite_are_plain_names)
{
    char kept[160];
    memcpy(kept, one.path, sizeof(kept));
    static const char *const names[] = {":memory:", "file:x?mode=memory", "-", "a%20b?immutable=1#x"};
    char *before = getcwd(NULL, 0);
    ck_assert_int_eq(chdir(one.directory), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(one.path, sizeof(one.path), "%s", names[i]);
        one.last_seq = 0;
        one_store_fill(&one, 1);
        ck_assert_int_eq(access(one.path, F_OK), 0);
        ck_assert_int_eq(open_and_load(1), 0);
    }
    ck_assert_int_eq(chdir(before), 0);
    free(before);
    memcpy(one.path, kept, sizeof(kept));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite files");
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_file_that_is_no_database_is_refused_and_kept);
    tcase_add_test(tests, a_directory_and_a_place_that_is_not_there_are_refused);
    tcase_add_test(tests, a_file_that_was_cut_short_is_refused);
    tcase_add_test(tests, bits_that_have_turned_do_no_harm);
    tcase_add_test(tests, values_that_contradict_each_other_are_refused);
    tcase_add_test(tests, a_file_of_a_newer_library_is_refused);
    tcase_add_test(tests, a_database_of_another_program_is_refused_and_kept);
    tcase_add_test(tests, an_empty_file_becomes_a_store);
    tcase_add_test(tests, a_read_only_handle_reads_while_another_writes);
    tcase_add_test(tests, a_file_that_may_not_be_written_can_be_read);
    tcase_add_test(tests, names_with_a_meaning_for_sqlite_are_plain_names);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
