/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A history as a table with bars, and as JSON.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "history.h"
#include "need.h"
#include "when.h"

enum how { PERCENT, BYTES, SECONDS, PLAIN };

struct column {
    int measure;
    const char *head;
    enum how how;
};

static const struct column columns[] = {
    {SHARD_MEASURE_CPU_SHARE, "cpu", PERCENT},
    {SHARD_MEASURE_MEMORY_SHARE, "memory", PERCENT},
    {SHARD_MEASURE_DISK_SHARE, "disk", PERCENT},
    {SHARD_MEASURE_IO_BYTES_PER_SECOND, "io/s", BYTES},
    {SHARD_MEASURE_NETWORK_BYTES_PER_SECOND, "net/s", BYTES},
    {SHARD_MEASURE_CPU_PRESSURE, "cpu psi", PERCENT},
    {SHARD_MEASURE_MEMORY_PRESSURE, "mem psi", PERCENT},
    {SHARD_MEASURE_IO_PRESSURE, "io psi", PERCENT},
    {SHARD_MEASURE_LOAD, "load", PLAIN},
    {SHARD_MEASURE_TEMPERATURE_CELSIUS, "celsius", PLAIN},
    {SHARD_MEASURE_SECONDS, "seconds", SECONDS},
    {SHARD_MEASURE_FAILED, "failed", PERCENT},
    {SHARD_MEASURE_P_FAIL, "forecast", PERCENT},
};
enum { COLUMNS = sizeof columns / sizeof columns[0], WIDTH = 9 };

static void format(char text[16], enum how how, double value)
{
    static const char units[] = " KMGTP";
    int unit = 0;
    switch (how) {
    case PERCENT:
        snprintf(text, 16, "%.1f%%", 100 * value);
        return;
    case BYTES:
        while (fabs(value) >= 1000 && unit < 5) {
            value /= 1024;
            unit++;
        }
        snprintf(text, 16, "%.3g%c", value, units[unit]);
        return;
    case SECONDS:
    case PLAIN:
        break;
    }
    snprintf(text, 16, "%.3g", value);
}

static void print_cell(const struct column *column, const struct shard_series_value *value)
{
    char text[16] = "-";
    if (value->count > 0)
        format(text, column->how, value->mean);
    printf(" %*s", WIDTH, text);
}

static void print_table(const struct history *history)
{
    printf("%-19s", "from");
    if (history_has(history, SHARD_MEASURE_CENSORED))
        printf(" %*s", WIDTH, "attempts");
    for (int i = 0; i < COLUMNS; i++)
        if (history_has(history, columns[i].measure))
            printf(" %*s", WIDTH, columns[i].head);
    putchar('\n');
    for (size_t row = 0; row < history->count; row++) {
        const struct history_bucket *bucket = &history->buckets[row];
        char when[32];
        when_text(bucket->start_ns, when);
        printf("%-19s", when);
        if (history_has(history, SHARD_MEASURE_CENSORED))
            printf(" %*lld", WIDTH, (long long)bucket->values[SHARD_MEASURE_CENSORED].count);
        for (int i = 0; i < COLUMNS; i++)
            if (history_has(history, columns[i].measure))
                print_cell(&columns[i], &bucket->values[columns[i].measure]);
        putchar('\n');
    }
}

/* The bucket of each place in the line; where nothing is, a blank. */
static void print_bars(const struct history *history, const struct column *column)
{
    enum { MOST = 72 };
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double low = INFINITY, high = -INFINITY, sums[MOST] = {0};
    int counts[MOST] = {0}, last = 0;
    int64_t first_ns = history->buckets[0].start_ns;
    int64_t places = (history->buckets[history->count - 1].start_ns - first_ns) / history->every_ns + 1;
    int64_t in_one = (places + MOST - 1) / MOST;
    for (size_t i = 0; i < history->count; i++) {
        const struct shard_series_value *value = &history->buckets[i].values[column->measure];
        int place = (int)((history->buckets[i].start_ns - first_ns) / history->every_ns / in_one);
        if (value->count == 0)
            continue;
        sums[place] += value->mean;
        counts[place]++;
        last = place;
        low = fmin(low, value->min);
        high = fmax(high, value->max);
    }
    char least[16], most[16];
    format(least, column->how, low);
    format(most, column->how, high);
    if (column->how == PERCENT || low > 0)
        low = 0;
    if (column->how == PERCENT && high > 0)
        high = high > 0.5 ? 1 : high;
    printf("%-8s ", column->head);
    for (int place = 0; place <= last; place++) {
        double share = high > low ? (sums[place] / counts[place] - low) / (high - low) : 0;
        int bar = (int)(share * 8);
        fputs(counts[place] == 0 ? " " : bars[bar < 0 ? 0 : bar > 7 ? 7 : bar], stdout);
    }
    printf("  %s to %s\n", least, most);
}

void history_print(const struct history *history, const char *what)
{
    int64_t attempts = history->counts[SHARD_MEASURE_CENSORED];
    int64_t samples = 0;
    for (int i = SHARD_MEASURE_CPU_SHARE; i <= SHARD_MEASURE_TEMPERATURE_CELSIUS; i++)
        samples = history->counts[i] > samples ? history->counts[i] : samples;
    printf("%s: %lld samples, %lld attempts, in steps of %g s; means\n\n", what, (long long)samples,
           (long long)attempts, (double)history->every_ns / 1e9);
    print_table(history);
    putchar('\n');
    for (int i = 0; i < COLUMNS; i++)
        if (history_has(history, columns[i].measure))
            print_bars(history, &columns[i]);
}

void history_print_json(const struct history *history)
{
    for (size_t row = 0; row < history->count; row++) {
        const struct history_bucket *bucket = &history->buckets[row];
        json_t *object = json_pack("{s:f,s:f}", "from", (double)bucket->start_ns / 1e9, "seconds_wide",
                                   (double)history->every_ns / 1e9);
        for (int i = 0; i < SHARD_MEASURE_COUNT; i++) {
            const struct shard_series_value *value = &bucket->values[i];
            if (value->count > 0)
                json_object_set_new(object, shard_measure_text(i),
                                    json_pack("{s:I,s:f,s:f,s:f}", "count", (json_int_t)value->count, "mean",
                                              value->mean, "min", value->min, "max", value->max));
        }
        json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
        putchar('\n');
        json_decref(object);
    }
}
