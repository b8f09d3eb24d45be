/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One tree of a model: its arrays, and the check that they are a tree. What passes can be walked without another look:
 * children are inside, each node but the root has one parent, so that no walk is endless, and depth is bounded.
 *
 * Two things that a file must have and XGBoost does not check: its evaluation takes the node behind the left child for
 * the right one, whatever the file says; and nodes that no walk reaches must be marked as deleted.
 */

#include <math.h>

#include "base/error.h"
#include "model.h"

enum member {
    LEFT,
    RIGHT,
    PARENTS,
    FEATURES,
    MISSING_LEFT,
    VALUES,
    COVERS,
    WEIGHTS,
    GAINS,
    ID,
    PARAM,
    REQUIRED_COUNT,
    SPLIT_TYPES = REQUIRED_COUNT,
    CATEGORIES,
    PARAM_NODES,
    PARAM_DELETED,
    PARAM_LEAF_SIZE
};

static const char *const member_names[] = {
    [LEFT] = "left_children",        [RIGHT] = "right_children",
    [PARENTS] = "parents",           [FEATURES] = "split_indices",
    [MISSING_LEFT] = "default_left", [VALUES] = "split_conditions",
    [COVERS] = "sum_hessian",        [WEIGHTS] = "base_weights",
    [GAINS] = "loss_changes",        [ID] = "id",
    [PARAM] = "tree_param",          [SPLIT_TYPES] = "split_type",
    [CATEGORIES] = "categories",
};

enum { NO_NODE = INT32_MAX }; /* what XGBoost writes for the root's parent and for a deleted node's feature */

static int param_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    struct shard__tree_arrays *arrays = arg;
    int64_t *value;
    enum member bit;
    if (shard__text_is(key, "num_nodes")) {
        value = &arrays->node_count;
        bit = PARAM_NODES;
    } else if (shard__text_is(key, "num_deleted")) {
        value = &arrays->deleted_count;
        bit = PARAM_DELETED;
    } else if (shard__text_is(key, "size_leaf_vector")) {
        value = &arrays->leaf_size;
        bit = PARAM_LEAF_SIZE;
    } else {
        return shard__read_skip(reader);
    }
    int status = shard__member_once(reader, &arrays->seen, bit, key);
    return status < 0 ? status : shard__read_int_text(reader, "a whole number", value);
}

static int read_member(struct shard__reader *reader, int member, struct shard__tree_arrays *arrays)
{
    switch (member) {
    case LEFT:
        return shard__read_ints(reader, &arrays->left);
    case RIGHT:
        return shard__read_ints(reader, &arrays->right);
    case PARENTS:
        return shard__read_ints(reader, &arrays->parents);
    case FEATURES:
        return shard__read_ints(reader, &arrays->features);
    case MISSING_LEFT:
        return shard__read_ints(reader, &arrays->missing_left);
    case SPLIT_TYPES:
        return shard__read_ints(reader, &arrays->split_types);
    case CATEGORIES:
        return shard__read_ints(reader, &arrays->categories);
    case VALUES:
        return shard__read_floats(reader, &arrays->values);
    case COVERS:
        return shard__read_floats(reader, &arrays->covers);
    case WEIGHTS:
        return shard__read_count(reader, &arrays->weight_count);
    case GAINS:
        return shard__read_count(reader, &arrays->gain_count);
    case ID:
        return shard__read_int(reader, &arrays->id);
    default:
        return shard__read_object(reader, param_member, arrays);
    }
}

static int tree_member(struct shard__reader *reader, struct shard__text key, void *arg)
{
    struct shard__tree_arrays *arrays = arg;
    for (enum member i = 0; i <= CATEGORIES; i++) {
        if (!shard__text_is(key, member_names[i]))
            continue;
        int status = shard__member_once(reader, &arrays->seen, i, key);
        return status < 0 ? status : read_member(reader, i, arrays);
    }
    return shard__read_skip(reader);
}

static int check_lengths(const struct shard__reader *reader, const struct shard__tree_arrays *arrays)
{
    const size_t counts[] = {
        [LEFT] = arrays->left.count,
        [RIGHT] = arrays->right.count,
        [PARENTS] = arrays->parents.count,
        [FEATURES] = arrays->features.count,
        [MISSING_LEFT] = arrays->missing_left.count,
        [VALUES] = arrays->values.count,
        [COVERS] = arrays->covers.count,
        [WEIGHTS] = arrays->weight_count,
        [GAINS] = arrays->gain_count,
        [ID] = (size_t)arrays->node_count,
        [PARAM] = (size_t)arrays->node_count,
        [SPLIT_TYPES] = arrays->seen & 1u << SPLIT_TYPES ? arrays->split_types.count : (size_t)arrays->node_count,
    };
    for (enum member i = 0; i < REQUIRED_COUNT; i++)
        if ((arrays->seen & 1u << i) == 0)
            return shard__reader_fail(reader, SHARD_EPARSE, "%s is missing", member_names[i]);
    if ((arrays->seen & 1u << PARAM_NODES) == 0)
        return shard__reader_fail(reader, SHARD_EPARSE, "tree_param has no num_nodes");
    if (arrays->node_count < 1)
        return shard__reader_fail(reader, SHARD_EPARSE, "no nodes");
    for (enum member i = 0; i <= SPLIT_TYPES; i++)
        if (counts[i] != (uint64_t)arrays->node_count)
            return shard__reader_fail(reader, SHARD_EPARSE, "%s has %zu items, expected one for each of the %lld nodes",
                                      member_names[i], counts[i], (long long)arrays->node_count);
    if (arrays->id != reader->tree)
        return shard__reader_fail(reader, SHARD_EPARSE, "id is %lld, expected its place", (long long)arrays->id);
    return 0;
}

/* What is well-formed but not evaluated here. */
static int check_kind(const struct shard__reader *reader, const struct shard__tree_arrays *arrays)
{
    if (arrays->leaf_size > 1)
        return shard__reader_fail(reader, SHARD_ENOTSUP, "leaves that are vectors (size_leaf_vector %lld)",
                                  (long long)arrays->leaf_size);
    for (size_t i = 0; i < arrays->split_types.count; i++)
        if (arrays->split_types.items[i] != 0)
            return shard__reader_fail(reader, SHARD_ENOTSUP, "node %zu is a categorical split", i);
    if (arrays->categories.count > 0)
        return shard__reader_fail(reader, SHARD_ENOTSUP, "categorical splits");
    return 0;
}

static int check_leaf(const struct shard__reader *reader, const struct shard__tree_arrays *arrays, int32_t node)
{
    if (arrays->right.items[node] != -1)
        return shard__reader_fail(reader, SHARD_EPARSE, "node %d has a right child (%d), but no left one", node,
                                  arrays->right.items[node]);
    if (!isfinite(arrays->values.items[node]))
        return shard__reader_fail(reader, SHARD_EPARSE, "leaf %d is no finite number", node);
    return 0;
}

static int check_inner(const struct shard__reader *reader, const struct shard__tree_arrays *arrays, int32_t node)
{
    int32_t left = arrays->left.items[node], right = arrays->right.items[node];
    int32_t missing_left = arrays->missing_left.items[node];
    if (left < 1 || left >= arrays->node_count - 1)
        return shard__reader_fail(reader, SHARD_EPARSE, "node %d has the left child %d, of %lld nodes", node, left,
                                  (long long)arrays->node_count);
    if (right != left + 1)
        return shard__reader_fail(reader, SHARD_EPARSE,
                                  "node %d has the children %d and %d; XGBoost takes the right one to follow the left",
                                  node, left, right);
    for (int32_t child = left; child <= right; child++)
        if (arrays->parents.items[child] != node)
            return shard__reader_fail(reader, SHARD_EPARSE, "node %d is a child of %d, but names %d as its parent",
                                      child, node, arrays->parents.items[child]);
    if (isnan(arrays->values.items[node]))
        return shard__reader_fail(reader, SHARD_EPARSE, "node %d has the threshold NaN", node);
    if (missing_left != 0 && missing_left != 1)
        return shard__reader_fail(reader, SHARD_EPARSE, "node %d has default_left %d, expected 0 or 1", node,
                                  missing_left);
    return 0;
}

static int note_feature(const struct shard__reader *reader, struct shard__model *model, int32_t node)
{
    int32_t feature = model->arrays.features.items[node];
    if (feature < 0 || feature >= SHARD__MAX_FEATURES)
        return shard__reader_fail(reader, SHARD_EPARSE, "node %d splits on feature %d", node, feature);
    if (feature > model->largest_feature) {
        model->largest_feature = feature;
        model->largest_feature_tree = reader->tree;
    }
    return 0;
}

/* Nodes that no walk reaches are those that XGBoost deleted: it says how many, and marks each. */
static int check_deleted(const struct shard__reader *reader, const struct shard__tree_arrays *arrays, int64_t reached)
{
    int64_t marked = 0;
    for (int64_t i = 1; i < arrays->node_count; i++)
        marked += arrays->features.items[i] == NO_NODE && arrays->missing_left.items[i] == 1;
    if (reached + arrays->deleted_count == arrays->node_count && marked == arrays->deleted_count)
        return 0;
    return shard__reader_fail(
        reader, SHARD_EPARSE, "%lld of %lld nodes are reached; %lld are said to be deleted, %lld are marked so",
        (long long)reached, (long long)arrays->node_count, (long long)arrays->deleted_count, (long long)marked);
}

/* Walks from the root: since each child names its one parent and the root has none, no node comes twice. */
static int check_shape(const struct shard__reader *reader, struct shard__model *model, struct shard__tree *tree)
{
    const struct shard__tree_arrays *arrays = &model->arrays;
    struct shard__ints *stack = &model->stack;
    int64_t reached = 0;
    if (arrays->parents.items[0] != NO_NODE && arrays->parents.items[0] != -1)
        return shard__reader_fail(reader, SHARD_EPARSE, "the root names %d as its parent", arrays->parents.items[0]);
    int status =
        shard__grow(reader->context, &stack->items, &stack->capacity, 2 * (SHARD__MAX_DEPTH + 2), sizeof(int32_t));
    if (status < 0)
        return status;
    stack->items[0] = stack->items[1] = 0;
    stack->count = 2;
    while (stack->count > 0) {
        int32_t depth = stack->items[--stack->count], node = stack->items[--stack->count];
        reached++;
        if (arrays->left.items[node] == -1) {
            tree->leaf_count++;
            tree->depth = depth > tree->depth ? depth : tree->depth;
            if ((status = check_leaf(reader, arrays, node)) < 0)
                return status;
            continue;
        }
        if ((status = check_inner(reader, arrays, node)) < 0 || (status = note_feature(reader, model, node)) < 0)
            return status;
        if (depth >= SHARD__MAX_DEPTH)
            return shard__reader_fail(reader, SHARD_ELIMIT, "deeper than %d levels", SHARD__MAX_DEPTH);
        for (int32_t right = 1; right >= 0; right--) {
            stack->items[stack->count++] = arrays->left.items[node] + right;
            stack->items[stack->count++] = depth + 1;
        }
    }
    return check_deleted(reader, arrays, reached);
}

static int append_tree(const struct shard__model *model, struct shard__tree *tree)
{
    shard_forest *forest = model->forest;
    const struct shard__tree_arrays *arrays = &model->arrays;
    size_t count = (size_t)arrays->node_count, wanted = forest->node_count + count;
    int status =
        shard__grow(forest->context, &forest->nodes, &forest->node_capacity, wanted, sizeof(struct shard__node));
    if (status == 0)
        status = shard__grow(forest->context, &forest->covers, &forest->cover_capacity, wanted, sizeof(float));
    if (status == 0)
        status = shard__grow(forest->context, &forest->trees, &forest->tree_capacity, (size_t)forest->tree_count + 1,
                             sizeof(struct shard__tree));
    if (status < 0)
        return status;
    tree->first = forest->node_count;
    tree->node_count = (int32_t)count;
    for (size_t i = 0; i < count; i++) {
        uint32_t missing = arrays->missing_left.items[i] == 1 ? SHARD__MISSING_LEFT : 0;
        forest->nodes[tree->first + i] = (struct shard__node){
            .value = arrays->values.items[i],
            .left = arrays->left.items[i],
            .feature = ((uint32_t)arrays->features.items[i] & ~SHARD__MISSING_LEFT) | missing,
        };
        forest->covers[tree->first + i] = arrays->covers.items[i];
    }
    forest->node_count = wanted;
    forest->trees[forest->tree_count++] = *tree;
    return 0;
}

int shard__tree_read(struct shard__reader *reader, struct shard__model *model)
{
    struct shard__tree_arrays *arrays = &model->arrays;
    struct shard__tree tree = {0};
    int32_t index = model->forest->tree_count;
    arrays->seen = 0;
    arrays->deleted_count = arrays->leaf_size = 0;
    arrays->split_types.count = arrays->categories.count = 0;
    reader->tree = index;
    int status = shard__read_object(reader, tree_member, arrays);
    if (status == 0)
        status = check_kind(reader, arrays);
    if (status == 0)
        status = check_lengths(reader, arrays);
    if (status == 0)
        status = check_shape(reader, model, &tree);
    if (status == 0)
        status = append_tree(model, &tree);
    reader->tree = -1;
    return status;
}

void shard__tree_arrays_free(const shard_context *context, struct shard__tree_arrays *arrays)
{
    struct shard__ints *ints[] = {&arrays->left,         &arrays->right,       &arrays->parents,   &arrays->features,
                                  &arrays->missing_left, &arrays->split_types, &arrays->categories};
    for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
        shard__release(context, ints[i]->items, ints[i]->capacity * sizeof(int32_t));
    shard__release(context, arrays->values.items, arrays->values.capacity * sizeof(float));
    shard__release(context, arrays->covers.items, arrays->covers.capacity * sizeof(float));
}
