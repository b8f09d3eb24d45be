/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_MODEL_H
#define SHARD_PREDICT_MODEL_H

/* What the two halves of reading a model share: the file as a whole (model.c) and one tree (tree.c). */

#include "forest.h"
#include "reader.h"

/* A tree's arrays as the file has them; used again from tree to tree. */
struct shard__tree_arrays {
    struct shard__ints left, right, parents, features, missing_left, split_types, categories;
    struct shard__floats values, covers;
    size_t weight_count, gain_count; /* arrays that are not used, but must be as long as the others */
    int64_t id, node_count, deleted_count, leaf_size;
    uint32_t seen; /* one bit for each member */
};

/* Where the largest feature index was seen, for the message when it turns out to be too large. */
struct shard__model {
    shard_forest *forest;
    struct shard__tree_arrays arrays;
    struct shard__ints stack; /* scratch of the check: a node and its depth, in turn */
    int32_t largest_feature;
    int32_t largest_feature_tree;
};

/* Members of a file that may come once; bits of `seen`. */
enum shard__file_bit {
    LEARNER,
    VERSION,
    BOOSTER,
    LEARNER_PARAM,
    OBJECTIVE,
    MODEL,
    BOOSTER_NAME,
    BOOSTER_PARAM,
    TREES,
    TREE_INFO,
    BASE_SCORE,
    FEATURE_COUNT,
    OBJECTIVE_NAME,
    TREE_COUNT,
    FILE_REQUIRED, /* so far */
    ROUND_ENDS = FILE_REQUIRED,
    NAMES,
    ATTRIBUTES,
    CLASS_COUNT,
    TARGET_COUNT,
    PARALLEL
};

/* The reading of one file. */
struct shard__file {
    struct shard__model model;
    uint32_t seen;
    int64_t feature_count, class_count, target_count, tree_count, parallel_trees;
    struct shard__ints tree_info, round_ends, version;
};

/* Reads a member of the file's outermost object; `arg` is the struct shard__file. */
int shard__file_member(struct shard__reader *reader, struct shard__text key, void *arg);

/* Reads the tree that is next, checks it and appends it to the forest. */
int shard__tree_read(struct shard__reader *reader, struct shard__model *model);
void shard__tree_arrays_free(const shard_context *context, struct shard__tree_arrays *arrays);

/* Notes that a member was seen; a second time is refused. */
int shard__member_once(struct shard__reader *reader, uint32_t *seen, int bit, struct shard__text key);

/* A number that XGBoost writes as text, "28". */
int shard__read_int_text(struct shard__reader *reader, const char *what, int64_t *ret_value);

#endif
