/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as numbers: what they go by instead of a header and lines of text, and nothing else that differs. */

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "table.h"

static int add_columns(shard_table *table, const char *const *names, int32_t count)
{
    const char *const own[] = {table->time_column, table->end_column, table->label_column};
    enum { OWN = sizeof(own) / sizeof(own[0]) };
    int status = 0;
    for (int32_t i = 0; i < OWN + count && status == 0; i++) {
        const char *name = i < OWN ? own[i] : names[i - OWN];
        status = shard__table_add_column(table, name, strlen(name));
    }
    return status == 0 ? shard__table_end_header(table) : status;
}

int shard_table_columns(shard_table *table, const char *const *names, int32_t count)
{
    shard__clear_error();
    if (table->failed < 0 || table->header_count > 0 || table->in_row)
        return shard__fail(SHARD_ESTATE, "the table has columns already, or was refused before");
    table->failed = add_columns(table, names, count);
    table->row_line = 1;
    return table->failed;
}

/* Of columns, those that are not ignored. */
static int take_values(shard_table *table, const float *values)
{
    enum { OWN = 3 };
    for (size_t i = OWN; i < table->role_count; i++) {
        if (isinf(values[i - OWN]))
            return shard__fail(SHARD_EINVAL, "line %lld: %g in column '%s' is not a finite number",
                               (long long)table->row_line, (double)values[i - OWN], table->header[i]);
        if (table->roles[i] >= 0)
            table->row[table->roles[i]] = values[i - OWN];
        else if (table->roles[i] == SHARD__TABLE_COLUMN_SECONDS)
            table->row_seconds = (double)values[i - OWN];
    }
    return 0;
}

int shard_table_add(shard_table *table, double start, double end, int label, const float *values)
{
    shard__clear_error();
    if (table->failed < 0 || !table->has_header)
        return shard__fail(SHARD_ESTATE, "the table has no columns yet, or was refused before");
    table->row_line++;
    table->row_start = start;
    table->row_end = end;
    table->row_label = label < 0 ? NAN : label > 0 ? 1.0F : 0.0F;
    int status = take_values(table, values);
    if (status == 0)
        status = shard__table_check_times(table);
    if (status == 0)
        status = shard__table_keep_row(table);
    return table->failed = status;
}
