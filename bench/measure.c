/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, medians and output. */

#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <shard/error.h>

static double clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

double bench_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

double bench_wall_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

double bench_thread_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t bench_ticks(void)
{
#if defined(__x86_64__)
    __builtin_ia32_lfence();
    return __builtin_ia32_rdtsc();
#else
    return (uint64_t)bench_wall_ns();
#endif
}

double bench_uniform(unsigned long long *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (double)(*state >> 11) * 0x1p-53;
}

void bench_check(const char *bench, int status, const char *what)
{
    struct shard_error error = {.struct_size = sizeof(error)};
    if (status >= 0)
        return;
    shard_error_copy(&error);
    fprintf(stderr, "%s: %s: %s\n", bench, what, error.message);
    exit(EXIT_FAILURE);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void bench_header(const char *bench, const char *peer)
{
    fprintf(stderr, "%-10s %-46s %12s %12s %9s  %s\n", bench, "case", "ours", "peer", "ours/peer", "unit");
    fprintf(stderr, "peer: %s\n", peer);
}

static void print_number(const char *key, double value)
{
    if (isnan(value))
        printf("\"%s\": null, ", key);
    else
        printf("\"%s\": %.6g, ", key, value);
}

void bench_row(const char *bench, const char *name, double ours, double peer, const char *unit, int runs)
{
    printf("{\"bench\": \"%s\", \"case\": \"%s\", ", bench, name);
    print_number("ours", ours);
    print_number("peer", peer);
    print_number("ratio", ours / peer);
    printf("\"unit\": \"%s\", \"runs\": %d}\n", unit, runs);
    fflush(stdout);
    if (isnan(peer))
        fprintf(stderr, "%-10s %-46s %12.4g %12s %9s  %s\n", bench, name, ours, "-", "-", unit);
    else
        fprintf(stderr, "%-10s %-46s %12.4g %12.4g %9.3f  %s\n", bench, name, ours, peer, ours / peer, unit);
}
