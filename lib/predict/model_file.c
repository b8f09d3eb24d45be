/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models as bytes. Lines of text, numbers as the hexadecimal digits of their bits so that they come back as they were,
 * model files of trees as they are, and last a BLAKE2b-256 of all before. What is read is checked although the digest
 * fits: anybody can compute one.
 *
 * It is longer than 400 lines because what writes a part and what reads it stand side by side.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/blake2b.h"
#include "base/bytes.h"
#include "base/error.h"
#include "forest.h"
#include "train_model.h"

enum { FORMAT = 2, DIGEST_LINE = 7 + 64 + 1, WORD_SIZE = 300 };

static void put_number(struct shard__bytes *bytes, double value)
{
    unsigned long long bits;
    memcpy(&bits, &value, sizeof bits);
    shard__bytes_printf(bytes, " %016llx", bits);
}

static void put_logistic(struct shard__bytes *bytes, const struct shard__member *member)
{
    shard__bytes_printf(bytes, "logistic %d %d", (int)member->family, (int)member->term_count);
    put_number(bytes, member->coefficients[0]);
    shard__bytes_text(bytes, "\n");
    for (int32_t k = 0; k < member->term_count; k++) {
        const struct shard__term *term = &member->terms[k];
        shard__bytes_printf(bytes, "term %d %d", (int)term->column, (int)term->operation);
        put_number(bytes, term->extra);
        put_number(bytes, term->middle);
        put_number(bytes, term->scale);
        put_number(bytes, term->bound);
        put_number(bytes, member->coefficients[k + 1]);
        shard__bytes_text(bytes, "\n");
    }
}

static void put_trees(struct shard__bytes *bytes, const struct shard__member *member)
{
    shard__bytes_printf(bytes, "trees %d %d %zu\n", (int)member->family, (int)member->column_count, member->size);
    for (int32_t k = 0; k < member->column_count; k++)
        shard__bytes_printf(bytes, "uses %d\n", (int)member->columns[k]);
    shard__bytes_append(bytes, member->bytes, member->size);
    shard__bytes_text(bytes, "\n");
}

/* Since format 2. */
static void put_seconds(struct shard__bytes *bytes, const struct shard__seconds *seconds)
{
    shard__bytes_printf(bytes, "seconds %lld %lld", (long long)seconds->rows, (long long)seconds->later);
    put_number(bytes, seconds->error);
    put_number(bytes, seconds->prior_error);
    shard__bytes_printf(bytes, " %zu\n", seconds->size);
    if (seconds->size > 0) {
        shard__bytes_append(bytes, seconds->bytes, seconds->size);
        shard__bytes_text(bytes, "\n");
    }
}

static void digest_of(const void *bytes, size_t size, char *ret_line)
{
    char text[SHARD__DIGEST_TEXT];
    shard__blake2b_text(bytes, size, text);
    snprintf(ret_line, DIGEST_LINE + 1, "digest %s\n", text);
}

int shard_model_to_bytes(shard_context *context, const shard_model *model, void **ret_bytes, size_t *ret_size)
{
    shard__clear_error();
    const struct shard__choice *choice = &model->choice;
    struct shard__bytes bytes;
    char line[DIGEST_LINE + 1];
    shard__bytes_init(&bytes, context);
    shard__bytes_printf(&bytes, "libshard-model %d\nchosen %s\n", (int)FORMAT, shard__candidates[choice->chosen].name);
    shard__bytes_printf(&bytes, "choice %d %d %d %d", choice->folds, choice->is_foreseen, choice->usual,
                        choice->is_asked_for);
    put_number(&bytes, choice->own_rate);
    put_number(&bytes, choice->error);
    put_number(&bytes, choice->offset[choice->chosen]);
    for (int c = 0; c < SHARD__CANDIDATE_COUNT; c++)
        put_number(&bytes, choice->validation[c]);
    shard__bytes_printf(&bytes, "\nrows %lld", (long long)model->bundle.train_rows);
    put_number(&bytes, model->bundle.base_rate);
    shard__bytes_printf(&bytes, "\ncolumns %d\n", (int)model->schema.feature_count);
    for (int32_t j = 0; j < model->schema.feature_count; j++)
        shard__bytes_printf(&bytes, "column %d %zu %s\n", (int)model->bundle.columns[j].form,
                            strlen(model->features[j].name), model->features[j].name);
    put_seconds(&bytes, &model->seconds);
    for (int m = 0; m < SHARD__MEMBER_COUNT; m++) {
        const struct shard__member *member = &model->bundle.members[m];
        if (member->is_fitted && member->forest != NULL)
            put_trees(&bytes, member);
        else if (member->is_fitted)
            put_logistic(&bytes, member);
    }
    digest_of(bytes.data, bytes.size, line);
    shard__bytes_append(&bytes, line, DIGEST_LINE);
    char *text = NULL;
    int status = shard__bytes_handout(&bytes, &text, ret_size);
    if (status == 0)
        *ret_bytes = text;
    return status;
}

struct input {
    const char *at;
    const char *end;
    const char *begin;
    const char *source;
};

static int refuse(const struct input *input, const char *expected)
{
    return shard__fail(SHARD_EPARSE, "%s: byte %zu: %s was expected", input->source, (size_t)(input->at - input->begin),
                       expected);
}

/* Takes `word` if it comes next. */
static int take_word(struct input *input, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(input->end - input->at) < size || memcmp(input->at, word, size) != 0)
        return 0;
    input->at += size;
    return 1;
}

/* A whole number within bounds, with a space before it. */
static int take_int(struct input *input, int64_t least, int64_t most, int64_t *ret_value)
{
    int64_t value = 0;
    int digits = 0;
    if (!take_word(input, " "))
        return refuse(input, "a space");
    for (; input->at < input->end && *input->at >= '0' && *input->at <= '9' && digits < 18; input->at++, digits++)
        value = value * 10 + (*input->at - '0');
    if (digits == 0 || value < least || value > most)
        return refuse(input, "a whole number within its bounds");
    *ret_value = value;
    return 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_number(struct input *input, double *ret_value)
{
    unsigned long long bits = 0;
    if (!take_word(input, " ") || input->end - input->at < 16)
        return refuse(input, "a number of 16 hexadecimal digits");
    for (int i = 0; i < 16; i++) {
        int digit = hex_digit(*input->at++);
        if (digit < 0)
            return refuse(input, "a number of 16 hexadecimal digits");
        bits = bits << 4 | (unsigned)digit;
    }
    memcpy(ret_value, &bits, sizeof bits);
    return 0;
}

static int take_finite(struct input *input, double *ret_value)
{
    int status = take_number(input, ret_value);
    return status < 0 ? status : isfinite(*ret_value) ? 0 : refuse(input, "a finite number");
}

static int take_line_end(struct input *input)
{
    return take_word(input, "\n") ? 0 : refuse(input, "the end of the line");
}

static int take_choice(struct input *input, shard_model *model)
{
    struct shard__choice *choice = &model->choice;
    int64_t folds = 0;
    int64_t foreseen = 0;
    int64_t usual = 0;
    int64_t asked_for = 0;
    choice->chosen = -1;
    if (!take_word(input, "chosen "))
        return refuse(input, "'chosen'");
    const char *end = memchr(input->at, '\n', (size_t)(input->end - input->at));
    for (int c = 0; end != NULL && c < SHARD__CANDIDATE_COUNT; c++) {
        const char *name = shard__candidates[c].name;
        if (strlen(name) == (size_t)(end - input->at) && memcmp(name, input->at, strlen(name)) == 0)
            choice->chosen = c;
    }
    if (choice->chosen < 0)
        return refuse(input, "the name of a candidate");
    input->at = end + 1;
    if (!take_word(input, "choice"))
        return refuse(input, "'choice'");
    int status = take_int(input, 0, SHARD__FOLD_COUNT, &folds);
    status = status < 0 ? status : take_int(input, 0, 1, &foreseen);
    status = status < 0 ? status : take_int(input, 0, SHARD__CANDIDATE_COUNT - 1, &usual);
    status = status < 0 ? status : take_int(input, 0, 1, &asked_for);
    status = status < 0 ? status : take_number(input, &choice->own_rate);
    status = status < 0 ? status : take_number(input, &choice->error);
    status = status < 0 ? status : take_finite(input, &choice->offset[choice->chosen]);
    for (int c = 0; status == 0 && c < SHARD__CANDIDATE_COUNT; c++)
        status = take_number(input, &choice->validation[c]);
    choice->folds = (int)folds;
    choice->is_foreseen = (int)foreseen;
    choice->usual = (int)usual;
    choice->is_asked_for = (int)asked_for;
    return status < 0 ? status : take_line_end(input);
}

static int take_column(struct input *input, shard_model *model, int32_t number)
{
    int64_t form = 0;
    int64_t size = 0;
    if (!take_word(input, "column"))
        return refuse(input, "'column'");
    int status = take_int(input, 0, SHARD__FORM_AMOUNT, &form);
    status = status < 0 ? status : take_int(input, 1, WORD_SIZE - 1, &size);
    if (status < 0)
        return status;
    if (!take_word(input, " ") || input->end - input->at <= size || memchr(input->at, 0, (size_t)size) != NULL)
        return refuse(input, "the name of a column");
    char name[WORD_SIZE];
    memcpy(name, input->at, (size_t)size);
    name[size] = '\0';
    input->at += size;
    model->bundle.columns[number].form = (enum shard__column_form)form;
    model->features[number] = (struct shard_feature){.group = SHARD_FEATURE_PAIR, .role = SHARD_FEATURE_VALUE};
    model->features[number].name = shard__strdup(model->context, name);
    return model->features[number].name == NULL ? SHARD_ENOMEM : take_line_end(input);
}

static int take_columns(struct input *input, shard_model *model)
{
    int64_t count = 0;
    if (!take_word(input, "rows"))
        return refuse(input, "'rows'");
    int status = take_int(input, 1, INT64_MAX, &model->bundle.train_rows);
    status = status < 0 ? status : take_finite(input, &model->bundle.base_rate);
    status = status < 0 ? status : take_line_end(input);
    if (status < 0)
        return status;
    if (!take_word(input, "columns"))
        return refuse(input, "'columns'");
    status = take_int(input, 1, SHARD__TABLE_MAX_COLUMNS, &count);
    status = status < 0 ? status : take_line_end(input);
    if (status < 0)
        return status;
    struct shard__bundle *bundle = &model->bundle;
    bundle->context = model->context;
    bundle->column_count = (int32_t)count;
    bundle->columns = shard__zalloc(model->context, (size_t)count * sizeof *bundle->columns);
    model->features = shard__zalloc(model->context, (size_t)count * sizeof *model->features);
    if (bundle->columns == NULL || model->features == NULL)
        return SHARD_ENOMEM;
    model->schema = (struct shard_schema){
        .struct_size = sizeof model->schema, .features = model->features, .feature_count = (int32_t)count};
    for (int32_t j = 0; status == 0 && j < count; j++)
        status = take_column(input, model, j);
    return status;
}

static int take_term(struct input *input, const struct shard__bundle *bundle, struct shard__term *term,
                     double *coefficient)
{
    int64_t column = 0;
    int64_t operation = 0;
    if (!take_word(input, "term"))
        return refuse(input, "'term'");
    int status = take_int(input, 0, bundle->column_count - 1, &column);
    status = status < 0 ? status : take_int(input, 0, SHARD__OPERATION_RATE, &operation);
    status = status < 0 ? status : take_finite(input, &term->extra);
    status = status < 0 ? status : take_finite(input, &term->middle);
    status = status < 0 ? status : take_finite(input, &term->scale);
    status = status < 0 ? status : take_number(input, &term->bound);
    status = status < 0 ? status : take_finite(input, coefficient);
    term->column = (int32_t)column;
    term->operation = (enum shard__operation)operation;
    if (status == 0 && !(term->bound > 0))
        status = refuse(input, "a bound above 0");
    return status < 0 ? status : take_line_end(input);
}

static int take_logistic(struct input *input, struct shard__bundle *bundle, struct shard__member *member)
{
    int64_t family = 0;
    int64_t terms = 0;
    int status = take_int(input, SHARD__FAMILY_PRIOR, SHARD__FAMILY_LINEAR, &family);
    status = status < 0 ? status : take_int(input, 0, 2 * (int64_t)bundle->column_count, &terms);
    if (status < 0)
        return status;
    member->family = (enum shard__family)family;
    member->term_capacity = member->term_count = (int32_t)terms;
    member->terms = shard__zalloc(bundle->context, (size_t)(terms > 0 ? terms : 1) * sizeof *member->terms);
    member->term_capacity = terms > 0 ? (int32_t)terms : 1;
    member->coefficients = shard__zalloc(bundle->context, (size_t)(terms + 1) * sizeof(double));
    if (member->terms == NULL || member->coefficients == NULL)
        return SHARD_ENOMEM;
    status = take_finite(input, &member->coefficients[0]);
    status = status < 0 ? status : take_line_end(input);
    for (int32_t k = 0; status == 0 && k < terms; k++)
        status = take_term(input, bundle, &member->terms[k], &member->coefficients[k + 1]);
    return status;
}

/* The bytes of a model of trees, and the trees. */
static int take_forest(struct input *input, shard_context *context, int32_t columns, size_t size, void **ret_bytes,
                       shard_forest **ret_forest)
{
    if ((size_t)(input->end - input->at) < size)
        return refuse(input, "a whole model of trees");
    *ret_bytes = shard__zalloc(context, size);
    if (*ret_bytes == NULL)
        return SHARD_ENOMEM;
    memcpy(*ret_bytes, input->at, size);
    input->at += size;
    struct shard_forest_options options = {.struct_size = sizeof options, .columns = columns};
    int status = shard_forest_load_buffer(context, *ret_bytes, size, input->source, &options, ret_forest);
    return status < 0 ? status : take_line_end(input);
}

static int take_seconds(struct input *input, shard_model *model)
{
    struct shard__seconds *seconds = &model->seconds;
    int64_t size = 0;
    if (!take_word(input, "seconds"))
        return refuse(input, "'seconds'");
    int status = take_int(input, 0, INT64_MAX, &seconds->rows);
    status = status < 0 ? status : take_int(input, 0, INT64_MAX, &seconds->later);
    status = status < 0 ? status : take_finite(input, &seconds->error);
    status = status < 0 ? status : take_finite(input, &seconds->prior_error);
    status = status < 0 ? status : take_int(input, 0, INT64_MAX, &size);
    status = status < 0 ? status : take_line_end(input);
    if (status < 0 || size == 0)
        return status;
    seconds->size = (size_t)size;
    status = take_forest(input, model->context, model->schema.feature_count, seconds->size, &seconds->bytes,
                         &seconds->forest);
    if (status == 0 && seconds->forest->objective != SHARD_OBJECTIVE_AFT)
        status = refuse(input, "a model of trees with the objective survival:aft");
    return status;
}

static int take_trees(struct input *input, struct shard__bundle *bundle, struct shard__member *member)
{
    int64_t family = 0;
    int64_t columns = 0;
    int64_t size = 0;
    int status = take_int(input, SHARD__FAMILY_TREES, SHARD__FAMILY_PRIOR_TREES, &family);
    status = status < 0 ? status : take_int(input, 1, bundle->column_count, &columns);
    status = status < 0 ? status : take_int(input, 1, INT64_MAX, &size);
    status = status < 0 ? status : take_line_end(input);
    if (status < 0)
        return status;
    member->family = (enum shard__family)family;
    member->column_count = member->column_capacity = (int32_t)columns;
    member->columns = shard__zalloc(bundle->context, (size_t)columns * sizeof(int32_t));
    if (member->columns == NULL)
        return SHARD_ENOMEM;
    for (int32_t k = 0; status == 0 && k < columns; k++) {
        int64_t column = 0;
        if (!take_word(input, "uses"))
            return refuse(input, "'uses'");
        status = take_int(input, 0, bundle->column_count - 1, &column);
        status = status < 0 ? status : take_line_end(input);
        member->columns[k] = (int32_t)column;
    }
    if (status < 0)
        return status;
    member->size = (size_t)size;
    return take_forest(input, bundle->context, member->column_count, member->size, &member->bytes, &member->forest);
}

static int take_members(struct input *input, shard_model *model)
{
    struct shard__bundle *bundle = &model->bundle;
    int count = 0;
    for (; input->at < input->end; count++) {
        if (count == SHARD__MEMBER_COUNT)
            return refuse(input, "no more members");
        struct shard__member *member = &bundle->members[count];
        int status = take_word(input, "logistic") ? take_logistic(input, bundle, member)
                     : take_word(input, "trees")  ? take_trees(input, bundle, member)
                                                  : refuse(input, "'logistic' or 'trees'");
        if (status < 0)
            return status;
        member->is_fitted = 1;
        bundle->families |= 1U << member->family;
    }
    unsigned needed = shard__candidates[model->choice.chosen].families;
    if (needed & 1U << SHARD__FAMILY_PRIOR_TREES)
        needed |= 1U << SHARD__FAMILY_PRIOR;
    return needed & ~bundle->families ? refuse(input, "a member of each family of the chosen candidate") : 0;
}

/* The digest is the last line; what is left to read ends before it. */
static int check_digest(struct input *input)
{
    char line[DIGEST_LINE + 1];
    size_t size = (size_t)(input->end - input->begin);
    if (size < DIGEST_LINE)
        return shard__fail(SHARD_EPARSE, "%s: %zu bytes are no model", input->source, size);
    input->end -= DIGEST_LINE;
    digest_of(input->begin, size - DIGEST_LINE, line);
    if (memcmp(input->end, line, DIGEST_LINE) != 0)
        return shard__fail(SHARD_ECORRUPT, "%s: the model is damaged: its bytes do not fit its digest", input->source);
    return 0;
}

int shard_model_from_bytes(shard_context *context, const void *bytes, size_t size, const char *source,
                           shard_model **ret_model)
{
    shard__clear_error();
    struct input input = {.at = bytes, .begin = bytes, .source = source != NULL ? source : "model"};
    input.end = input.begin + size;
    if (!take_word(&input, "libshard-model "))
        return shard__fail(SHARD_EPARSE, "%s: this is no model of libshard", input.source);
    int is_first = take_word(&input, "1\n");
    if (!is_first && !take_word(&input, "2\n"))
        return shard__fail(SHARD_EVERSION, "%s: a model of another format; this library reads formats 1 to %d",
                           input.source, (int)FORMAT);
    int status = check_digest(&input);
    if (status < 0)
        return status;
    shard_model *model = shard__zalloc(context, sizeof *model);
    if (model == NULL)
        return SHARD_ENOMEM;
    model->context = context;
    status = take_choice(&input, model);
    status = status < 0 ? status : take_columns(&input, model);
    if (status == 0 && !is_first)
        status = take_seconds(&input, model);
    status = status < 0 ? status : take_members(&input, model);
    if (status < 0) {
        shard_model_free(model);
        return status;
    }
    *ret_model = model;
    return 0;
}
