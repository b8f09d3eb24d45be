/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damaged models: 2,000 of each format, bytes changed, cut out, doubled, swapped, cut off. Each is refused with a
 * message or is a model that can be evaluated; none crashes or hangs. With a digest each one that changed is refused.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/forest.h>

#include "model_maker.h"
#include "suite.h"

enum { MUTANTS = 2000, FEATURES = 5 };

static shard_context *context;

static void set_up(void)
{
    ck_assert_int_eq(shard_context_new(NULL, &context), 0);
}

static void tear_down(void)
{
    shard_context_free(context);
}

static void make_original(enum model_format format, uint64_t seed, struct made_bytes *ret_bytes)
{
    struct model_spec spec = {.seed = seed,
                              .trees = 3,
                              .depth = 4,
                              .features = FEATURES,
                              .leaf_percent = 20,
                              .named = 1,
                              .deleted = (int)(seed % 2),
                              .best_iteration = "1"};
    make_model(&spec, format, ret_bytes);
}

/* What damage there is: see the cases. The copy has its exact size, so that a sanitizer sees reads beyond the end. */
static char *mutate(const struct made_bytes *original, uint64_t *state, size_t *ret_size)
{
    static const char *const tokens[] = {
        "-1", "0",    "1000000000", "2147483647",           "NaN", "[",    "]", "{", "}", "\"",
        ",",  "1E99", "null",       "99999999999999999999", "-",   "\x80", "L", "$", "#"};
    size_t size = original->size, at = draw(state) % size, length = 1 + draw(state) % 40;
    char *copy = malloc(size + 64);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, original->data, size);
    length = length < size - at ? length : size - at;
    switch (draw(state) % 6) {
    case 0: /* a bit */
        copy[at] = (char)(copy[at] ^ (1 << draw(state) % 8));
        break;
    case 1: /* a byte */
        copy[at] = (char)draw(state);
        break;
    case 2: /* cut out */
        memmove(copy + at, copy + at + length, size - at - length);
        size -= length;
        break;
    case 3: /* cut off */
        size = at;
        break;
    case 4: { /* doubled */
        memmove(copy + at + length, copy + at, size - at);
        size += length;
        break;
    }
    default: { /* another token in place of what is there */
        const char *token = tokens[draw(state) % (sizeof(tokens) / sizeof(tokens[0]))];
        size_t token_size = strlen(token) < size - at ? strlen(token) : size - at;
        memcpy(copy + at, token, token_size);
    }
    }
    char *exact = malloc(size > 0 ? size : 1);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, copy, size);
    free(copy);
    *ret_size = size;
    return exact;
}

/* A model that passed can be used in every way. */
static void use(const shard_forest *forest)
{
    struct shard_forest_info info = {.struct_size = sizeof(info)};
    ck_assert_int_eq(shard_forest_describe(forest, &info), 0);
    if (info.feature_count > 1000)
        return;
    size_t width = (size_t)info.feature_count + 1;
    float *rows = malloc(40 * width * sizeof(float)), *results = malloc(40 * width * sizeof(float));
    ck_assert(rows != NULL && results != NULL);
    draw_rows(1, rows, 40 * width);
    struct shard_matrix matrix = {rows, 40, (int64_t)width};
    ck_assert_int_eq(shard_forest_margins(forest, &matrix, NULL, results), 0);
    int status = shard_forest_contributions(forest, &matrix, NULL, results);
    ck_assert(status == 0 || status == SHARD_EINVAL);
    free(rows);
    free(results);
}

static void load_mutants(enum model_format format, const char *digest)
{
    uint64_t state = 17 + (uint64_t)format;
    int taken = 0;
    for (int i = 0; i < MUTANTS; i++) {
        struct made_bytes original;
        struct shard_forest_options options = {.struct_size = sizeof(options), .digest = digest};
        struct shard_error error = {.struct_size = sizeof(error)};
        shard_forest *forest = NULL;
        size_t size;
        make_original(format, digest != NULL ? 0 : (uint64_t)i % 8, &original);
        char *mutant = mutate(&original, &state, &size);
        int same = size == original.size && memcmp(mutant, original.data, size) == 0;
        int status = shard_forest_load_buffer(context, mutant, size, "mutant", &options, &forest);
        shard_error_copy(&error);
        if (status == 0) {
            use(forest);
            taken++;
            ck_assert_msg(digest == NULL || same, "mutant %d passed its digest", i);
        } else {
            ck_assert_int_eq(error.code, status);
            ck_assert_int_eq(strncmp(error.message, "mutant: ", 8), 0);
            ck_assert_msg(digest == NULL || status == SHARD_ECORRUPT, "mutant %d: %s", i, error.message);
        }
        shard_forest_free(forest);
        free(mutant);
        free_bytes(&original);
    }
    ck_assert_int_lt(taken, MUTANTS);
}

START_TEST(damaged_json_models_never_crash_or_hang)
{
    load_mutants(MODEL_JSON, NULL);
}
END_TEST

START_TEST(damaged_ubjson_models_never_crash_or_hang)
{
    load_mutants(MODEL_UBJSON, NULL);
}
END_TEST

START_TEST(a_digest_refuses_every_damaged_model)
{
    for (int format = MODEL_JSON; format <= MODEL_UBJSON; format++) {
        struct shard_forest_info info = {.struct_size = sizeof(info)};
        struct made_bytes original;
        shard_forest *forest;
        make_original((enum model_format)format, 0, &original);
        ck_assert_int_eq(shard_forest_load_buffer(context, original.data, original.size, NULL, NULL, &forest), 0);
        ck_assert_int_eq(shard_forest_describe(forest, &info), 0);
        load_mutants((enum model_format)format, info.digest);
        shard_forest_free(forest);
        free_bytes(&original);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutations");
    TCase *cases = tcase_create("damaged models");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, damaged_json_models_never_crash_or_hang);
    tcase_add_test(cases, damaged_ubjson_models_never_crash_or_hang);
    tcase_add_test(cases, a_digest_refuses_every_damaged_model);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
