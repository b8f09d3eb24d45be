/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of comma-separated values (RFC 4180: quotes, doubled quotes, line ends in quotes, CRLF or LF, a byte order
 * mark), in pieces of any size, so that a table can come from a pipe. Each message has the line and the column.
 */

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "table.h"

enum { SHOWN = 40, MAX_NAME = 255 }; /* bytes of bad text in a message */

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_word(const char *text, size_t size, const char *word)
{
    if (strlen(word) != size)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if ((text[i] | 0x20) != word[i])
            return 0;
    }
    return 1;
}

static double scaled(double mantissa, int exponent)
{
    for (; exponent > 22; exponent -= 22)
        mantissa *= 1e22;
    for (; exponent < -22; exponent += 22)
        mantissa /= 1e22;
    return exponent < 0 ? mantissa / POWERS[-exponent] : mantissa * POWERS[exponent];
}

/* Digits, a point, digits; up to 18 of them count. Returns where it stopped; `from` when there was no digit. */
static const char *read_mantissa(const char *from, const char *end, double *ret_mantissa, int *ret_exponent)
{
    uint64_t mantissa = 0;
    int digits = 0;
    int seen = 0;
    int exponent = 0;
    int after_point = 0;
    const char *at = from;
    for (; at < end && (is_digit(*at) || (*at == '.' && !after_point)); at++) {
        if (*at == '.') {
            after_point = 1;
            continue;
        }
        seen = 1;
        if (digits < 18) {
            mantissa = mantissa * 10 + (uint64_t)(*at - '0');
            digits += mantissa > 0;
            exponent -= after_point;
        } else {
            exponent += !after_point;
        }
    }
    *ret_mantissa = (double)mantissa;
    *ret_exponent = exponent;
    return seen ? at : from;
}

static const char *read_exponent(const char *at, const char *end, int *exponent)
{
    if (at >= end || (*at | 0x20) != 'e')
        return at;
    const char *from = at++;
    int negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at >= end || !is_digit(*at))
        return from;
    int value = 0;
    for (; at < end && is_digit(*at); at++)
        value = value < 1000 ? value * 10 + (*at - '0') : value;
    *exponent += negative ? -value : value;
    return at;
}

int shard__text_to_double(const char *text, size_t size, double *ret_value)
{
    const char *end = text + size;
    while (text < end && is_blank(*text))
        text++;
    while (end > text && is_blank(end[-1]))
        end--;
    int is_empty = text == end;
    int negative = text < end && *text == '-';
    if (text < end && (*text == '-' || *text == '+'))
        text++;
    size_t left = (size_t)(end - text);
    if (is_empty || is_word(text, left, "nan") || is_word(text, left, "na") || is_word(text, left, "null")) {
        *ret_value = NAN;
        return 1;
    }
    if (is_word(text, left, "inf") || is_word(text, left, "infinity")) {
        *ret_value = negative ? -INFINITY : INFINITY;
        return 1;
    }
    double mantissa = 0;
    int exponent = 0;
    const char *at = read_mantissa(text, end, &mantissa, &exponent);
    if (at == text)
        return 0;
    at = read_exponent(at, end, &exponent);
    if (at != end)
        return 0;
    double value = mantissa > 0 ? scaled(mantissa, exponent) : 0;
    *ret_value = negative ? -value : value;
    return 1;
}

static int is_ignored(const shard_table *table, const char *name)
{
    for (size_t i = 0; i < table->ignored_count; i++) {
        if (strcmp(table->ignored[i], name) == 0)
            return 1;
    }
    return 0;
}

static int32_t role_of(shard_table *table, const char *name)
{
    if (strcmp(name, table->time_column) == 0) {
        table->has_time = 1;
        return SHARD__TABLE_COLUMN_TIME;
    }
    if (strcmp(name, table->end_column) == 0) {
        table->has_end = 1;
        return SHARD__TABLE_COLUMN_END;
    }
    if (strcmp(name, table->label_column) == 0) {
        table->has_label = 1;
        return SHARD__TABLE_COLUMN_LABEL;
    }
    if (table->seconds_column != NULL && strcmp(name, table->seconds_column) == 0)
        return SHARD__TABLE_COLUMN_SECONDS;
    return is_ignored(table, name) ? SHARD__TABLE_COLUMN_IGNORED : (int32_t)table->name_count;
}

int shard__table_add_column(shard_table *table, const char *text, size_t size)
{
    const shard_context *context = table->context;
    size_t number = table->header_count + 1;
    if (size == 0)
        return shard__fail(SHARD_EPARSE, "line 1: column %zu has no name", number);
    if (memchr(text, 0, size) != NULL)
        return shard__fail(SHARD_EPARSE, "line 1: the name of column %zu has a NUL byte", number);
    if (number > SHARD__TABLE_MAX_COLUMNS)
        return shard__fail(SHARD_ELIMIT, "line 1: more than %d columns", (int)SHARD__TABLE_MAX_COLUMNS);
    char name[MAX_NAME + 1];
    if (size > MAX_NAME)
        return shard__fail(SHARD_ELIMIT, "line 1: the name of column %zu is longer than %d bytes", number,
                           (int)MAX_NAME);
    memcpy(name, text, size);
    name[size] = '\0';
    for (size_t i = 0; i < table->header_count; i++) {
        if (strcmp(table->header[i], name) == 0)
            return shard__fail(SHARD_EPARSE, "line 1: two columns are called '%.*s'", SHOWN, name);
    }
    if (shard__grow(context, &table->header, &table->header_capacity, number, sizeof(char *)) < 0 ||
        shard__grow(context, &table->roles, &table->role_capacity, number, sizeof(int32_t)) < 0 ||
        shard__grow(context, &table->names, &table->name_capacity, number, sizeof(char *)) < 0)
        return SHARD_ENOMEM;
    char *copy = shard__strdup(context, name);
    if (copy == NULL)
        return SHARD_ENOMEM;
    table->header[table->header_count++] = copy;
    int32_t role = role_of(table, name);
    table->roles[table->role_count++] = role;
    if (role < 0)
        return 0;
    table->names[table->name_count] = shard__strdup(context, name);
    if (table->names[table->name_count] == NULL)
        return SHARD_ENOMEM;
    table->name_count++;
    return 0;
}

int shard__table_end_header(shard_table *table)
{
    if (!table->label_optional && !table->has_label)
        return shard__fail(SHARD_EINVAL, "there is no column '%s' that says which attempts failed",
                           table->label_column);
    if (!table->label_optional && !table->has_time)
        return shard__fail(SHARD_EINVAL, "there is no column '%s' with the time of each start", table->time_column);
    if (!table->label_optional && !table->has_end)
        return shard__fail(SHARD_EINVAL, "there is no column '%s' with the time of each end", table->end_column);
    if (table->name_count == 0)
        return shard__fail(SHARD_EINVAL, "there are no feature columns");
    table->row = shard__zalloc(table->context, table->name_count * sizeof(float));
    table->has_header = 1;
    return table->row != NULL ? 0 : SHARD_ENOMEM;
}

static int bad_field(const shard_table *table, const char *text, size_t size, const char *expected)
{
    const char *advice = strcmp(expected, "a number") == 0 ? "; a column of text can be ignored" : "";
    return shard__fail(SHARD_EPARSE, "line %lld: '%.*s' in column '%.*s' is not %s%s", (long long)table->row_line,
                       (int)(size < SHOWN ? size : SHOWN), text, SHOWN, table->header[table->column], expected, advice);
}

static int take_field(shard_table *table, const char *text, size_t size)
{
    if (table->column >= table->role_count)
        return shard__fail(SHARD_EPARSE, "line %lld: more fields than the header's %zu", (long long)table->row_line,
                           table->role_count);
    int32_t role = table->roles[table->column];
    double value = NAN;
    if (role == SHARD__TABLE_COLUMN_IGNORED)
        return 0;
    if (!shard__text_to_double(text, size, &value))
        return bad_field(table, text, size, "a number");
    if (role == SHARD__TABLE_COLUMN_LABEL) {
        if (!isnan(value) && value != 0 && value != 1)
            return bad_field(table, text, size, "0, 1 or empty");
        table->row_label = (float)value;
    } else if (role == SHARD__TABLE_COLUMN_TIME) {
        if (!isfinite(value))
            return bad_field(table, text, size, "a time");
        table->row_start = value;
    } else if (role == SHARD__TABLE_COLUMN_END) {
        table->row_end = value;
    } else if (role == SHARD__TABLE_COLUMN_SECONDS) {
        if (value < 0 || isinf(value))
            return bad_field(table, text, size, "seconds, 0 or more");
        table->row_seconds = value;
    } else {
        if (fabs(value) > (double)FLT_MAX)
            return bad_field(table, text, size, "a finite number");
        table->row[role] = (float)value;
    }
    return 0;
}

int shard__table_check_times(shard_table *table)
{
    long long line = (long long)table->row_line;
    if (!table->has_time || table->label_optional)
        return 0;
    if (table->row_start < table->last_start)
        return shard__fail(SHARD_EINVAL, "line %lld: '%s' is %.3f after %.3f: rows must come in order of start", line,
                           table->time_column, table->row_start, table->last_start);
    if (table->row_end < table->row_start)
        return shard__fail(SHARD_EINVAL, "line %lld: '%s' is %.3f, before its start at %.3f", line, table->end_column,
                           table->row_end, table->row_start);
    table->last_start = table->row_start;
    return 0;
}

static int end_field(shard_table *table)
{
    if (table->field.status < 0)
        return shard__fail(SHARD_ENOMEM, "out of memory");
    const char *text = table->field.data != NULL ? table->field.data : "";
    int status = table->has_header ? take_field(table, text, table->field.size)
                                   : shard__table_add_column(table, text, table->field.size);
    table->field.size = 0;
    table->column++;
    table->state = SHARD__CSV_START;
    return status;
}

static int end_row(shard_table *table)
{
    int status = end_field(table);
    if (status < 0)
        return status;
    if (!table->has_header) {
        status = shard__table_end_header(table);
    } else {
        if (table->column != table->role_count)
            return shard__fail(SHARD_EPARSE, "line %lld: %zu fields, the header has %zu", (long long)table->row_line,
                               table->column, table->role_count);
        status = shard__table_check_times(table);
        if (status == 0)
            status = shard__table_keep_row(table);
    }
    table->column = 0;
    table->in_row = 0;
    return status;
}

static int take_plain(shard_table *table, char c)
{
    if (c == ',')
        return end_field(table);
    if (c == '"' && table->state == SHARD__CSV_START) {
        table->state = SHARD__CSV_QUOTED;
        return 0;
    }
    if (c == '"')
        return shard__fail(SHARD_EPARSE, "line %lld: a quote inside a field that does not begin with one",
                           (long long)table->line);
    if (table->state == SHARD__CSV_QUOTE_SEEN)
        return shard__fail(SHARD_EPARSE, "line %lld: text after the closing quote", (long long)table->line);
    table->state = SHARD__CSV_PLAIN;
    shard__bytes_append(&table->field, &c, 1);
    return 0;
}

static int take_byte(shard_table *table, char c)
{
    if (table->state == SHARD__CSV_QUOTED) {
        table->line += c == '\n';
        if (c == '"')
            table->state = SHARD__CSV_QUOTE_SEEN;
        else
            shard__bytes_append(&table->field, &c, 1);
        return 0;
    }
    if (c == '\n' || c == '\r') {
        int status = table->in_row ? end_row(table) : 0;
        table->line += c == '\n' || table->after_cr;
        table->after_cr = c == '\r';
        return status;
    }
    table->line += table->after_cr;
    table->after_cr = 0;
    if (!table->in_row) {
        table->in_row = 1;
        table->row_line = table->line;
    }
    if (table->state == SHARD__CSV_QUOTE_SEEN && c == '"') {
        table->state = SHARD__CSV_QUOTED;
        shard__bytes_append(&table->field, &c, 1);
        return 0;
    }
    return take_plain(table, c);
}

int shard_table_feed(shard_table *table, const void *bytes, size_t size)
{
    shard__clear_error();
    if (table->failed < 0)
        return shard__fail(SHARD_ESTATE, "the table was refused before");
    const char *text = bytes;
    int status = 0;
    for (size_t i = 0; i < size && status == 0; i++) {
        if (table->at_begin && (unsigned char)text[i] >= 0x80) { /* the byte order mark */
            if ((unsigned char)text[i] == 0xef || (unsigned char)text[i] == 0xbb)
                continue;
            table->at_begin = 0;
            if ((unsigned char)text[i] == 0xbf)
                continue;
        }
        table->at_begin = 0;
        status = take_byte(table, text[i]);
        if (status == 0 && table->field.size > SHARD__TABLE_MAX_FIELD)
            status = shard__fail(SHARD_ELIMIT, "line %lld: a field longer than %d bytes", (long long)table->line,
                                 (int)SHARD__TABLE_MAX_FIELD);
    }
    table->failed = status;
    return status;
}

int shard_table_end(shard_table *table)
{
    shard__clear_error();
    if (table->failed < 0)
        return shard__fail(SHARD_ESTATE, "the table was refused before");
    int status = 0;
    if (table->state == SHARD__CSV_QUOTED)
        status = shard__fail(SHARD_EPARSE, "line %lld: the quote is never closed", (long long)table->row_line);
    else if (table->in_row)
        status = end_row(table);
    if (status == 0 && !table->has_header)
        status = shard__fail(SHARD_EPARSE, "there is no header line");
    table->failed = status < 0 ? status : 0;
    return status;
}
