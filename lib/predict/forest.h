/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_FOREST_H
#define SHARD_PREDICT_FOREST_H

/*
 * A loaded forest: its trees as the file has them (for the plain walk and for tree SHAP), and the layouts that
 * evaluate fast. Nothing here changes after loading.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/forest.h>

#include "base/alloc.h"

/* A node. An inner node sends x left if x < value; the right child follows the left one. */
struct shard__node {
    float value;      /* threshold; of a leaf what it adds to the margin */
    int32_t left;     /* index in its tree; -1: a leaf */
    uint32_t feature; /* and, in the top bit, whether missing goes left */
};

enum { SHARD__MAX_DEPTH = 256, SHARD__MAX_FEATURES = 1 << 20, SHARD__MASK_LEAVES = 64 };
#define SHARD__MISSING_LEFT 0x80000000u

struct shard__tree {
    size_t first; /* of its nodes */
    int32_t node_count;
    int32_t depth;
    int32_t leaf_count;
};

struct shard__attribute {
    char *name;
    char *value;
};

/*
 * Walk layout. Floats become unsigned numbers of the same order; `below` is the threshold's number less one, so that a
 * row goes right where below < key. A row has two lanes of keys: what is missing is the smallest number in the first
 * lane (goes left) and the largest in the second (goes right). So a step has no branch, and many walks go on at a time.
 *
 * A node is one word, so that a step loads but two: `below` in the upper half, and beneath it where to look. A key is
 * in the upper half of its word, too, and the words are compared as they are, since below < key also decides between
 * words whose lower halves differ.
 *
 * Trees of a group are either padded to one depth, in one heap that begins with their roots, root k at index 16 + k; a
 * step is i = 2i + (below < key), and the lower half is eight times the index of the key. Or, when padding would take
 * much memory, linked: i = left + (below < key), where the lower half has left in its upper 16 bits and eight times the
 * index of the key in the others. A leaf leads to itself, and nothing is above its `below`.
 */
enum {
    SHARD__GROUP_TREES = 16,
    SHARD__HEAP_DEPTH = 8,
    SHARD__LINK_NODES = 1 << 16, /* of a group, since left has 16 bits */
    SHARD__LINK_KEYS = 1 << 13
};

enum shard__group_kind { SHARD__GROUP_HEAP, SHARD__GROUP_LINK, SHARD__GROUP_PLAIN };

/* Trees that follow each other; the last group of a kind may have fewer than sixteen. Of a plain group there is one. */
struct shard__group {
    enum shard__group_kind kind;
    int32_t first_tree;
    int32_t tree_count;
    int32_t depth;                      /* of the deepest tree */
    int32_t node_count;                 /* of its trees, before padding */
    size_t nodes;                       /* where the group begins, in nodes and in leaves */
    uint16_t roots[SHARD__GROUP_TREES]; /* LINK: where tree k begins, from there */
};

/*
 * Mask layout (QuickScorer, Lucchese and others 2015): the inner nodes of all trees by feature and threshold. A node
 * that sends a row right clears the leaves of its left subtree; the first leaf that is left is the exit leaf.
 */
struct shard__mask_node {
    uint32_t below;
    int32_t tree;
    uint64_t keep; /* the leaves that stay when the node sends right */
};

struct shard__masks {
    struct shard__mask_node *nodes; /* by feature, missing goes left before missing goes right, then ascending */
    size_t node_count;
    size_t *begins; /* of list 2 * feature + (missing goes right); 2 * feature_count + 1 of them */
    float *leaves;  /* SHARD__MASK_LEAVES of each tree, from the left */
};

/*
 * Ranks make compares those of bytes. A column has up to 255 thresholds of one feature, sorted, and a row's value
 * becomes the number of those that it reaches; a feature with more has more columns. Again there are two lanes, for
 * what is missing is below all thresholds or above.
 */
enum { SHARD__RANK_THRESHOLDS = 255 };

struct shard__rank_column {
    int32_t feature;
    float pivots[16];                             /* every sixteenth threshold: 15, 31 ... */
    float thresholds[SHARD__RANK_THRESHOLDS + 1]; /* NaN behind the last */
};

/*
 * Jump layout (jump.h): the inner nodes of a tree side by side, its root first. A child is an inner node's number, or
 * 64 more than a leaf's. Trees of up to six levels are padded to one shape, so that there is less to read; else each
 * has its own.
 */
enum { SHARD__JUMP_NODES = 64, SHARD__JUMP_COLUMNS = 64, SHARD__JUMP_PADDED_DEPTH = 6 };

struct shard__jump_vector {
    uint8_t of[SHARD__JUMP_NODES];
};

/* What nodes compare, a row going left where above > its rank in the lane: the column, or 64 more if what is missing
 * goes right. And where they lead. */
enum { SHARD__JUMP_LANE, SHARD__JUMP_ABOVE };
enum { SHARD__JUMP_LEFT, SHARD__JUMP_RIGHT };

struct shard__jumps {
    struct shard__jump_vector *nodes;  /* of the first tree; NULL: there is no such layout */
    struct shard__jump_vector *shapes; /* of the first tree */
    float *leaves;                     /* SHARD__JUMP_NODES of each tree */
    int node_step;                     /* vectors from one tree to the next */
    int shape_step;
    int doublings; /* of jumps, until the deepest leaf is reached */
    void *room;    /* where all of it is */
    size_t bytes;
};

/* Fold layout (fold.h), for many rows: the inner nodes of a tree, the lowest first. */
enum { SHARD__FOLD_ROWS = 64, SHARD__FOLD_LEAVES = 256 /* a leaf's number is a byte */ };

/* A row goes left where above > lane. Places are in bytes, of 64 rows each. */
struct shard__fold_node {
    uint32_t lane;
    uint16_t left,
        right;    /* what was chosen beneath: 0 .. max_leaves - 1 are leaves, then the tree's inner nodes come */
    int8_t above; /* the threshold's number in its column, and one, less 128 */
};

struct shard__fold {
    struct shard__fold_node *nodes; /* NULL: there is no such layout */
    int use_avx2;
    float *leaves; /* as the nodes number them */
    size_t leaf_count;
};

struct shard_forest {
    const shard_context *context;
    struct shard__node *nodes;
    size_t node_capacity;
    float *covers; /* of each node: the sum of the hessian */
    size_t cover_capacity;
    size_t node_count;
    struct shard__tree *trees;
    size_t tree_capacity;
    int32_t tree_count; /* that are evaluated */
    int32_t feature_count;
    char **feature_names; /* feature_count of them, or NULL */
    size_t feature_name_count;
    size_t feature_name_capacity;
    struct shard__attribute *attributes;
    size_t attribute_count;
    size_t attribute_capacity;
    enum shard_objective objective;
    float base_score;
    float base_margin;
    int32_t round_count;
    int32_t best_iteration;
    int32_t version[3];
    int32_t max_depth;
    int32_t max_leaves;
    char digest[65];
    int plain; /* asked for the plain walk alone */

    struct shard__group *groups;
    size_t group_count;
    uint64_t *walk_nodes;
    float *walk_leaves; /* HEAP: from the leftmost leaf of the group's first tree on; LINK: of each node */
    size_t walk_count;

    struct shard__rank_column *rank_columns;
    int32_t rank_column_count;
    struct shard__fold fold;
    struct shard__jumps jumps;

    struct shard__masks masks; /* nodes NULL: a tree has too many leaves */
    int lead_high;             /* the leftmost leaf is the highest bit (AVX-512), else the lowest */
    int use_avx512;
};

/* Reads and checks a model into an empty forest. Frees nothing on failure: that is shard_forest_free()'s. */
int shard__forest_parse(shard_forest *forest, const void *bytes, size_t size, const char *source, int32_t rounds);

/* All inner nodes, by `below`. */
struct shard__split {
    uint32_t below;
    uint32_t node; /* in the forest's nodes */
};

struct shard__splits {
    struct shard__split *items;
    size_t count;
    size_t bytes; /* what was allocated for the items */
};

/* 0 or SHARD_ENOMEM; the items are the caller's to release. */
int shard__splits_sort(const shard_forest *forest, struct shard__splits *ret_splits);

/* Makes the fast layouts. 0 or SHARD_ENOMEM. */
int shard__forest_build_walk(shard_forest *forest);
int shard__forest_build_masks(shard_forest *forest, const struct shard__splits *splits);

/* As shard_forest_block_new(). Tiles are for asking for all pairs at once with AVX-512, and cost where rows are set. */
int shard__block_new(const shard_forest *forest, enum shard_feature_group side, const int32_t *columns,
                     int32_t column_count, int32_t rows, int has_tiles, shard_forest_block **ret_block);
int64_t shard__block_rows(const shard_forest_block *block);

static inline uint32_t shard__float_bits(float value)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* A number of the same order as the float; both zeros give the same. Not for NaN. */
static inline uint32_t shard__float_order(float value)
{
    uint32_t bits = shard__float_bits(value + 0.0f);
    return bits ^ ((0u - (bits >> 31)) | 0x80000000u);
}

/* What x's number must exceed to go right at a threshold: x < threshold goes left. */
static inline uint32_t shard__threshold_below(float threshold)
{
    return shard__float_order(threshold) - 1;
}

/* A value's keys in both lanes. */
static inline void shard__value_keys(float value, uint32_t *ret_left, uint32_t *ret_right)
{
    uint32_t order = shard__float_order(value), missing = value != value ? UINT32_MAX : 0;
    *ret_left = order & ~missing;
    *ret_right = order | missing;
}

/* Numbers in a row's keys. */
static inline size_t shard__key_count(const shard_forest *forest)
{
    return 2 * (size_t)forest->feature_count;
}

/* One tree by the plain walk: the leaf's value. */
static inline float shard__walk(const struct shard__node *nodes, const float *row)
{
    const struct shard__node *node = nodes;
    while (node->left >= 0) {
        float x = row[node->feature & ~SHARD__MISSING_LEFT];
        int right = x != x ? (node->feature & SHARD__MISSING_LEFT) == 0 : !(x < node->value);
        node = nodes + node->left + right;
    }
    return node->value;
}

#endif
