/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws trees, and writes them through one small writer that knows both formats.
 *
 * It is longer than 400 lines because it writes every part of the model format, so that any part can be made wrong.
 */

#include "model_maker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

uint64_t draw(uint64_t *state)
{
    return shard__splitmix(state);
}

float draw_value(uint64_t *state)
{
    static const float special[] = {0.0f,     -0.0f,         1e-41f,         -1e-41f,
                                    1.4e-45f, 3.4028235e38f, -3.4028235e38f, 1.17549435e-38f};
    uint64_t r = draw(state);
    switch (r % 8) {
    case 0:
        return special[r / 8 % (sizeof(special) / sizeof(special[0]))];
    case 1:
        return (float)((double)(r >> 11) * 0x1p-53 * 2000 - 1000);
    case 2:
        return ldexpf((float)(r >> 40) - 8388608.0f, (int)(r / 8 % 200) - 120);
    default:
        return (float)(int)(r / 8 % 64) / 8.0f - 4.0f;
    }
}

void draw_rows(uint64_t seed, float *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t r = draw(&seed);
        switch (r % 32) {
        case 0:
        case 1:
        case 2:
            rows[i] = NAN;
            break;
        case 3:
            rows[i] = r & 64 ? INFINITY : -INFINITY;
            break;
        default:
            rows[i] = draw_value(&seed);
        }
    }
}

void free_bytes(struct made_bytes *bytes)
{
    free(bytes->data);
    memset(bytes, 0, sizeof(*bytes));
}

struct writer {
    struct made_bytes *bytes;
    enum model_format format;
    int comma; /* JSON: something stands before on this level */
};

static void put(struct writer *writer, const void *data, size_t size)
{
    struct made_bytes *bytes = writer->bytes;
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = (bytes->size + size) * 2;
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (bytes->data == NULL)
            abort();
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

static void put_big_endian(struct writer *writer, uint64_t value, int size)
{
    for (int i = size - 1; i >= 0; i--) {
        unsigned char byte = (unsigned char)(value >> (8 * i));
        put(writer, &byte, 1);
    }
}

static void put_length(struct writer *writer, size_t size)
{
    put_text(writer, "L");
    put_big_endian(writer, size, 8);
}

static void comma(struct writer *writer)
{
    if (writer->format == MODEL_JSON && writer->comma)
        put_text(writer, ",");
    writer->comma = 1;
}

static void key(struct writer *writer, const char *name)
{
    comma(writer);
    if (writer->format == MODEL_UBJSON) {
        put_length(writer, strlen(name));
        put_text(writer, name);
        return;
    }
    put_text(writer, "\"");
    put_text(writer, name);
    put_text(writer, "\":");
    writer->comma = 0;
}

static void open_object(struct writer *writer)
{
    put_text(writer, "{");
    writer->comma = 0;
}

static void close_object(struct writer *writer)
{
    put_text(writer, "}");
    writer->comma = 1;
}

static void open_array(struct writer *writer, size_t count)
{
    put_text(writer, "[");
    if (writer->format == MODEL_UBJSON) {
        put_text(writer, "#");
        put_length(writer, count);
    }
    writer->comma = 0;
}

static void close_array(struct writer *writer)
{
    if (writer->format == MODEL_JSON)
        put_text(writer, "]");
    writer->comma = 1;
}

static void string(struct writer *writer, const char *text)
{
    if (writer->format == MODEL_UBJSON) {
        put_text(writer, "S");
        put_length(writer, strlen(text));
        put_text(writer, text);
    } else {
        put_text(writer, "\"");
        put_text(writer, text);
        put_text(writer, "\"");
    }
    writer->comma = 1;
}

static void number_string(struct writer *writer, const char *name, long value)
{
    char text[32];
    snprintf(text, sizeof(text), "%ld", value);
    key(writer, name);
    string(writer, text);
}

static void whole(struct writer *writer, long value)
{
    char text[32];
    if (writer->format == MODEL_UBJSON) {
        put_text(writer, "l");
        put_big_endian(writer, (uint32_t)value, 4);
    } else {
        snprintf(text, sizeof(text), "%ld", value);
        put_text(writer, text);
    }
    writer->comma = 1;
}

/* Typed arrays of numbers: `type` is UBJSON's, l, U or d. */
static void numbers(struct writer *writer, const char *name, char type, const double *values, size_t count)
{
    char text[40];
    key(writer, name);
    put_text(writer, "[");
    if (writer->format == MODEL_UBJSON) {
        char head[] = {'$', type, '#'};
        put(writer, head, sizeof(head));
        put_length(writer, count);
    }
    for (size_t i = 0; i < count; i++) {
        float value = (float)values[i];
        uint32_t bits;
        memcpy(&bits, &value, sizeof(bits));
        if (writer->format == MODEL_JSON) {
            snprintf(text, sizeof(text), type == 'd' ? "%s%.8e" : "%s%.0f", i > 0 ? "," : "", values[i]);
            put_text(writer, text);
        } else if (type == 'd') {
            put_big_endian(writer, bits, 4);
        } else {
            put_big_endian(writer, (uint64_t)(int64_t)values[i], type == 'l' ? 4 : 1);
        }
    }
    if (writer->format == MODEL_JSON)
        put_text(writer, "]");
    writer->comma = 1;
}

/* A tree as it is drawn. */
struct drawn {
    int count, capacity, leaves;
    double *left, *right, *parent, *feature, *missing_left, *value, *cover, *zero;
    int *depth;
};

enum { COLUMNS = 8 };

static double **columns(struct drawn *tree, int i)
{
    double **all[COLUMNS] = {&tree->left,         &tree->right, &tree->parent, &tree->feature,
                             &tree->missing_left, &tree->value, &tree->cover,  &tree->zero};
    return all[i];
}

static int add_node(struct drawn *tree, int parent, int depth, double cover)
{
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity > 0 ? tree->capacity * 2 : 64;
        for (int i = 0; i < COLUMNS; i++)
            if ((*columns(tree, i) = realloc(*columns(tree, i), (size_t)tree->capacity * sizeof(double))) == NULL)
                abort();
        if ((tree->depth = realloc(tree->depth, (size_t)tree->capacity * sizeof(int))) == NULL)
            abort();
    }
    int node = tree->count++;
    for (int i = 0; i < COLUMNS; i++)
        (*columns(tree, i))[node] = 0;
    tree->left[node] = tree->right[node] = -1;
    tree->parent[node] = parent < 0 ? INT32_MAX : parent;
    tree->cover[node] = cover;
    tree->depth[node] = depth;
    tree->leaves++;
    return node;
}

/* Of a comb's two children, which come one after the other, the seed says which is the leaf. */
static int is_tooth(const struct model_spec *spec, int node)
{
    return spec->comb && node > 0 && (node & 1) == (int)(spec->seed >> ((node - 1) / 2 % 64) & 1);
}

static void draw_tree(const struct model_spec *spec, uint64_t *state, struct drawn *tree)
{
    add_node(tree, -1, 0, 1024 + (double)(draw(state) % 1024));
    for (int node = 0; node < tree->count; node++) {
        uint64_t r = draw(state);
        int full = spec->max_leaves > 0 && tree->leaves >= spec->max_leaves;
        if (tree->depth[node] >= spec->depth || full || is_tooth(spec, node) || (int)(r % 100) < spec->leaf_percent) {
            tree->value[node] = (double)(float)((double)(int64_t)(r >> 12) * 0x1p-52 - 0.5);
            continue;
        }
        double share = 0.25 + (double)(r >> 8 & 63) / 128;
        tree->value[node] = (double)draw_value(state);
        tree->feature[node] = (double)(draw(state) % (uint64_t)spec->features);
        tree->missing_left[node] = (double)(r >> 16 & 1);
        int left = add_node(tree, node, tree->depth[node] + 1, tree->cover[node] * share);
        int right = add_node(tree, node, tree->depth[node] + 1, tree->cover[node] * (1 - share));
        tree->left[node] = left;
        tree->right[node] = right;
        tree->leaves--;
    }
    for (int i = 0; i < (spec->deleted ? 2 : 0); i++) {
        int node = add_node(tree, 0, 0, 1);
        tree->feature[node] = INT32_MAX;
        tree->missing_left[node] = 1;
    }
}

static void write_tree(struct writer *writer, const struct model_spec *spec, uint64_t *state, int index)
{
    struct drawn tree = {0};
    draw_tree(spec, state, &tree);
    size_t count = (size_t)tree.count;
    comma(writer);
    open_object(writer);
    numbers(writer, "base_weights", 'd', tree.zero, count);
    numbers(writer, "categories", 'l', NULL, 0);
    numbers(writer, "categories_nodes", 'l', NULL, 0);
    numbers(writer, "categories_segments", 'L', NULL, 0);
    numbers(writer, "categories_sizes", 'L', NULL, 0);
    numbers(writer, "default_left", 'U', tree.missing_left, count);
    key(writer, "id");
    whole(writer, index);
    numbers(writer, "left_children", 'l', tree.left, count);
    numbers(writer, "loss_changes", 'd', tree.zero, count);
    numbers(writer, "parents", 'l', tree.parent, count);
    numbers(writer, "right_children", 'l', tree.right, count);
    numbers(writer, "split_conditions", 'd', tree.value, count);
    numbers(writer, "split_indices", 'l', tree.feature, count);
    numbers(writer, "split_type", 'U', tree.zero, count);
    numbers(writer, "sum_hessian", 'd', tree.cover, count);
    key(writer, "tree_param");
    open_object(writer);
    number_string(writer, "num_deleted", spec->deleted ? 2 : 0);
    number_string(writer, "num_feature", spec->features);
    number_string(writer, "num_nodes", tree.count);
    number_string(writer, "size_leaf_vector", 0);
    close_object(writer);
    close_object(writer);
    for (int i = 0; i < COLUMNS; i++)
        free(*columns(&tree, i));
    free(tree.depth);
}

static void write_booster(struct writer *writer, const struct model_spec *spec)
{
    uint64_t state = spec->seed;
    open_object(writer);
    key(writer, "model");
    open_object(writer);
    key(writer, "gbtree_model_param");
    open_object(writer);
    number_string(writer, "num_parallel_tree", spec->parallel_trees > 0 ? spec->parallel_trees : 1);
    number_string(writer, "num_trees", spec->trees);
    number_string(writer, "size_leaf_vector", 0);
    close_object(writer);
    key(writer, "tree_info");
    open_array(writer, (size_t)spec->trees);
    for (int i = 0; i < spec->trees; i++) {
        comma(writer);
        whole(writer, 0);
    }
    close_array(writer);
    key(writer, "trees");
    open_array(writer, (size_t)spec->trees);
    for (int i = 0; i < spec->trees; i++)
        write_tree(writer, spec, &state, i);
    close_array(writer);
    close_object(writer);
    key(writer, "name");
    string(writer, "gbtree");
    close_object(writer);
}

static void write_names(struct writer *writer, const struct model_spec *spec)
{
    char name[32];
    key(writer, "feature_names");
    open_array(writer, spec->named ? (size_t)spec->features : 0);
    for (int i = 0; spec->named && i < spec->features; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        comma(writer);
        string(writer, name);
    }
    close_array(writer);
    key(writer, "feature_types");
    open_array(writer, 0);
    close_array(writer);
}

static void write_learner(struct writer *writer, const struct model_spec *spec)
{
    open_object(writer);
    key(writer, "attributes");
    open_object(writer);
    if (spec->best_iteration != NULL) {
        key(writer, "best_iteration");
        string(writer, spec->best_iteration);
    }
    close_object(writer);
    write_names(writer, spec);
    key(writer, "gradient_booster");
    write_booster(writer, spec);
    key(writer, "learner_model_param");
    open_object(writer);
    key(writer, "base_score");
    string(writer, spec->base_score != NULL ? spec->base_score : "5E-1");
    number_string(writer, "boost_from_average", 1);
    number_string(writer, "num_class", 0);
    number_string(writer, "num_feature", spec->features);
    number_string(writer, "num_target", 1);
    close_object(writer);
    key(writer, "objective");
    open_object(writer);
    key(writer, "name");
    string(writer, spec->objective != NULL ? spec->objective : "binary:logistic");
    int aft = spec->objective != NULL && strcmp(spec->objective, "survival:aft") == 0;
    key(writer, aft ? "aft_loss_param" : "reg_loss_param");
    open_object(writer);
    key(writer, aft ? "aft_loss_distribution_scale" : "scale_pos_weight");
    string(writer, "1");
    close_object(writer);
    close_object(writer);
    close_object(writer);
}

void make_model(const struct model_spec *spec, enum model_format format, struct made_bytes *ret_bytes)
{
    struct writer writer = {.bytes = ret_bytes, .format = format};
    memset(ret_bytes, 0, sizeof(*ret_bytes));
    open_object(&writer);
    key(&writer, "learner");
    write_learner(&writer, spec);
    key(&writer, "version");
    open_array(&writer, 3);
    for (int i = 0; i < 3; i++) {
        static const int version[] = {1, 7, 4};
        comma(&writer);
        whole(&writer, version[i]);
    }
    close_array(&writer);
    close_object(&writer);
}
