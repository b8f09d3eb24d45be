/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_MODEL_MAKER_H
#define TEST_MODEL_MAKER_H

/*
 * Draws models at random and writes them as XGBoost 1.7 would, in JSON and UBJSON: shapes that training would take long
 * to come by, and thresholds that rows hit exactly. Also draws the rows. Needs no XGBoost.
 */

#include <stddef.h>
#include <stdint.h>

struct made_bytes {
    char *data;
    size_t size;
    size_t capacity;
};

/* What is drawn. Zero is a default where one is given. */
struct model_spec {
    uint64_t seed;
    int trees;
    int depth; /* at most */
    int features;
    int leaf_percent;           /* chance of a node to be a leaf before the last level */
    int max_leaves;             /* of a tree; 0: no limit */
    int comb;                   /* non-zero: of two children one is a leaf, so that trees are deep for their leaves */
    int parallel_trees;         /* 0: 1 */
    int named;                  /* non-zero: features are named f0, f1 ... */
    int deleted;                /* non-zero: each tree ends with two deleted nodes, as pruning leaves them */
    const char *objective;      /* NULL: binary:logistic */
    const char *base_score;     /* NULL: 5E-1 */
    const char *best_iteration; /* NULL: none */
};

enum model_format { MODEL_JSON, MODEL_UBJSON };

/** Writes the model of a spec; the same spec gives the same bytes. Free with free_bytes(). */
void make_model(const struct model_spec *spec, enum model_format format, struct made_bytes *ret_bytes);
void free_bytes(struct made_bytes *bytes);

/** A float as models and rows hold them: from a small set (so that rows meet thresholds), or of any kind. */
float draw_value(uint64_t *state);

/** Rows with missing values, infinities, signed zeros and denormals among them. */
void draw_rows(uint64_t seed, float *rows, size_t count);

uint64_t draw(uint64_t *state);

#endif
