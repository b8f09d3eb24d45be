/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What simulations came to, for scripts and for people. The table has, for each policy, geometric means over workflows
 * and seeds, and 95 % intervals of the mean over seeds of what all workflows came to: seeds are paired, workflows are
 * not drawn.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "need.h"
#include "simulate.h"

static void print_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

void simulate_print_json(const struct simulate *simulate, int line, const struct simulate_line *got)
{
    int workflow, policy;
    long seed;
    const struct shard_sim_result *result = &got->result;
    simulate_line_of(simulate, line, &workflow, &policy, &seed);
    printf("{\"workflow\":");
    print_string(simulate->workflows[workflow].name);
    printf(",\"policy\":");
    print_string(simulate->policies[policy]);
    printf(",\"seed\":%ld,\"makespan_seconds\":%.3f,\"lower_bound_seconds\":%.3f,\"wasted_cpu_seconds\":%.3f,"
           "\"useful_cpu_seconds\":%.3f,\"attempts\":%" PRId64 ",\"failed_attempts\":%" PRId64
           ",\"max_failures_of_a_task\":%d,\"decide_cpu_us_per_task\":%.3f}\n",
           seed, result->makespan_seconds, result->lower_bound_seconds, result->wasted_cpu_seconds,
           result->useful_cpu_seconds, result->attempts, result->failed_attempts, result->max_failures_of_a_task,
           got->decide_cpu_us_per_task);
    fflush(stdout);
}

/* What a policy came to. */
struct sums {
    double ratio, low, high; /* makespan over the lower bound */
    double wasted_hours, failed_share, decide_us;
    double often; /* share of runs in which a task failed more than three times */
    int max_failures;
};

static struct sums sum_up(const struct simulate *simulate, const struct simulate_line *lines, int policy)
{
    struct sums sums = {0};
    long seeds = simulate->last_seed - simulate->first_seed + 1;
    double mean = 0, square = 0;
    for (long s = 0; s < seeds; s++) {
        double of_seed = 0;
        for (int w = 0; w < simulate->workflow_count; w++) {
            const struct simulate_line *line = &lines[(w * seeds + s) * simulate->policy_count + policy];
            const struct shard_sim_result *result = &line->result;
            of_seed += log(result->makespan_seconds / result->lower_bound_seconds) / simulate->workflow_count;
            sums.wasted_hours += result->wasted_cpu_seconds / 3600;
            sums.failed_share += (double)result->failed_attempts / (double)result->attempts;
            sums.decide_us += line->decide_cpu_us_per_task;
            sums.often += result->max_failures_of_a_task > 3;
            if (result->max_failures_of_a_task > sums.max_failures)
                sums.max_failures = result->max_failures_of_a_task;
        }
        mean += of_seed / (double)seeds;
        square += of_seed * of_seed / (double)seeds;
    }
    double variance = seeds > 1 ? fmax(0, square - mean * mean) / (double)(seeds - 1) : 0;
    double runs = (double)seeds * simulate->workflow_count, half = 1.96 * sqrt(variance);
    sums.ratio = exp(mean);
    sums.low = exp(mean - half);
    sums.high = exp(mean + half);
    sums.wasted_hours /= (double)seeds;
    sums.failed_share /= runs;
    sums.decide_us /= runs;
    sums.often /= runs;
    return sums;
}

static void print_bar(double value, double most, int width)
{
    int eighths = most > 0 ? (int)(value / most * width * 8 + 0.5) : 0;
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    for (int i = 0; i < eighths / 8; i++)
        fputs("█", stdout);
    fputs(parts[eighths % 8], stdout);
}

static void plot(const struct simulate *simulate, const struct sums *sums, bool of_waste)
{
    double most = 0;
    for (int p = 0; p < simulate->policy_count; p++)
        most = fmax(most, of_waste ? sums[p].wasted_hours : sums[p].ratio);
    printf("\n%s\n", of_waste ? "wasted CPU hours of all workflows, mean over seeds" : "makespan over lower bound");
    for (int p = 0; p < simulate->policy_count; p++) {
        double value = of_waste ? sums[p].wasted_hours : sums[p].ratio;
        printf("  %-24s %8.2f ", simulate->policies[p], value);
        print_bar(value, most, 40);
        putchar('\n');
    }
}

void simulate_print_table(const struct simulate *simulate, const struct simulate_line *lines)
{
    struct sums *sums = need_zeroed((size_t)simulate->policy_count, sizeof *sums);
    printf("scenario %s: %d workflow%s, seeds %ld to %ld\n\n", simulate->scenario_name, simulate->workflow_count,
           simulate->workflow_count == 1 ? "" : "s", simulate->first_seed, simulate->last_seed);
    printf("  %-24s %-25s %10s %8s %9s %8s %9s\n", "policy", "makespan over lower bound", "wasted h", "failed %",
           "most f/t", ">3 f/t %", "decide us");
    for (int p = 0; p < simulate->policy_count; p++) {
        sums[p] = sum_up(simulate, lines, p);
        printf("  %-24s %7.3f  (%.3f - %.3f) %12.2f %8.2f %9d %8.1f %9.2f\n", simulate->policies[p], sums[p].ratio,
               sums[p].low, sums[p].high, sums[p].wasted_hours, 100 * sums[p].failed_share, sums[p].max_failures,
               100 * sums[p].often, sums[p].decide_us);
    }
    plot(simulate, sums, false);
    plot(simulate, sums, true);
    free(sums);
}
