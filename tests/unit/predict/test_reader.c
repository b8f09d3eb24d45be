/* SPDX-License-Identifier: Apache-2.0 */
/* Models that must be refused, each with a message that says what and where; and the forms that must be read. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shard/forest.h>

#include "model_maker.h"
#include "suite.h"

static shard_context *context;
static char directory[64];

static void set_up(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
    snprintf(directory, sizeof(directory), "/tmp/shard-reader-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void tear_down(void)
{
    shard_context_free(context);
    ck_assert_int_eq(rmdir(directory), 0);
}

/* A tree of a root and two leaves, and the file around it; each part can be replaced. */
static const char *const tree =
    "{\"base_weights\":[0E0,0E0,0E0],\"categories\":[],\"default_left\":[1,0,0],\"id\":0,"
    "\"left_children\":[1,-1,-1],\"loss_changes\":[1E0,0E0,0E0],\"parents\":[2147483647,0,0],"
    "\"right_children\":[2,-1,-1],\"split_conditions\":[5E-1,-1.5E0,2.5E0],\"split_indices\":[1,0,0],"
    "\"split_type\":[0,0,0],\"sum_hessian\":[4E0,1E0,3E0],"
    "\"tree_param\":{\"num_deleted\":\"0\",\"num_feature\":\"2\",\"num_nodes\":\"3\",\"size_leaf_vector\":\"0\"}}";

static char *whole_model(const char *the_tree)
{
    char *text = malloc(strlen(the_tree) + 2048);
    ck_assert_ptr_nonnull(text);
    sprintf(text,
            "{\"learner\":{\"attributes\":{\"best_iteration\":\"0\",\"note\":\"a\\u00e9\\n\"},"
            "\"feature_names\":[\"a\",\"b\"],\"feature_types\":[\"float\",\"float\"],"
            "\"gradient_booster\":{\"model\":{\"gbtree_model_param\":{\"num_parallel_tree\":\"1\",\"num_trees\":\"1\","
            "\"size_leaf_vector\":\"0\"},\"tree_info\":[0],\"trees\":[%s]},\"name\":\"gbtree\"},"
            "\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"2\","
            "\"num_target\":\"1\"},\"objective\":{\"name\":\"binary:logistic\",\"reg_loss_param\":{}}},"
            "\"version\":[1,7,4]}",
            the_tree);
    return text;
}

/* The text with `from` replaced once by `to`. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *found = strstr(text, from);
    ck_assert_msg(found != NULL, "'%s' is not in the model", from);
    char *result = malloc(strlen(text) + strlen(to) + 1);
    ck_assert_ptr_nonnull(result);
    sprintf(result, "%.*s%s%s", (int)(found - text), text, to, found + strlen(from));
    return result;
}

static int load(const char *text, const struct shard_forest_options *options, shard_forest **ret_forest)
{
    return shard_forest_load_buffer(context, text, strlen(text), "m.json", options, ret_forest);
}

static void expect(const char *text, int code, const char *message)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    shard_forest *forest = NULL;
    int status = load(text, NULL, &forest);
    shard_error_copy(&error);
    ck_assert_msg(status == code, "expected %d and '%s', got %d and '%s'", code, message, status, error.message);
    ck_assert_msg(strstr(error.message, message) != NULL, "expected '%s' in '%s'", message, error.message);
    ck_assert_msg(strncmp(error.message, "m.json: ", 8) == 0, "no source in '%s'", error.message);
    ck_assert_ptr_null(forest);
}

static void expect_replaced(const char *from, const char *to, int code, const char *message)
{
    char *text = whole_model(tree), *damaged = replaced(text, from, to);
    expect(damaged, code, message);
    free(damaged);
    free(text);
}

static float margin_of(const char *text, float a, float b)
{
    float row[] = {a, b}, margin = NAN;
    struct shard_matrix matrix = {row, 1, 0};
    shard_forest *forest;
    ck_assert_int_eq(load(text, NULL, &forest), 0);
    ck_assert_int_eq(shard_forest_margins(forest, &matrix, NULL, &margin), 0);
    shard_forest_free(forest);
    return margin;
}

START_TEST(a_model_says_what_it_is)
{
    struct shard_forest_info info = {.struct_size = sizeof(info)};
    char *text = whole_model(tree);
    shard_forest *forest;
    ck_assert_int_eq(load(text, NULL, &forest), 0);
    ck_assert_int_eq(shard_forest_describe(forest, &info), 0);
    ck_assert_int_eq(info.tree_count, 1);
    ck_assert_int_eq(info.feature_count, 2);
    ck_assert_int_eq(info.max_depth, 1);
    ck_assert_int_eq(info.max_leaves, 2);
    ck_assert_int_eq(info.best_iteration, 0);
    ck_assert_int_eq(info.version[1], 7);
    ck_assert_str_eq(shard_forest_feature_name(forest, 1), "b");
    ck_assert_ptr_null(shard_forest_feature_name(forest, 2));
    ck_assert_str_eq(shard_forest_attribute(forest, "note"), "a\xc3\xa9\n");
    ck_assert_ptr_null(shard_forest_attribute(forest, "other"));
    shard_forest_free(forest);
    free(text);
}
END_TEST

START_TEST(rows_go_left_below_the_threshold_and_where_missing_goes)
{
    char *text = whole_model(tree);
    ck_assert_float_eq(margin_of(text, 0, 0.25f), -1.5f);
    ck_assert_float_eq(margin_of(text, 0, 0.5f), 2.5f);
    ck_assert_float_eq(margin_of(text, 0, NAN), -1.5f);
    free(text);
}
END_TEST

START_TEST(newer_files_are_read)
{
    char *text = whole_model(tree), *newer = replaced(text, "\"5E-1\"", "\"[5E-1]\"");
    char *newest = replaced(newer, "[1,7,4]", "[3,1,0]");
    char *with_rounds =
        replaced(newest, "\"tree_info\"", "\"cats\":{\"enc\":[]},\"iteration_indptr\":[0,1],\"tree_info\"");
    char *with_leaf_size = replaced(with_rounds, "\"size_leaf_vector\":\"0\"}}", "\"size_leaf_vector\":\"1\"}}");
    ck_assert_float_eq(margin_of(with_leaf_size, 0, 1), 2.5f);
    free(with_leaf_size);
    free(with_rounds);
    free(newest);
    free(newer);
    free(text);
}
END_TEST

START_TEST(white_space_and_other_orders_are_read)
{
    char *text = whole_model(tree),
         *spaced = replaced(text, "\"left_children\":[1,-1,-1]", " \"left_children\" : [ 1 ,\n-1, -1 ] ");
    char *bools = replaced(spaced, "\"default_left\":[1,0,0]", "\"default_left\":[true,false,false]");
    ck_assert_float_eq(margin_of(bools, 0, NAN), -1.5f);
    free(bools);
    free(spaced);
    free(text);
}
END_TEST

START_TEST(trees_that_are_none_are_refused)
{
    expect_replaced("\"left_children\":[1,", "\"left_children\":[7,", SHARD_EPARSE,
                    "tree 0: node 0 has the left child 7, of 3");
    expect_replaced("\"left_children\":[1,", "\"left_children\":[0,", SHARD_EPARSE, "left child 0");
    expect_replaced("\"right_children\":[2,", "\"right_children\":[1,", SHARD_EPARSE, "children 1 and 1");
    expect_replaced("\"right_children\":[2,-1", "\"right_children\":[2,1", SHARD_EPARSE, "node 1 has a right child");
    expect_replaced("[2147483647,0,0]", "[2147483647,0,1]", SHARD_EPARSE, "names 1 as its parent");
    expect_replaced("[2147483647,0,0]", "[1,0,0]", SHARD_EPARSE, "the root names 1");
    expect_replaced("[5E-1,", "[NaN,", SHARD_EPARSE, "threshold NaN");
    expect_replaced(",2.5E0]", ",NaN]", SHARD_EPARSE, "leaf 2 is no finite number");
    expect_replaced(",2.5E0]", ",1E39]", SHARD_EPARSE, "leaf 2 is no finite number");
    expect_replaced("\"default_left\":[1,", "\"default_left\":[2,", SHARD_EPARSE, "default_left 2");
    expect_replaced("\"split_indices\":[1,", "\"split_indices\":[2,", SHARD_EPARSE,
                    "splits on feature 2, but num_feature is 2");
    expect_replaced("\"split_indices\":[1,", "\"split_indices\":[-5,", SHARD_EPARSE, "splits on feature -5");
    expect_replaced("\"num_nodes\":\"3\"", "\"num_nodes\":\"1000000000\"", SHARD_EPARSE, "1000000000 nodes");
    expect_replaced("\"num_nodes\":\"3\"", "\"num_nodes\":\"0\"", SHARD_EPARSE, "no nodes");
    expect_replaced("\"num_deleted\":\"0\"", "\"num_deleted\":\"1\"", SHARD_EPARSE, "1 are said to be deleted");
    expect_replaced("\"sum_hessian\":[4E0,1E0,3E0]", "\"sum_hessian\":[4E0,1E0]", SHARD_EPARSE,
                    "sum_hessian has 2 items");
    expect_replaced("\"base_weights\":[0E0,0E0,0E0]", "\"base_weights\":[0E0]", SHARD_EPARSE,
                    "base_weights has 1 items");
    expect_replaced("\"split_type\":[0,0,0]", "\"split_type\":[0]", SHARD_EPARSE, "split_type has 1 items");
    expect_replaced("\"loss_changes\":[1E0,0E0,0E0],", "", SHARD_EPARSE, "loss_changes is missing");
    expect_replaced("\"id\":0", "\"id\":4", SHARD_EPARSE, "id is 4");
    expect_replaced("\"id\":0", "\"id\":0,\"id\":0", SHARD_EPARSE, "'id' comes twice");
}
END_TEST

START_TEST(what_is_not_evaluated_here_is_named)
{
    expect_replaced("\"name\":\"gbtree\"", "\"name\":\"dart\",\"weight_drop\":[1E0]", SHARD_ENOTSUP, "dart");
    expect_replaced("\"name\":\"gbtree\"", "\"name\":\"gblinear\"", SHARD_ENOTSUP, "gblinear");
    expect_replaced("\"split_type\":[0,0,0]", "\"split_type\":[1,0,0]", SHARD_ENOTSUP, "categorical");
    expect_replaced("\"categories\":[]", "\"categories\":[3]", SHARD_ENOTSUP, "categorical");
    expect_replaced("binary:logistic", "multi:softprob", SHARD_ENOTSUP, "the objective is 'multi:softprob'");
    expect_replaced("\"num_class\":\"0\"", "\"num_class\":\"3\"", SHARD_ENOTSUP, "several classes");
    expect_replaced("\"num_target\":\"1\"", "\"num_target\":\"2\"", SHARD_ENOTSUP, "several classes or targets");
    expect_replaced("\"tree_info\":[0]", "\"tree_info\":[1]", SHARD_ENOTSUP, "tree 0 is of class 1");
    expect_replaced("\"5E-1\"", "\"[5E-1,5E-1]\"", SHARD_ENOTSUP, "several targets");
    expect_replaced("\"size_leaf_vector\":\"0\"}}", "\"size_leaf_vector\":\"3\"}}", SHARD_ENOTSUP, "vectors");
    expect("\x1f\x8b\x08 and so on", SHARD_ENOTSUP, "gzip");
    expect("binf and so on", SHARD_ENOTSUP, "old binary format");
}
END_TEST

START_TEST(files_that_contradict_themselves_are_refused)
{
    expect_replaced("\"num_trees\":\"1\"", "\"num_trees\":\"2\"", SHARD_EPARSE, "num_trees is 2, but there are 1");
    expect_replaced("\"tree_info\":[0]", "\"tree_info\":[0,0]", SHARD_EPARSE, "tree_info has 2 items");
    expect_replaced("\"num_parallel_tree\":\"1\"", "\"num_parallel_tree\":\"3\"", SHARD_EPARSE,
                    "num_parallel_tree is 3");
    expect_replaced("[\"a\",\"b\"]", "[\"a\"]", SHARD_EPARSE, "1 feature names for 2");
    expect_replaced("\"5E-1\"", "\"1.5E0\"", SHARD_EPARSE, "expected a probability");
    expect_replaced("\"5E-1\"", "\"half\"", SHARD_EPARSE, "base_score");
    expect_replaced("\"num_feature\":\"2\",\"num_target\"", "\"num_feature\":\"0\",\"num_target\"", SHARD_ELIMIT,
                    "num_feature is 0");
    expect_replaced("\"best_iteration\":\"0\"", "\"best_iteration\":\"1\"", SHARD_EPARSE, "best_iteration is '1'");
    expect_replaced("[1,7,4]", "[4,0,0]", SHARD_EVERSION, "4.0.0");
    expect_replaced(",\"version\":[1,7,4]", "", SHARD_EPARSE, "version is missing");
    expect_replaced("\"objective\":{\"name\":\"binary:logistic\",\"reg_loss_param\":{}}", "\"x\":1", SHARD_EPARSE,
                    "learner.objective is missing");
    expect_replaced("\"tree_info\":[0]", "\"iteration_indptr\":[0,2],\"tree_info\":[0]", SHARD_EPARSE,
                    "goes from 0 to 2");
}
END_TEST

START_TEST(text_that_is_no_json_is_refused_with_its_place)
{
    expect("", SHARD_EPARSE, "empty");
    expect("[]", SHARD_EPARSE, "begins with no object");
    expect("{\"learner\":{", SHARD_EPARSE, "byte 12: the text ends");
    expect("{\"learner\" {", SHARD_EPARSE, "byte 11: expected a colon");
    expect("{\"x\":1} x", SHARD_EPARSE, "expected the end, 1 more bytes");
    expect("{\"x\":tru}", SHARD_EPARSE, "expected a value");
    expect("{\"x\":\"\\u12g4\"}", SHARD_EPARSE, "hexadecimal digits");
    expect("{\"x\":\"\\ud800 \"}", SHARD_EPARSE, "surrogate without");
    expect("{\"x\":\"a\\u0000\"}", SHARD_EPARSE, "NUL");
    expect_replaced("\"id\":0", "\"id\":0.5", SHARD_EPARSE, "whole number");
    expect_replaced("[1,-1,-1]", "[1,-1,-99999999999]", SHARD_EPARSE, "32 bits");
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    size_t depth = 1000000;
    char *text = malloc(depth + 6);
    ck_assert_ptr_nonnull(text);
    memcpy(text, "{\"x\":", 5);
    memset(text + 5, '[', depth);
    text[depth + 5] = '\0';
    expect(text, SHARD_ELIMIT, "nested deeper");
    free(text);
}
END_TEST

START_TEST(ubjson_that_claims_more_than_there_is_is_refused)
{
    static const char claims[] = "{L\0\0\0\0\0\0\0\1x[$d#L\0\0\0\0\x3b\x9a\xca\0";
    static const char strings[] = "{L\0\0\0\0\0\0\0\1xSL\x7f\xff\xff\xff\xff\xff\xff\xff";
    static const char negative[] = "{L\0\0\0\0\0\0\0\1x[#l\xff\xff\xff\xff";
    static const char nothing[] = "{L\0\0\0\0\0\0\0\1x[$Z#L\0\0\0\0\x3b\x9a\xca\0";
    const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } cases[] = {{claims, sizeof(claims) - 1, "a count of 1000000000"},
                 {strings, sizeof(strings) - 1, "a count of 9223372036854775807"},
                 {negative, sizeof(negative) - 1, "a count of -1"},
                 {nothing, sizeof(nothing) - 1, "a type of numbers"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct shard_error error = {.struct_size = sizeof(error)};
        shard_forest *forest;
        ck_assert_int_eq(shard_forest_load_buffer(context, cases[i].bytes, cases[i].size, NULL, NULL, &forest),
                         SHARD_EPARSE);
        shard_error_copy(&error);
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "'%s'", error.message);
    }
}
END_TEST

START_TEST(each_cut_of_a_ubjson_model_is_refused)
{
    struct model_spec spec = {.seed = 3, .trees = 2, .depth = 3, .features = 4, .named = 1};
    struct made_bytes bytes;
    make_model(&spec, MODEL_UBJSON, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        shard_forest *forest;
        char *exact = malloc(size + 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, bytes.data, size);
        ck_assert_int_eq(shard_forest_load_buffer(context, exact, size, NULL, NULL, &forest), SHARD_EPARSE);
        free(exact);
    }
    free_bytes(&bytes);
}
END_TEST

START_TEST(rounds_end_at_the_best_iteration_unless_asked)
{
    struct model_spec spec = {
        .seed = 9, .trees = 12, .depth = 2, .features = 3, .parallel_trees = 2, .best_iteration = "3"};
    struct shard_forest_options options = {.struct_size = sizeof(options)};
    const struct {
        int rounds, trees;
    } cases[] = {{0, 8}, {-1, 12}, {1, 2}, {6, 12}};
    struct made_bytes bytes;
    shard_forest *forest;
    make_model(&spec, MODEL_JSON, &bytes);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct shard_forest_info info = {.struct_size = sizeof(info)};
        options.rounds = cases[i].rounds;
        ck_assert_int_eq(shard_forest_load_buffer(context, bytes.data, bytes.size, NULL, &options, &forest), 0);
        ck_assert_int_eq(shard_forest_describe(forest, &info), 0);
        ck_assert_int_eq(info.tree_count, cases[i].trees);
        shard_forest_free(forest);
    }
    options.rounds = 7;
    ck_assert_int_eq(shard_forest_load_buffer(context, bytes.data, bytes.size, NULL, &options, &forest), SHARD_EINVAL);
    free_bytes(&bytes);
}
END_TEST

static void write_file(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_saved_model_has_a_checksum_that_refuses_a_silent_change)
{
    struct shard_forest_options needed = {.struct_size = sizeof(needed), .checksum = SHARD_CHECKSUM_NEEDED};
    struct shard_forest_options ignored = {.struct_size = sizeof(ignored), .checksum = SHARD_CHECKSUM_IGNORED};
    char path[128], beside[160];
    char *text = whole_model(tree), *changed = replaced(text, "2.5E0", "2.6E0");
    shard_forest *forest;
    snprintf(path, sizeof(path), "%s/m.json", directory);
    snprintf(beside, sizeof(beside), "%s.b2", path);
    write_file(path, text, strlen(text));
    ck_assert_int_eq(shard_forest_load_file(context, path, &needed, &forest), SHARD_ENOENT);
    ck_assert_int_eq(shard_model_save(context, path, text, strlen(text)), 0);
    ck_assert_int_eq(shard_forest_load_file(context, path, &needed, &forest), 0);
    shard_forest_free(forest);
    write_file(path, changed, strlen(changed));
    ck_assert_int_eq(shard_forest_load_file(context, path, NULL, &forest), SHARD_ECORRUPT);
    ck_assert_int_eq(shard_forest_load_file(context, path, &ignored, &forest), 0);
    shard_forest_free(forest);
    write_file(beside, "nonsense", 8);
    ck_assert_int_eq(shard_forest_load_file(context, path, NULL, &forest), SHARD_ECORRUPT);
    ck_assert_int_eq(unlink(beside), 0);
    ck_assert_int_eq(shard_forest_load_file(context, path, NULL, &forest), 0);
    shard_forest_free(forest);
    ck_assert_int_eq(unlink(path), 0);
    free(changed);
    free(text);
}
END_TEST

START_TEST(a_model_that_would_be_refused_is_not_saved)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/m.json", directory);
    ck_assert_int_eq(shard_model_save(context, path, "{}", 2), SHARD_EPARSE);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(shard_forest_load_file(context, path, NULL, &(shard_forest *){NULL}), SHARD_ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reader");
    TCase *cases = tcase_create("models");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_model_says_what_it_is);
    tcase_add_test(cases, rows_go_left_below_the_threshold_and_where_missing_goes);
    tcase_add_test(cases, newer_files_are_read);
    tcase_add_test(cases, white_space_and_other_orders_are_read);
    tcase_add_test(cases, trees_that_are_none_are_refused);
    tcase_add_test(cases, what_is_not_evaluated_here_is_named);
    tcase_add_test(cases, files_that_contradict_themselves_are_refused);
    tcase_add_test(cases, text_that_is_no_json_is_refused_with_its_place);
    tcase_add_test(cases, deep_nesting_is_refused);
    tcase_add_test(cases, ubjson_that_claims_more_than_there_is_is_refused);
    tcase_add_test(cases, each_cut_of_a_ubjson_model_is_refused);
    tcase_add_test(cases, rounds_end_at_the_best_iteration_unless_asked);
    tcase_add_test(cases, a_saved_model_has_a_checksum_that_refuses_a_silent_change);
    tcase_add_test(cases, a_model_that_would_be_refused_is_not_saved);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
