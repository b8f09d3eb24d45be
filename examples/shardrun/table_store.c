/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts that a store keeps, as a table: their columns by the names of shard/history.h, keys left out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <shard/history.h>

#include "cli.h"
#include "place.h"
#include "table_file.h"

/* A store being read into a table. */
struct reading {
    shard_table *table;
    const struct shard_schema *schema;
    uint64_t hash;
    char *text;
    size_t size;
    FILE *line; /* into text */
    long rows, others;
    int status;
};

static int feed_line(struct reading *reading)
{
    fputc('\n', reading->line);
    fflush(reading->line);
    int status = shard_table_feed(reading->table, reading->text, (size_t)ftello(reading->line));
    rewind(reading->line);
    return status;
}

static int feed_header(struct reading *reading)
{
    fputs("t,te,y", reading->line);
    for (int32_t i = 0; i < reading->schema->feature_count; i++)
        if (reading->schema->features[i].role == SHARD_FEATURE_VALUE)
            fprintf(reading->line, ",%s", reading->schema->features[i].name);
    return feed_line(reading);
}

/* Cancelled, moved and preempted attempts have no label: they are censored. */
static const char *label_of(enum shard_outcome outcome)
{
    if (outcome == SHARD_OUTCOME_DONE)
        return "0";
    return outcome == SHARD_OUTCOME_CANCELLED || outcome == SHARD_OUTCOME_PREEMPTED ? "" : "1";
}

static int take(void *self, const struct shard_outcome_row *outcome)
{
    struct reading *reading = self;
    if (outcome->schema_hash != reading->hash || outcome->columns != reading->schema->feature_count) {
        reading->others++;
        return 0;
    }
    fprintf(reading->line, "%.6f,%.6f,%s", (double)outcome->start_ns / 1e9, (double)outcome->end_ns / 1e9,
            label_of(outcome->outcome));
    for (int32_t i = 0; i < reading->schema->feature_count; i++) {
        if (reading->schema->features[i].role != SHARD_FEATURE_VALUE)
            continue;
        if (isfinite(outcome->values[i]))
            fprintf(reading->line, ",%.9g", (double)outcome->values[i]);
        else
            fputc(',', reading->line);
    }
    reading->rows++;
    reading->status = feed_line(reading);
    return reading->status;
}

static int read_rows(const struct shard_store_handle *store, shard_table *table, const char *path)
{
    struct reading reading = {
        .table = table, .schema = shard_history_schema(), .hash = shard_schema_hash(shard_history_schema())};
    if (store->port->each_outcome == NULL)
        return cli_error(CLI_USAGE, "store '%s' keeps no outcomes to learn from", path);
    reading.line = open_memstream(&reading.text, &reading.size);
    if (reading.line == NULL)
        abort();
    int status = feed_header(&reading);
    if (status == 0)
        status = store->port->each_outcome(store->self, take, &reading);
    if (status == 0)
        status = reading.status < 0 ? reading.status : shard_table_end(table);
    fclose(reading.line);
    free(reading.text);
    if (reading.others > 0)
        cli_warning("%ld attempts have columns of another schema and are left out", reading.others);
    if (status < 0)
        return cli_library_error(path);
    return reading.rows > 0 ? CLI_DONE : cli_error(CLI_USAGE, "store '%s' has no attempts to learn from yet", path);
}

int table_read_store(shard_context *context, const char *path, shard_table **ret_table)
{
    const struct table_options options = {0};
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
