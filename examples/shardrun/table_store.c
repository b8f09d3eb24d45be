/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts that a store keeps, as a table: their columns by the names of shard/history.h, keys left out. */
#include <math.h>
#include <stdlib.h>

#include <shard/history.h>

#include "cli.h"
#include "need.h"
#include "place.h"
#include "table_file.h"

static const struct table_options options = {.seconds_column = "seconds"};

/* A store being read into a table. */
struct reading {
    shard_table *table;
    const struct shard_schema *schema;
    uint64_t hash;
    float *values; /* of a row, without keys; and its seconds */
    long rows, others;
    int status;
};

static int take(void *self, const struct shard_outcome_row *outcome)
{
    struct reading *reading = self;
    int count = 0;
    if (outcome->schema_hash != reading->hash || outcome->columns != reading->schema->feature_count) {
        reading->others++;
        return 0;
    }
    for (int32_t i = 0; i < reading->schema->feature_count; i++)
        if (reading->schema->features[i].role == SHARD_FEATURE_VALUE)
            reading->values[count++] = isfinite(outcome->values[i]) ? outcome->values[i] : NAN;
    reading->values[count] = outcome->seconds >= 0 ? (float)outcome->seconds : NAN;
    reading->rows++;
    reading->status = shard_table_add(reading->table, (double)outcome->start_ns / 1e9, (double)outcome->end_ns / 1e9,
                                      shard_outcome_label((int)outcome->outcome), reading->values);
    return reading->status;
}

static int name_columns(const struct reading *reading)
{
    const char **names = need_zeroed((size_t)reading->schema->feature_count + 1, sizeof *names);
    int count = 0;
    for (int32_t i = 0; i < reading->schema->feature_count; i++)
        if (reading->schema->features[i].role == SHARD_FEATURE_VALUE)
            names[count++] = reading->schema->features[i].name;
    names[count++] = options.seconds_column;
    int status = shard_table_columns(reading->table, names, count);
    free(names);
    return status;
}

static int read_rows(const struct shard_store_handle *store, shard_table *table, const char *path)
{
    const struct shard_schema *schema = shard_history_schema();
    struct reading reading = {.table = table, .schema = schema, .hash = shard_schema_hash(schema)};
    if (store->port->each_outcome == NULL)
        return cli_error(CLI_USAGE, "store '%s' keeps no outcomes to learn from", path);
    reading.values = need_zeroed((size_t)schema->feature_count + 1, sizeof *reading.values);
    int status = name_columns(&reading);
    if (status == 0)
        status = store->port->each_outcome(store->self, take, &reading);
    if (status == 0)
        status = reading.status;
    free(reading.values);
    if (reading.others > 0)
        cli_warning("%ld attempts have columns of another schema and are left out", reading.others);
    if (status < 0)
        return cli_library_error(path);
    return reading.rows > 0 ? CLI_DONE : cli_error(CLI_USAGE, "store '%s' has no attempts to learn from yet", path);
}

int table_read_store(shard_context *context, const char *path, shard_table **ret_table)
{
    struct shard_store_handle store = {0};
    struct place place;
    char *problem = NULL;
    shard_table *table = NULL;
    if (place_parse(path, &place, &problem) < 0) {
        int code = cli_error(CLI_USAGE, "%s", problem);
        free(problem);
        return code;
    }
    int code = place.store == NULL ? cli_error(CLI_USAGE, "a store in memory keeps no runs; name a file")
                                   : place_open_store(&place, context, true, &store);
    if (code == CLI_DONE)
        code = table_make(context, &options, false, &table);
    if (code == CLI_DONE)
        code = read_rows(&store, table, path);
    store_close(&store);
    place_clear(&place);
    if (code == CLI_DONE)
        *ret_table = table;
    else
        shard_table_free(table);
    return code;
}
