/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_TABLE_H
#define SHARD_PREDICT_TABLE_H

/*
 * A table of attempts in memory: features row by row as floats, beside them when each attempt started and ended and
 * whether it failed. Bounded: when it is full, every other row goes, and from then on every other row is taken; so a
 * table of any length keeps its shape in time. csv.c and table_rows.c fill it, the trainer reads it.
 */

#include <stdint.h>

#include <shard/train.h>

#include "base/alloc.h"
#include "base/bytes.h"

enum {
    SHARD__TABLE_MAX_COLUMNS = 2048,
    SHARD__TABLE_MAX_FIELD = 65536,
    SHARD__TABLE_COLUMN_TIME = -1,
    SHARD__TABLE_COLUMN_END = -2,
    SHARD__TABLE_COLUMN_LABEL = -3,
    SHARD__TABLE_COLUMN_IGNORED = -4,
    SHARD__TABLE_COLUMN_SECONDS = -5
};

enum shard__csv_state { SHARD__CSV_START, SHARD__CSV_PLAIN, SHARD__CSV_QUOTED, SHARD__CSV_QUOTE_SEEN };

struct shard_table {
    const shard_context *context;
    char *time_column;
    char *end_column;
    char *label_column;
    char *seconds_column; /* or NULL */
    char **ignored;
    size_t ignored_count;
    int label_optional;
    int64_t max_cells;

    char **names; /* of the features */
    size_t name_count;
    size_t name_capacity;
    float *values;
    size_t value_capacity;
    double *starts;
    size_t start_capacity;
    double *ends;
    size_t end_capacity;
    float *labels; /* NaN: censored */
    size_t label_capacity;
    double *seconds;
    size_t second_capacity;
    int64_t rows;
    int64_t rows_read;
    int64_t thinning; /* one row of so many is kept */
    int has_label;
    int has_time;
    int has_end;

    /* The reader. */
    int32_t *roles; /* of each column of the file: a feature's index, or SHARD__TABLE_COLUMN_... */
    size_t role_count;
    size_t role_capacity;
    char **header; /* names of all columns of the file, for messages */
    size_t header_count;
    size_t header_capacity;
    enum shard__csv_state state;
    struct shard__bytes field;
    int64_t line;
    int64_t row_line; /* where the row began */
    size_t column;    /* of the field that is being read */
    int after_cr;
    int has_header;
    int in_row;
    int at_begin;
    int failed; /* a code: nothing more is taken */
    double last_start;
    float *row; /* name_count of them */
    double row_start;
    double row_end;
    float row_label;
    double row_seconds; /* NaN: from start to end */
};

/* What every row goes through, whatever it comes from: the columns, then for each row its times. 0 or a code. */
int shard__table_add_column(shard_table *table, const char *text, size_t size);
int shard__table_end_header(shard_table *table);
int shard__table_check_times(shard_table *table);

/* Takes the row that has been read into the table. 0 or a code. */
int shard__table_keep_row(shard_table *table);

/* Text of a decimal number, white space around it allowed, independent of the locale. Empty, "nan", "na" and "null" are
 * NaN. Returns 0 when it is no number. */
int shard__text_to_double(const char *text, size_t size, double *ret_value);

#endif
