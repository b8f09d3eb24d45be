/* SPDX-License-Identifier: Apache-2.0 */
/* The predictor port: schemas, the guarded calls, predictors of others that misbehave, and forests behind the port. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/forest.h>

#include "model_maker.h"
#include "suite.h"

static shard_context *context;

static void set_up(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
}

static void tear_down(void)
{
    shard_context_free(context);
}

static const char *message(void)
{
    static struct shard_error error;
    error.struct_size = sizeof(error);
    shard_error_copy(&error);
    return error.message;
}

static const struct shard_feature features[] = {
    {"f0", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}, {"f1", SHARD_FEATURE_HOST, SHARD_FEATURE_VALUE, 1},
    {"f2", SHARD_FEATURE_TASK, SHARD_FEATURE_KEY, 0},   {"f3", SHARD_FEATURE_PAIR, SHARD_FEATURE_VALUE, -1},
    {"f4", SHARD_FEATURE_HOST, SHARD_FEATURE_VALUE, 0},
};
static const struct shard_schema schema = {sizeof(schema), features, 5};

START_TEST(a_schema_that_makes_no_sense_is_refused)
{
    static const struct shard_feature bad[][2] = {
        {{"a", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}, {"a", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}},
        {{"a", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}, {"b c", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}},
        {{"a", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}, {NULL, SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}},
        {{"a", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}, {"b", (enum shard_feature_group)3, SHARD_FEATURE_VALUE, 0}},
        {{"a", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}, {"b", SHARD_FEATURE_TASK, (enum shard_feature_role)2, 0}},
        {{"a", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0}, {"b", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 2}},
    };
    ck_assert_int_eq(shard_schema_check(context, &schema), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct shard_schema wrong = {sizeof(wrong), bad[i], 2};
        ck_assert_int_eq(shard_schema_check(context, &wrong), SHARD_EINVAL);
    }
    ck_assert_int_eq(shard_schema_check(context, &(struct shard_schema){sizeof(schema), NULL, 0}), SHARD_EINVAL);
}
END_TEST

START_TEST(the_hash_of_a_schema_sees_each_of_its_parts)
{
    struct shard_feature other[5];
    struct shard_schema changed = {sizeof(changed), other, 5};
    uint64_t hash = shard_schema_hash(&schema);
    ck_assert_uint_eq(hash, 0xe32b57d11e4dea9bu); /* as hashlib.blake2b has it */
    memcpy(other, features, sizeof(features));
    ck_assert_uint_eq(shard_schema_hash(&changed), hash);
    for (int part = 0; part < 6; part++) {
        memcpy(other, features, sizeof(features));
        changed.feature_count = 5;
        if (part == 0)
            other[3].name = "f3x";
        else if (part == 1)
            other[3].group = SHARD_FEATURE_HOST;
        else if (part == 2)
            other[3].role = SHARD_FEATURE_KEY;
        else if (part == 3)
            other[3].monotone = 0;
        else if (part == 4)
            other[3] = features[4], other[4] = features[3];
        else
            changed.feature_count = 4;
        ck_assert_uint_ne(shard_schema_hash(&changed), hash);
    }
}
END_TEST

START_TEST(the_differences_between_schemas_are_listed)
{
    static const struct shard_feature given[] = {
        {"f0", SHARD_FEATURE_HOST, SHARD_FEATURE_VALUE, 0},
        {"f2", SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0},
        {"f1", SHARD_FEATURE_HOST, SHARD_FEATURE_VALUE, -1},
        {"new", SHARD_FEATURE_PAIR, SHARD_FEATURE_VALUE, 0},
    };
    struct shard_schema other = {sizeof(other), given, 4};
    ck_assert_int_eq(shard_schema_compare(&schema, &schema), 0);
    ck_assert_int_eq(shard_schema_compare(&schema, &other), SHARD_ECONFLICT);
    ck_assert_str_eq(message(), "8 differences from the model's columns: 'f0' is of group host, not task; "
                                "'f1' is column 2, not 1; 'f1' has the sign -1, not 1; 'f2' is column 1, not 2; "
                                "'f2' is a value, not a key; 'f3' is missing; 'f4' is missing; "
                                "'new' is unknown to the model");
}
END_TEST

START_TEST(a_list_of_differences_that_is_too_long_is_cut)
{
    enum { COUNT = 200 };
    static char names[COUNT][32];
    static struct shard_feature many[COUNT];
    struct shard_schema other = {sizeof(other), many, COUNT};
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), "a_long_name_of_a_column_%d", i);
        many[i] = (struct shard_feature){names[i], SHARD_FEATURE_TASK, SHARD_FEATURE_VALUE, 0};
    }
    ck_assert_int_eq(shard_schema_compare(&other, &schema), SHARD_ECONFLICT);
    ck_assert_int_eq(strncmp(message(), "205 differences", 15), 0);
}
END_TEST

/* A predictor as a user might write it: answers what it is told, row by row the sum of the row. */
struct user {
    double answer; /* NaN: the sum */
    int status;
    int64_t calls;
};

static int user_predict(void *self, const struct shard_matrix *rows, int32_t columns, const struct shard_forecasts *ret)
{
    struct user *user = self;
    int64_t stride = rows->stride != 0 ? rows->stride : columns;
    user->calls++;
    for (int64_t i = 0; i < rows->rows && ret->p_fail != NULL; i++) {
        double sum = 0;
        for (int32_t k = 0; k < columns; k++)
            sum = sum * 10 + (double)rows->values[i * stride + k];
        ret->p_fail[i] = isnan(user->answer) ? sum / 1e6 : user->answer;
    }
    return user->status;
}

static const struct shard_predictor user_port = {
    .struct_size = sizeof(struct shard_predictor), .name = "mine", .predict = user_predict};

START_TEST(an_answer_that_is_no_probability_is_refused)
{
    static const double wrong[] = {1.7, -0.1, INFINITY, -INFINITY}, right[] = {0, 1, 0.5, NAN};
    float row[5] = {0};
    double p_fail[1], seconds[1];
    struct shard_matrix matrix = {row, 1, 0};
    struct shard_forecasts ret = {.p_fail = p_fail, .seconds = seconds};
    struct user user = {.answer = 0};
    struct shard_predictor_handle handle = {&user_port, &user};
    for (int i = 0; i < 4; i++) {
        user.answer = wrong[i];
        ck_assert_int_eq(shard_predict(handle, &matrix, 5, &ret), SHARD_EINVAL);
        user.answer = right[i];
        ck_assert_int_eq(shard_predict(handle, &matrix, 5, &ret), 0);
        ck_assert_double_nan(seconds[0]);
    }
    user.answer = 1.7;
    ck_assert_int_eq(shard_predict(handle, &matrix, 5, &ret), SHARD_EINVAL);
    ck_assert_str_eq(message(), "predictor 'mine' answers 1.7 for a probability of row 0");
}
END_TEST

START_TEST(a_predictor_that_fails_is_named)
{
    float row[5] = {0};
    double p_fail[1];
    struct shard_matrix matrix = {row, 1, 0};
    struct shard_forecasts ret = {.p_fail = p_fail};
    struct user user = {.status = SHARD_EIO};
    ck_assert_int_eq(shard_predict((struct shard_predictor_handle){&user_port, &user}, &matrix, 5, &ret), SHARD_EIO);
    ck_assert_str_eq(message(), "predictor 'mine' failed with input/output error");
}
END_TEST

START_TEST(pairs_are_put_together_for_a_predictor_without_the_two_sided_form)
{
    static const float tasks[] = {1, 2, 3, 4}, hosts[] = {5, 6, 7, 8, 9, 1}, pairs[] = {1, 2, 3, 4, 5, 6};
    struct shard_matrix task_rows = {tasks, 2, 0}, host_rows = {hosts, 3, 0};
    struct shard_pairs all = {.struct_size = sizeof(all), .pair_features = {pairs, 6, 0}};
    double p_fail[6];
    struct shard_forecasts ret = {.p_fail = p_fail};
    struct user user = {.answer = NAN};
    struct shard_predictor_handle handle = {&user_port, &user};
    ck_assert_int_eq(shard_predict_pairs(context, handle, &schema, &task_rows, &host_rows, &all, &ret), 0);
    /* Task 1 is f0 = 3, f2 = 4; host 2 is f1 = 9, f4 = 1; pair 5 is f3 = 6. */
    ck_assert_double_eq_tol(p_fail[5], 0.039461, 1e-12);
    ck_assert_double_eq_tol(p_fail[0], 0.015216, 1e-12);
    struct shard_pair wanted[] = {{1, 0}, {0, 2}};
    struct shard_pairs some = {.struct_size = sizeof(some), .wanted = wanted, .count = 2};
    ck_assert_int_eq(shard_predict_pairs(context, handle, &schema, &task_rows, &host_rows, &some, &ret), 0);
    ck_assert_double_nan(p_fail[0]); /* f3 is not known */
    wanted[1].host = 3;
    ck_assert_int_eq(shard_predict_pairs(context, handle, &schema, &task_rows, &host_rows, &some, &ret), SHARD_ENOENT);
}
END_TEST

static shard_forest *load(const char *objective, uint64_t seed, int named)
{
    struct model_spec spec = {
        .seed = seed, .trees = 9, .depth = 5, .features = 5, .objective = objective, .named = named};
    struct made_bytes bytes;
    shard_forest *forest;
    make_model(&spec, MODEL_UBJSON, &bytes);
    ck_assert_int_eq(shard_forest_load_buffer(context, bytes.data, bytes.size, NULL, NULL, &forest), 0);
    free_bytes(&bytes);
    return forest;
}

/* Rows through the port, and the same pairs through its blocks. */
static void compare_forms(struct shard_predictor_handle handle)
{
    enum { TASKS = 3, HOSTS = 40 };
    float tasks[TASKS * 2], hosts[HOSTS * 2], pairs[TASKS * HOSTS], rows[TASKS * HOSTS * 5];
    double p_rows[TASKS * HOSTS], p_pairs[TASKS * HOSTS], s_rows[TASKS * HOSTS], s_pairs[TASKS * HOSTS];
    struct shard_forecasts by_rows = {.p_fail = p_rows, .seconds = s_rows},
                           by_pairs = {.p_fail = p_pairs, .seconds = s_pairs};
    struct shard_matrix task_rows = {tasks, TASKS, 0}, host_rows = {hosts, HOSTS, 0}, matrix = {rows, TASKS * HOSTS, 0};
    struct shard_pairs all = {.struct_size = sizeof(all), .pair_features = {pairs, TASKS * HOSTS, 0}};
    draw_rows(1, tasks, TASKS * 2);
    draw_rows(2, hosts, HOSTS * 2);
    draw_rows(3, pairs, TASKS * HOSTS);
    for (int i = 0; i < TASKS * HOSTS; i++) {
        float row[] = {tasks[i / HOSTS * 2], hosts[i % HOSTS * 2], tasks[i / HOSTS * 2 + 1], pairs[i],
                       hosts[i % HOSTS * 2 + 1]};
        memcpy(rows + i * 5, row, sizeof(row));
    }
    ck_assert_int_eq(shard_predict(handle, &matrix, 5, &by_rows), 0);
    ck_assert_int_eq(shard_predict_pairs(context, handle, &schema, &task_rows, &host_rows, &all, &by_pairs), 0);
    ck_assert_mem_eq(p_rows, p_pairs, sizeof(p_rows));
    ck_assert_mem_eq(s_rows, s_pairs, sizeof(s_rows));
}

START_TEST(a_forest_behind_the_port_answers_the_same_in_both_forms)
{
    static const char *const objectives[] = {"reg:squarederror", "reg:squaredlogerror", "survival:aft"};
    for (size_t i = 0; i < 3; i++) {
        shard_forest *failure = load(NULL, 1, 1), *seconds = load(objectives[i], 2, 0);
        struct shard_forest_predictor_config config = {.struct_size = sizeof(config),
                                                       .failure = failure,
                                                       .seconds = seconds,
                                                       .schema = &schema,
                                                       .slope = 0.5,
                                                       .offset = -1};
        struct shard_predictor_handle handle;
        ck_assert_int_eq(shard_forest_predictor(context, &config, &handle), 0);
        ck_assert_int_eq(shard_schema_compare(handle.port->schema(handle.self), &schema), 0);
        compare_forms(handle);
        handle.port->destroy(handle.self);
        shard_forest_free(failure);
        shard_forest_free(seconds);
    }
}
END_TEST

START_TEST(contributions_add_up_to_the_log_odds)
{
    shard_forest *failure = load(NULL, 3, 0);
    struct shard_forest_predictor_config config = {
        .struct_size = sizeof(config), .failure = failure, .schema = &schema, .slope = 2, .offset = 0.25};
    struct shard_predictor_handle handle;
    float rows[50 * 5];
    draw_rows(5, rows, 50 * 5);
    ck_assert_int_eq(shard_forest_predictor(context, &config, &handle), 0);
    for (int i = 0; i < 50; i++) {
        double parts[6], sum = 0, p_fail, evidence, seconds;
        struct shard_matrix matrix = {rows + i * 5, 1, 0};
        struct shard_forecasts ret = {.p_fail = &p_fail, .seconds = &seconds, .evidence = &evidence};
        ck_assert_int_eq(handle.port->contributions(handle.self, rows + i * 5, 5, parts), 0);
        ck_assert_int_eq(shard_predict(handle, &matrix, 5, &ret), 0);
        for (int k = 0; k < 6; k++)
            sum += parts[k];
        ck_assert_double_eq_tol(sum, log(p_fail / (1 - p_fail)), 1e-5);
        ck_assert_double_nan(seconds);
        ck_assert_double_nan(evidence);
    }
    handle.port->destroy(handle.self);
    shard_forest_free(failure);
}
END_TEST

START_TEST(a_model_of_other_columns_is_refused_with_the_differences)
{
    struct shard_feature other[5];
    struct shard_schema renamed = {sizeof(renamed), other, 5}, shorter = {sizeof(shorter), features, 4};
    shard_forest *named = load(NULL, 4, 1), *nameless = load(NULL, 4, 0), *seconds = load("survival:aft", 4, 0);
    struct shard_forest_predictor_config config = {.struct_size = sizeof(config), .failure = named, .schema = &renamed};
    struct shard_predictor_handle handle;
    memcpy(other, features, sizeof(features));
    other[1].name = "load";
    ck_assert_int_eq(shard_forest_predictor(context, &config, &handle), SHARD_ECONFLICT);
    ck_assert_str_eq(message(),
                     "2 differences from the model's columns: 'f1' is missing; 'load' is unknown to the model");
    config.failure = nameless;
    config.schema = &shorter;
    ck_assert_int_eq(shard_forest_predictor(context, &config, &handle), SHARD_ECONFLICT);
    config.failure = seconds;
    config.schema = &schema;
    ck_assert_int_eq(shard_forest_predictor(context, &config, &handle), SHARD_EINVAL);
    config.failure = named;
    config.seconds = named;
    ck_assert_int_eq(shard_forest_predictor(context, &config, &handle), SHARD_EINVAL);
    shard_forest_free(named);
    shard_forest_free(nameless);
    shard_forest_free(seconds);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("predictor");
    TCase *cases = tcase_create("port");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_schema_that_makes_no_sense_is_refused);
    tcase_add_test(cases, the_hash_of_a_schema_sees_each_of_its_parts);
    tcase_add_test(cases, the_differences_between_schemas_are_listed);
    tcase_add_test(cases, a_list_of_differences_that_is_too_long_is_cut);
    tcase_add_test(cases, an_answer_that_is_no_probability_is_refused);
    tcase_add_test(cases, a_predictor_that_fails_is_named);
    tcase_add_test(cases, pairs_are_put_together_for_a_predictor_without_the_two_sided_form);
    tcase_add_test(cases, a_forest_behind_the_port_answers_the_same_in_both_forms);
    tcase_add_test(cases, contributions_add_up_to_the_log_odds);
    tcase_add_test(cases, a_model_of_other_columns_is_refused_with_the_differences);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
