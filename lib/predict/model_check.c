/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of a model once all of it has been read: what must be there is there, the parts agree with each other, and
 * the numbers that evaluation starts from follow from what the file says.
 */

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "model.h"

static const char *const required[FILE_REQUIRED] = {
    [LEARNER] = "learner",
    [VERSION] = "version",
    [BOOSTER] = "learner.gradient_booster",
    [LEARNER_PARAM] = "learner.learner_model_param",
    [OBJECTIVE] = "learner.objective",
    [MODEL] = "learner.gradient_booster.model",
    [BOOSTER_NAME] = "learner.gradient_booster.name",
    [BOOSTER_PARAM] = "learner.gradient_booster.model.gbtree_model_param",
    [TREES] = "learner.gradient_booster.model.trees",
    [TREE_INFO] = "learner.gradient_booster.model.tree_info",
    [BASE_SCORE] = "learner.learner_model_param.base_score",
    [FEATURE_COUNT] = "learner.learner_model_param.num_feature",
    [OBJECTIVE_NAME] = "learner.objective.name",
    [TREE_COUNT] = "learner.gradient_booster.model.gbtree_model_param.num_trees",
};

/* Fails about the file as a whole, where a byte says nothing. */
#define refuse(reader, code, ...) shard__fail_whole((reader)->source, code, __VA_ARGS__)
#define shard__fail_whole(source, code, format, ...) shard__fail(code, "%s: " format, source, __VA_ARGS__)

static int check_version(const struct shard__reader *reader, const struct shard__file *file)
{
    const int32_t *version = file->version.items;
    if (file->version.count != 3)
        return refuse(reader, SHARD_EPARSE, "version has %zu numbers, expected 3", file->version.count);
    if (version[0] < 1 || version[0] > 3)
        return refuse(reader, SHARD_EVERSION, "written by XGBoost %d.%d.%d; 1.x to 3.x are read", version[0],
                      version[1], version[2]);
    memcpy(file->model.forest->version, version, sizeof(file->model.forest->version));
    return 0;
}

static int check_features(const struct shard__reader *reader, const struct shard__file *file)
{
    shard_forest *forest = file->model.forest;
    if (file->feature_count < 1 || file->feature_count > SHARD__MAX_FEATURES)
        return refuse(reader, SHARD_ELIMIT, "num_feature is %lld, expected 1 to %d", (long long)file->feature_count,
                      SHARD__MAX_FEATURES);
    if (file->model.largest_feature >= file->feature_count)
        return refuse(reader, SHARD_EPARSE, "tree %d splits on feature %d, but num_feature is %lld",
                      file->model.largest_feature_tree, file->model.largest_feature, (long long)file->feature_count);
    if (forest->feature_name_count != 0 && forest->feature_name_count != (uint64_t)file->feature_count)
        return refuse(reader, SHARD_EPARSE, "%zu feature names for %lld features", forest->feature_name_count,
                      (long long)file->feature_count);
    forest->feature_count = (int32_t)file->feature_count;
    return 0;
}

static int check_trees(const struct shard__reader *reader, const struct shard__file *file)
{
    if (file->tree_count != file->model.forest->tree_count)
        return refuse(reader, SHARD_EPARSE, "num_trees is %lld, but there are %d trees", (long long)file->tree_count,
                      file->model.forest->tree_count);
    if (file->tree_info.count != (uint64_t)file->tree_count)
        return refuse(reader, SHARD_EPARSE, "tree_info has %zu items for %lld trees", file->tree_info.count,
                      (long long)file->tree_count);
    if (file->class_count > 1 || file->target_count > 1)
        return refuse(reader, SHARD_ENOTSUP, "several classes or targets (num_class %lld, num_target %lld)",
                      (long long)file->class_count, (long long)file->target_count);
    for (size_t i = 0; i < file->tree_info.count; i++)
        if (file->tree_info.items[i] != 0)
            return refuse(reader, SHARD_ENOTSUP, "tree %zu is of class %d; several classes are not evaluated", i,
                          file->tree_info.items[i]);
    return 0;
}

/* Where round `round` (from 0) ends, in trees. */
static int32_t round_end(const struct shard__file *file, int32_t round)
{
    if (file->round_ends.count > 0)
        return file->round_ends.items[round + 1];
    return (int32_t)((round + 1) * file->parallel_trees);
}

static int check_rounds(const struct shard__reader *reader, struct shard__file *file)
{
    shard_forest *forest = file->model.forest;
    const struct shard__ints *ends = &file->round_ends;
    if ((file->seen & 1u << PARALLEL) == 0)
        file->parallel_trees = 1;
    if (file->parallel_trees < 1 || file->tree_count % file->parallel_trees != 0)
        return refuse(reader, SHARD_EPARSE, "num_parallel_tree is %lld for %lld trees", (long long)file->parallel_trees,
                      (long long)file->tree_count);
    forest->round_count = (int32_t)(file->tree_count / file->parallel_trees);
    if ((file->seen & 1u << ROUND_ENDS) == 0 || ends->count == 0)
        return 0;
    for (size_t i = 0; i < ends->count; i++)
        if (ends->items[i] < (i > 0 ? ends->items[i - 1] : 0))
            return refuse(reader, SHARD_EPARSE, "iteration_indptr descends at %zu", i);
    if (ends->items[0] != 0 || ends->items[ends->count - 1] != file->tree_count)
        return refuse(reader, SHARD_EPARSE, "iteration_indptr goes from %d to %d, expected 0 to %lld", ends->items[0],
                      ends->items[ends->count - 1], (long long)file->tree_count);
    forest->round_count = (int32_t)(ends->count - 1);
    return 0;
}

/* The attributes that XGBoost's own packages set after early stopping. */
static int read_best(const struct shard__reader *reader, shard_forest *forest)
{
    const char *text = shard_forest_attribute(forest, "best_iteration");
    int64_t best;
    forest->best_iteration = -1;
    if (text == NULL)
        return 0;
    if (!shard__text_to_int((struct shard__text){text, strlen(text)}, &best) || best < 0 || best >= forest->round_count)
        return refuse(reader, SHARD_EPARSE, "the attribute best_iteration is '%.32s', but there are %d rounds", text,
                      forest->round_count);
    forest->best_iteration = (int32_t)best;
    return 0;
}

static int choose_rounds(const struct shard__reader *reader, const struct shard__file *file, int32_t rounds)
{
    shard_forest *forest = file->model.forest;
    int status = read_best(reader, forest);
    if (status < 0)
        return status;
    if (rounds == 0 && forest->best_iteration >= 0)
        rounds = forest->best_iteration + 1;
    if (rounds > forest->round_count)
        return refuse(reader, SHARD_EINVAL, "%d rounds are asked for, the model has %d", rounds, forest->round_count);
    if (rounds > 0) {
        forest->round_count = rounds;
        forest->tree_count = round_end(file, rounds - 1);
    }
    for (int32_t i = 0; i < forest->tree_count; i++) {
        const struct shard__tree *tree = &forest->trees[i];
        forest->max_depth = tree->depth > forest->max_depth ? tree->depth : forest->max_depth;
        forest->max_leaves = tree->leaf_count > forest->max_leaves ? tree->leaf_count : forest->max_leaves;
    }
    return 0;
}

/* What the base score is as a margin; in float32 and with logf, as XGBoost (ObjFunction::ProbToMargin). */
static int set_base_margin(const struct shard__reader *reader, shard_forest *forest)
{
    float score = forest->base_score;
    forest->base_margin = score;
    if (forest->objective == SHARD_OBJECTIVE_BINARY_LOGISTIC) {
        if (!(score > 0 && score < 1))
            return refuse(reader, SHARD_EPARSE, "base_score is %g, expected a probability between 0 and 1", score);
        forest->base_margin = -logf(1.0f / score - 1.0f);
    } else if (forest->objective == SHARD_OBJECTIVE_AFT) {
        if (!(score > 0))
            return refuse(reader, SHARD_EPARSE, "base_score is %g, expected a time above 0", score);
        forest->base_margin = logf(score);
    }
    return 0;
}

static int check_file(const struct shard__reader *reader, struct shard__file *file, int32_t rounds)
{
    int status = 0;
    for (int i = 0; i < FILE_REQUIRED; i++)
        if ((file->seen & 1u << i) == 0)
            return refuse(reader, SHARD_EPARSE, "%s is missing", required[i]);
    if ((status = check_version(reader, file)) < 0 || (status = check_features(reader, file)) < 0 ||
        (status = check_trees(reader, file)) < 0 || (status = check_rounds(reader, file)) < 0 ||
        (status = choose_rounds(reader, file, rounds)) < 0)
        return status;
    return set_base_margin(reader, file->model.forest);
}

int shard__forest_parse(shard_forest *forest, const void *bytes, size_t size, const char *source, int32_t rounds)
{
    struct shard__file file = {.model = {.forest = forest, .largest_feature = -1}};
    const shard_context *context = forest->context;
    struct shard__reader reader;
    int status = shard__reader_init(&reader, context, source, bytes, size);
    if (status == 0)
        status = shard__read_object(&reader, shard__file_member, &file);
    if (status == 0)
        status = shard__reader_end(&reader);
    if (status == 0)
        status = check_file(&reader, &file, rounds);
    shard__tree_arrays_free(context, &file.model.arrays);
    shard__release(context, file.model.stack.items, file.model.stack.capacity * sizeof(int32_t));
    shard__release(context, file.tree_info.items, file.tree_info.capacity * sizeof(int32_t));
    shard__release(context, file.round_ends.items, file.round_ends.capacity * sizeof(int32_t));
    shard__release(context, file.version.items, file.version.capacity * sizeof(int32_t));
    shard__reader_free(&reader);
    return status;
}
