/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tree SHAP: what each feature adds to one row's margin. The path-dependent algorithm of Lundberg, Erion and Lee,
 * "Consistent Individualized Feature Attribution for Tree Ensembles" (2018), algorithm 2, which XGBoost has too; here
 * in double.
 */

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "forest.h"

/* A feature on the way from the root: what share of paths go on when it is not known and when it is, and the weight of
 * the subsets of so many features. */
struct step {
    int32_t feature;
    double zero;
    double one;
    double weight;
};

struct walk {
    const shard_forest *forest;
    const struct shard__node *nodes;
    const float *covers;
    const float *row;
    double *sums; /* by feature */
};

static void extend(struct step *path, int depth, double zero, double one, int32_t feature)
{
    path[depth] = (struct step){feature, zero, one, depth == 0 ? 1 : 0};
    for (int i = depth - 1; i >= 0; i--) {
        path[i + 1].weight += one * path[i].weight * (i + 1) / (depth + 1);
        path[i].weight = zero * path[i].weight * (depth - i) / (depth + 1);
    }
}

/* Takes a step out again. */
static void unwind(struct step *path, int depth, int index)
{
    double one = path[index].one, zero = path[index].zero, next = path[depth].weight;
    for (int i = depth - 1; i >= 0; i--) {
        if (one != 0) {
            double weight = path[i].weight;
            path[i].weight = next * (depth + 1) / ((i + 1) * one);
            next = weight - path[i].weight * zero * (depth - i) / (depth + 1);
        } else {
            path[i].weight = path[i].weight * (depth + 1) / (zero * (depth - i));
        }
    }
    for (int i = index; i < depth; i++) {
        path[i].feature = path[i + 1].feature;
        path[i].zero = path[i + 1].zero;
        path[i].one = path[i + 1].one;
    }
}

/* The sum of the weights that there would be without a step. */
static double unwound_sum(const struct step *path, int depth, int index)
{
    double one = path[index].one, zero = path[index].zero, next = path[depth].weight, sum = 0;
    for (int i = depth - 1; i >= 0; i--) {
        if (one != 0) {
            double weight = next * (depth + 1) / ((i + 1) * one);
            sum += weight;
            next = path[i].weight - weight * zero * (depth - i) / (depth + 1);
        } else {
            sum += path[i].weight * (depth + 1) / (zero * (depth - i));
        }
    }
    return sum;
}

static void add_leaf(const struct walk *walk, const struct step *path, int depth, double value)
{
    for (int i = 1; i <= depth; i++)
        walk->sums[path[i].feature] += unwound_sum(path, depth, i) * (path[i].one - path[i].zero) * value;
}

static int goes_right(const struct shard__node *node, float x)
{
    return x != x ? (node->feature & SHARD__MISSING_LEFT) == 0 : !(x < node->value);
}

/* `parent` has `depth` steps; this node's own copy of the path follows it in the same memory. */
static void visit(const struct walk *walk, int32_t index, struct step *parent, int depth, double zero, double one,
                  int32_t feature)
{
    const struct shard__node *node = &walk->nodes[index];
    struct step *path = parent + depth;
    memcpy(path, parent, (size_t)depth * sizeof(struct step));
    extend(path, depth, zero, one, feature);
    if (node->left < 0) {
        add_leaf(walk, path, depth, (double)node->value);
        return;
    }
    int32_t split = (int32_t)(node->feature & ~SHARD__MISSING_LEFT);
    int32_t hot = node->left + goes_right(node, walk->row[split]), cold = 2 * node->left + 1 - hot;
    double cover = (double)walk->covers[index], zero_before = 1, one_before = 1;
    double hot_share = (double)walk->covers[hot] / cover, cold_share = (double)walk->covers[cold] / cover;
    for (int i = 1; i <= depth; i++) {
        if (path[i].feature != split)
            continue;
        zero_before = path[i].zero;
        one_before = path[i].one;
        unwind(path, depth, i);
        depth--;
        break;
    }
    visit(walk, hot, path, depth + 1, hot_share * zero_before, one_before, split);
    /* No row of the training went there and this one does not: it weighs nothing. */
    if (cold_share * zero_before > 0)
        visit(walk, cold, path, depth + 1, cold_share * zero_before, 0, split);
}

/* The mean of the leaves below a node, by cover. */
static double mean_value(const struct shard__node *nodes, const float *covers, int32_t index)
{
    const struct shard__node *node = &nodes[index];
    if (node->left < 0)
        return (double)node->value;
    double left = mean_value(nodes, covers, node->left) * (double)covers[node->left];
    double right = mean_value(nodes, covers, node->left + 1) * (double)covers[node->left + 1];
    return (left + right) / (double)covers[index];
}

static int check_covers(const shard_forest *forest)
{
    for (int32_t i = 0; i < forest->tree_count; i++) {
        const struct shard__tree *tree = &forest->trees[i];
        const float *covers = forest->covers + tree->first;
        for (int32_t k = 0; k < tree->node_count; k++)
            if (!(covers[k] >= 0 && covers[k] < INFINITY) ||
                (covers[k] == 0 && forest->nodes[tree->first + (size_t)k].left >= 0))
                return shard__fail(SHARD_EINVAL,
                                   "tree %d: node %d has the cover (sum_hessian) %g, which explains nothing", i, k,
                                   (double)covers[k]);
    }
    return 0;
}

static void explain_row(struct walk *walk, struct step *path, double base, float *ret_contributions)
{
    const shard_forest *forest = walk->forest;
    int32_t count = forest->feature_count;
    memset(walk->sums, 0, (size_t)count * sizeof(double));
    for (int32_t i = 0; i < forest->tree_count; i++) {
        walk->nodes = forest->nodes + forest->trees[i].first;
        walk->covers = forest->covers + forest->trees[i].first;
        visit(walk, 0, path, 0, 1, 1, -1);
    }
    for (int32_t i = 0; i < count; i++)
        ret_contributions[i] = (float)walk->sums[i];
    ret_contributions[count] = (float)base;
}

int shard_forest_contributions(const shard_forest *forest, const struct shard_matrix *rows, const float *base_margins,
                               float *ret_contributions)
{
    shard__clear_error();
    int64_t stride = rows->stride != 0 ? rows->stride : forest->feature_count;
    if (rows->rows < 0 || stride < forest->feature_count)
        return shard__fail(SHARD_EINVAL, "%lld rows of %lld floats, expected at least %d floats a row",
                           (long long)rows->rows, (long long)stride, forest->feature_count);
    int status = check_covers(forest);
    if (status < 0)
        return status;
    /* Each level has its own copy of the path, one step longer than the one above. */
    size_t levels = (size_t)forest->max_depth + 2;
    size_t path_bytes = (levels * (levels + 1) / 2 + levels) * sizeof(struct step);
    size_t sum_bytes = (size_t)forest->feature_count * sizeof(double);
    struct step *path = shard__realloc(forest->context, NULL, 0, path_bytes);
    struct walk walk = {.forest = forest, .sums = shard__realloc(forest->context, NULL, 0, sum_bytes)};
    if (path == NULL || walk.sums == NULL)
        status = SHARD_ENOMEM;
    double mean = 0;
    for (int32_t i = 0; i < forest->tree_count; i++)
        mean += mean_value(forest->nodes + forest->trees[i].first, forest->covers + forest->trees[i].first, 0);
    for (int64_t i = 0; status == 0 && i < rows->rows; i++) {
        walk.row = rows->values + i * stride;
        double base = (double)(base_margins != NULL ? base_margins[i] : forest->base_margin);
        explain_row(&walk, path, base + mean, ret_contributions + i * (forest->feature_count + 1));
    }
    shard__release(forest->context, path, path_bytes);
    shard__release(forest->context, walk.sums, sum_bytes);
    return status;
}
