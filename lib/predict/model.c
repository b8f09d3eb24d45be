/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model file as a whole: learner, booster, objective and their parameters, in any order. What is not evaluated here
 * is refused by name. Members that do not change what is predicted are passed over.
 */

#include "model.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

int shard__member_once(struct shard__reader *reader, uint32_t *seen, int bit, struct shard__text key)
{
    if ((*seen & 1u << bit) != 0)
        return shard__reader_fail(reader, SHARD_EPARSE, "'%.*s' comes twice", (int)(key.size < 64 ? key.size : 64),
                                  key.data);
    *seen |= 1u << bit;
    return 0;
}

int shard__read_int_text(struct shard__reader *reader, const char *what, int64_t *ret_value)
{
    struct shard__text text;
    int status = shard__read_text(reader, &text);
    if (status == 0 && !shard__text_to_int(text, ret_value))
        status = shard__reader_fail(reader, SHARD_EPARSE, "expected %s as text", what);
    return status;
}

static char *copy_text(const struct shard__model *model, struct shard__text text)
{
    char *copy = shard__realloc(model->forest->context, NULL, 0, text.size + 1);
    if (copy != NULL) {
        memcpy(copy, text.data, text.size);
        copy[text.size] = '\0';
    }
    return copy;
}

static int read_feature_name(struct shard__reader *reader, size_t index, void *arg)
{
    struct shard__file *file = arg;
    shard_forest *forest = file->model.forest;
    struct shard__text text;
    int status = shard__read_text(reader, &text);
    if (status < 0)
        return status;
    if (index >= SHARD__MAX_FEATURES)
        return shard__reader_fail(reader, SHARD_ELIMIT, "more than %d feature names", SHARD__MAX_FEATURES);
    status =
        shard__grow(forest->context, &forest->feature_names, &forest->feature_name_capacity, index + 1, sizeof(char *));
    if (status < 0)
        return status;
    char *name = copy_text(&file->model, text);
    if (name == NULL)
        return SHARD_ENOMEM;
    forest->feature_names[forest->feature_name_count++] = name;
    return 0;
}

static int read_attribute(struct shard__reader *reader, struct shard__text key, void *arg)
{
    struct shard__file *file = arg;
    shard_forest *forest = file->model.forest;
    struct shard__text text;
    int status = shard__grow(forest->context, &forest->attributes, &forest->attribute_capacity,
                             forest->attribute_count + 1, sizeof(struct shard__attribute));
    if (status < 0)
        return status;
    struct shard__attribute *attribute = &forest->attributes[forest->attribute_count++];
    *attribute = (struct shard__attribute){.name = copy_text(&file->model, key)};
    if (attribute->name == NULL)
        return SHARD_ENOMEM;
    if ((status = shard__read_text(reader, &text)) < 0)
        return status;
    attribute->value = copy_text(&file->model, text);
    return attribute->value != NULL ? 0 : SHARD_ENOMEM;
}

static int read_tree(struct shard__reader *reader, size_t index, void *arg)
{
    struct shard__file *file = arg;
    if (index >= INT32_MAX / 4)
        return shard__reader_fail(reader, SHARD_ELIMIT, "too many trees");
    return shard__tree_read(reader, &file->model);
}

static int booster_param_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    struct shard__file *file = arg;
    int tree_count = shard__text_is(key, "num_trees");
    if (!tree_count && !shard__text_is(key, "num_parallel_tree"))
        return shard__read_skip(reader);
    int status = shard__member_once(reader, &file->seen, tree_count ? TREE_COUNT : PARALLEL, key);
    if (status < 0)
        return status;
    return shard__read_int_text(reader, "a whole number", tree_count ? &file->tree_count : &file->parallel_trees);
}

static int model_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    struct shard__file *file = arg;
    int bit = shard__text_is(key, "gbtree_model_param") ? BOOSTER_PARAM
              : shard__text_is(key, "trees")            ? TREES
              : shard__text_is(key, "tree_info")        ? TREE_INFO
              : shard__text_is(key, "iteration_indptr") ? ROUND_ENDS
                                                        : -1;
    if (bit < 0)
        return shard__read_skip(reader);
    int status = shard__member_once(reader, &file->seen, bit, key);
    if (status < 0)
        return status;
    switch (bit) {
    case BOOSTER_PARAM:
        return shard__read_object(reader, booster_param_member, file);
    case TREES:
        return shard__read_array(reader, read_tree, file);
    case TREE_INFO:
        return shard__read_ints(reader, &file->tree_info);
    default:
        return shard__read_ints(reader, &file->round_ends);
    }
}

static int read_booster_name(struct shard__reader *reader)
{
    struct shard__text name;
    int status = shard__read_text(reader, &name);
    if (status < 0 || shard__text_is(name, "gbtree"))
        return status;
    return shard__reader_fail(reader, SHARD_ENOTSUP, "the booster is '%.*s', only gbtree is evaluated",
                              (int)(name.size < 64 ? name.size : 64), name.data);
}

static int booster_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    struct shard__file *file = arg;
    int is_model = shard__text_is(key, "model");
    /* Dart keeps its trees one level deeper, and its name comes behind them. */
    if (shard__text_is(key, "weight_drop") || shard__text_is(key, "gbtree"))
        return shard__reader_fail(reader, SHARD_ENOTSUP, "the booster is 'dart', only gbtree is evaluated");
    if (!is_model && !shard__text_is(key, "name"))
        return shard__read_skip(reader);
    int status = shard__member_once(reader, &file->seen, is_model ? MODEL : BOOSTER_NAME, key);
    if (status < 0)
        return status;
    return is_model ? shard__read_object(reader, model_member, file) : read_booster_name(reader);
}

static int objective_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    static const char *const names[] = {
        [SHARD_OBJECTIVE_BINARY_LOGISTIC] = "binary:logistic",
        [SHARD_OBJECTIVE_SQUARED_ERROR] = "reg:squarederror",
        [SHARD_OBJECTIVE_SQUARED_LOG_ERROR] = "reg:squaredlogerror",
        [SHARD_OBJECTIVE_AFT] = "survival:aft",
    };
    struct shard__file *file = arg;
    struct shard__text name;
    if (!shard__text_is(key, "name"))
        return shard__read_skip(reader);
    int status = shard__member_once(reader, &file->seen, OBJECTIVE_NAME, key);
    if (status < 0 || (status = shard__read_text(reader, &name)) < 0)
        return status;
    for (int i = SHARD_OBJECTIVE_BINARY_LOGISTIC; i <= SHARD_OBJECTIVE_AFT; i++)
        if (shard__text_is(name, names[i])) {
            file->model.forest->objective = (enum shard_objective)i;
            return 0;
        }
    return shard__reader_fail(
        reader, SHARD_ENOTSUP,
        "the objective is '%.*s', expected binary:logistic, reg:squarederror, reg:squaredlogerror "
        "or survival:aft",
        (int)(name.size < 64 ? name.size : 64), name.data);
}

/* A number as text; since 3.1 in brackets, one for each target. */
static int read_base_score(struct shard__reader *reader, shard_forest *forest)
{
    struct shard__text text;
    int status = shard__read_text(reader, &text);
    if (status < 0)
        return status;
    if (text.size >= 2 && text.data[0] == '[' && text.data[text.size - 1] == ']')
        text = (struct shard__text){text.data + 1, text.size - 2};
    if (memchr(text.data, ',', text.size) != NULL)
        return shard__reader_fail(reader, SHARD_ENOTSUP, "several targets (base_score has several numbers)");
    if (!shard__text_to_float(text, &forest->base_score) || !isfinite(forest->base_score))
        return shard__reader_fail(reader, SHARD_EPARSE, "base_score is no finite number");
    return 0;
}

static int learner_param_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    struct shard__file *file = arg;
    int bit = shard__text_is(key, "base_score")    ? BASE_SCORE
              : shard__text_is(key, "num_feature") ? FEATURE_COUNT
              : shard__text_is(key, "num_class")   ? CLASS_COUNT
              : shard__text_is(key, "num_target")  ? TARGET_COUNT
                                                   : -1;
    if (bit < 0)
        return shard__read_skip(reader);
    int status = shard__member_once(reader, &file->seen, bit, key);
    if (status < 0)
        return status;
    if (bit == BASE_SCORE)
        return read_base_score(reader, file->model.forest);
    return shard__read_int_text(reader, "a whole number",
                                bit == FEATURE_COUNT ? &file->feature_count
                                : bit == CLASS_COUNT ? &file->class_count
                                                     : &file->target_count);
}

static int learner_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    struct shard__file *file = arg;
    int bit = shard__text_is(key, "gradient_booster")      ? BOOSTER
              : shard__text_is(key, "learner_model_param") ? LEARNER_PARAM
              : shard__text_is(key, "objective")           ? OBJECTIVE
              : shard__text_is(key, "feature_names")       ? NAMES
              : shard__text_is(key, "attributes")          ? ATTRIBUTES
                                                           : -1;
    if (bit < 0)
        return shard__read_skip(reader);
    int status = shard__member_once(reader, &file->seen, bit, key);
    if (status < 0)
        return status;
    switch (bit) {
    case BOOSTER:
        return shard__read_object(reader, booster_member, file);
    case LEARNER_PARAM:
        return shard__read_object(reader, learner_param_member, file);
    case OBJECTIVE:
        return shard__read_object(reader, objective_member, file);
    case NAMES:
        return shard__read_array(reader, read_feature_name, file);
    default:
        return shard__read_object(reader, read_attribute, file);
    }
}

int shard__file_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    struct shard__file *file = arg;
    int learner = shard__text_is(key, "learner");
    if (!learner && !shard__text_is(key, "version"))
        return shard__read_skip(reader);
    int status = shard__member_once(reader, &file->seen, learner ? LEARNER : VERSION, key);
    if (status < 0)
        return status;
    return learner ? shard__read_object(reader, learner_member, file) : shard__read_ints(reader, &file->version);
}
