/* SPDX-License-Identifier: Apache-2.0 */
/* Samples and outcomes as the Redis store keeps them: what is written is read back, what is damaged is told. */

#include <math.h>
#include <string.h>

#include "adapter/redis/redis.h"
#include "suite.h"

static shard_context *context;
static struct shard__bytes bytes, room;
static const float values[] = {1.5F, NAN, -3};

static void set_up(void)
{
    const struct shard_outcome_row row = {.struct_size = sizeof(row),
                                          .run = "a run",
                                          .host = "a host",
                                          .kind = "a kind",
                                          .task = 7,
                                          .attempt = 3,
                                          .outcome = SHARD_OUTCOME_TIMEOUT,
                                          .start_ns = -5,
                                          .end_ns = INT64_MAX,
                                          .seconds = 2.25,
                                          .p_fail = NAN,
                                          .schema_hash = UINT64_MAX,
                                          .values = values,
                                          .columns = 3};
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    shard__bytes_init(&bytes, context);
    shard__bytes_init(&room, context);
    shard__redis_pack_outcome(&bytes, &row);
    ck_assert_int_eq(bytes.status, 0);
}

static void tear_down(void)
{
    shard__bytes_free(&bytes);
    shard__bytes_free(&room);
    shard_context_free(context);
}

static int unpack(const char *data, size_t size, struct shard_outcome_row *ret_row)
{
    return shard__redis_unpack_outcome(data, size, &room, ret_row);
}

START_TEST(an_outcome_comes_back_as_it_was)
{
    struct shard_outcome_row row;
    ck_assert_int_eq(unpack(bytes.data, bytes.size, &row), 0);
    ck_assert_str_eq(row.run, "a run");
    ck_assert_str_eq(row.host, "a host");
    ck_assert_str_eq(row.kind, "a kind");
    ck_assert(row.task == 7 && row.attempt == 3 && row.outcome == SHARD_OUTCOME_TIMEOUT);
    ck_assert(row.start_ns == -5 && row.end_ns == INT64_MAX && row.schema_hash == UINT64_MAX);
    ck_assert(row.seconds == 2.25 && isnan(row.p_fail) && row.columns == 3);
    ck_assert(row.values[0] == 1.5F && isnan(row.values[1]) && row.values[2] == -3);
}
END_TEST

START_TEST(an_outcome_that_is_cut_off_or_has_more_is_told)
{
    struct shard_outcome_row row;
    for (size_t size = 0; size < bytes.size; size++)
        ck_assert_msg(unpack(bytes.data, size, &row) == SHARD_ECORRUPT, "%zu bytes", size);
    shard__bytes_append(&bytes, "", 1);
    ck_assert_int_eq(unpack(bytes.data, bytes.size, &row), SHARD_ECORRUPT);
}
END_TEST

START_TEST(an_outcome_of_another_version_is_told)
{
    struct shard_outcome_row row;
    bytes.data[0] = 2;
    ck_assert_int_eq(unpack(bytes.data, bytes.size, &row), SHARD_EVERSION);
    ck_assert_int_eq(shard__redis_unpack_short(bytes.data, bytes.size, &row), SHARD_EVERSION);
}
END_TEST

/* A byte that was changed gives an error, or a row all of which lies in the room. */
START_TEST(no_byte_that_was_changed_leads_out_of_the_bytes)
{
    struct shard_outcome_row row;
    for (size_t at = 0; at < bytes.size; at++)
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[at] = (char)(bytes.data[at] ^ 1 << bit);
            int status = unpack(bytes.data, bytes.size, &row);
            ck_assert_msg(status == 0 || status == SHARD_ECORRUPT || status == SHARD_EVERSION, "%d", status);
            if (status == 0) {
                size_t size = strlen(row.run) + strlen(row.host) + strlen(row.kind) + 3;
                ck_assert(row.task >= 0 && row.attempt >= 0 && (int)row.outcome < SHARD_OUTCOME_COUNT);
                ck_assert_uint_le(size + (size_t)row.columns * sizeof(float), room.size);
            }
            bytes.data[at] = (char)(bytes.data[at] ^ 1 << bit);
        }
}
END_TEST

START_TEST(a_sample_of_another_size_is_told)
{
    struct shard_sample sample;
    char packed[SHARD__REDIS_SAMPLE + 1] = {0};
    ck_assert_int_eq(shard__redis_unpack_sample(packed, SHARD__REDIS_SAMPLE, 5, &sample), 0);
    ck_assert_int_eq(sample.time_ns, 5);
    ck_assert_int_eq(shard__redis_unpack_sample(packed, SHARD__REDIS_SAMPLE - 1, 5, &sample), SHARD_ECORRUPT);
    ck_assert_int_eq(shard__redis_unpack_sample(packed, SHARD__REDIS_SAMPLE + 1, 5, &sample), SHARD_ECORRUPT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis series");
    TCase *tests = tcase_create("bytes");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, an_outcome_comes_back_as_it_was);
    tcase_add_test(tests, an_outcome_that_is_cut_off_or_has_more_is_told);
    tcase_add_test(tests, an_outcome_of_another_version_is_told);
    tcase_add_test(tests, no_byte_that_was_changed_leads_out_of_the_bytes);
    tcase_add_test(tests, a_sample_of_another_size_is_told);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
