/* SPDX-License-Identifier: Apache-2.0 */
/* The table: its memory, and what its users may ask. Reading text is csv.c's. */

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "table.h"

static const int64_t MAX_ROWS = (int64_t)1 << 19;          /* more teach little and take minutes */
static const int64_t DEFAULT_MAX_CELLS = (int64_t)1 << 25; /* 128 MiB of features */

static int copy_names(shard_table *table, const struct shard_table_config *config)
{
    table->time_column = shard__strdup(table->context, config->time_column != NULL ? config->time_column : "t");
    table->end_column = shard__strdup(table->context, config->end_column != NULL ? config->end_column : "te");
    table->label_column = shard__strdup(table->context, config->label_column != NULL ? config->label_column : "y");
    if (config->seconds_column != NULL)
        table->seconds_column = shard__strdup(table->context, config->seconds_column);
    if (table->time_column == NULL || table->end_column == NULL || table->label_column == NULL ||
        (config->seconds_column != NULL && table->seconds_column == NULL))
        return SHARD_ENOMEM;
    if (config->ignored_count == 0)
        return 0;
    table->ignored = shard__zalloc(table->context, (size_t)config->ignored_count * sizeof(char *));
    if (table->ignored == NULL)
        return SHARD_ENOMEM;
    table->ignored_count = (size_t)config->ignored_count;
    for (size_t i = 0; i < table->ignored_count; i++) {
        table->ignored[i] = shard__strdup(table->context, config->ignored[i]);
        if (table->ignored[i] == NULL)
            return SHARD_ENOMEM;
    }
    return 0;
}

int shard_table_new(shard_context *context, const struct shard_table_config *config, shard_table **ret_table)
{
    shard__clear_error();
    struct shard_table_config ours = {.struct_size = sizeof ours};
    int status = config == NULL ? 0 : shard__take_struct(&ours, sizeof ours, config, "struct shard_table_config");
    if (status < 0)
        return status;
    if (ours.ignored_count < 0 || (ours.ignored_count > 0 && ours.ignored == NULL) || ours.max_cells < 0)
        return shard__fail(SHARD_EINVAL, "ignored_count and max_cells must be 0 or more, and ignored be given");
    shard_table *table = shard__zalloc(context, sizeof *table);
    if (table == NULL)
        return SHARD_ENOMEM;
    table->context = context;
    table->label_optional = ours.label_optional;
    table->max_cells = ours.max_cells > 0 ? ours.max_cells : DEFAULT_MAX_CELLS;
    table->thinning = 1;
    table->line = 1;
    table->at_begin = 1;
    table->last_start = -INFINITY;
    table->row_seconds = NAN;
    shard__bytes_init(&table->field, context);
    status = copy_names(table, &ours);
    if (status < 0) {
        shard_table_free(table);
        return status;
    }
    *ret_table = table;
    return 0;
}

static void free_strings(const shard_context *context, char **strings, size_t count, size_t capacity)
{
    for (size_t i = 0; strings != NULL && i < count; i++)
        shard__strfree(context, strings[i]);
    shard__release(context, strings, capacity * sizeof(char *));
}

void shard_table_free(shard_table *table)
{
    if (table == NULL)
        return;
    const shard_context *context = table->context;
    shard__release(context, table->row, table->name_count * sizeof(float));
    free_strings(context, table->names, table->name_count, table->name_capacity);
    free_strings(context, table->header, table->header_count, table->header_capacity);
    free_strings(context, table->ignored, table->ignored_count, table->ignored_count);
    shard__strfree(context, table->time_column);
    shard__strfree(context, table->end_column);
    shard__strfree(context, table->label_column);
    shard__strfree(context, table->seconds_column);
    shard__release(context, table->values, table->value_capacity * sizeof(float));
    shard__release(context, table->starts, table->start_capacity * sizeof(double));
    shard__release(context, table->ends, table->end_capacity * sizeof(double));
    shard__release(context, table->labels, table->label_capacity * sizeof(float));
    shard__release(context, table->seconds, table->second_capacity * sizeof(double));
    shard__release(context, table->roles, table->role_capacity * sizeof(int32_t));
    shard__bytes_free(&table->field);
    shard__release(context, table, sizeof *table);
}

void shard_table_clear(shard_table *table)
{
    table->rows = 0;
}

/* Every other row goes: the first, the third and so on stay. */
static void thin(shard_table *table)
{
    size_t columns = table->name_count;
    int64_t kept = 0;
    for (int64_t row = 0; row < table->rows; row += 2, kept++) {
        memmove(table->values + (size_t)kept * columns, table->values + (size_t)row * columns, columns * sizeof(float));
        table->starts[kept] = table->starts[row];
        table->ends[kept] = table->ends[row];
        table->labels[kept] = table->labels[row];
        table->seconds[kept] = table->seconds[row];
    }
    table->rows = kept;
    table->thinning *= 2;
}

int shard__table_keep_row(shard_table *table)
{
    size_t columns = table->name_count;
    int64_t wanted = table->rows + 1;
    if (table->rows_read++ % table->thinning != 0)
        return 0;
    if (wanted > MAX_ROWS || (wanted > 2 && wanted * (int64_t)columns > table->max_cells)) {
        thin(table);
        if ((table->rows_read - 1) % table->thinning != 0)
            return 0;
        wanted = table->rows + 1;
    }
    size_t rows = (size_t)wanted;
    if (shard__grow(table->context, &table->values, &table->value_capacity, rows * columns, sizeof(float)) < 0 ||
        shard__grow(table->context, &table->starts, &table->start_capacity, rows, sizeof(double)) < 0 ||
        shard__grow(table->context, &table->ends, &table->end_capacity, rows, sizeof(double)) < 0 ||
        shard__grow(table->context, &table->labels, &table->label_capacity, rows, sizeof(float)) < 0 ||
        shard__grow(table->context, &table->seconds, &table->second_capacity, rows, sizeof(double)) < 0)
        return SHARD_ENOMEM;
    if (columns > 0)
        memcpy(table->values + (rows - 1) * columns, table->row, columns * sizeof(float));
    table->starts[rows - 1] = table->row_start;
    table->ends[rows - 1] = table->row_end;
    table->labels[rows - 1] = table->row_label;
    table->seconds[rows - 1] = isnan(table->row_seconds) ? table->row_end - table->row_start : table->row_seconds;
    table->rows = wanted;
    return 0;
}

int shard_table_describe(const shard_table *table, struct shard_table_info *ret_info)
{
    shard__clear_error();
    struct shard_table_info info = {.struct_size = sizeof info,
                                    .rows_read = table->rows_read,
                                    .rows = table->rows,
                                    .columns = (int32_t)table->name_count,
                                    .has_label = table->has_label,
                                    .values = table->values,
                                    .starts = table->starts,
                                    .ends = table->ends,
                                    .labels = table->labels};
    return shard__give_struct(ret_info, &info, sizeof info, "struct shard_table_info");
}

const char *shard_table_column(const shard_table *table, int32_t column)
{
    return column >= 0 && (size_t)column < table->name_count ? table->names[column] : NULL;
}
