/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

/* What the programs of bench/ share: clocks, medians, and the two forms in which a figure is told. */

#include <math.h>
#include <stdint.h>

/* CPU time of the process, and wall clock, in nanoseconds. */
double bench_cpu_ns(void);
double bench_wall_ns(void);

/* CPU time of the calling thread. */
double bench_thread_ns(void);

/* A counter that is quick to read, of a unit of its own: for shares of time. What was begun before has ended. */
uint64_t bench_ticks(void);

/* The next of a sequence of numbers from 0 to below 1. */
double bench_uniform(unsigned long long *state);

/* Ends the program with the library's error when `status`, which a call of the library returned, is one. */
void bench_check(const char *bench, int status, const char *what);

/* Sorts the values. */
double bench_median(double *values, int count);

/* A line of the table (stderr) above the rows. */
void bench_header(const char *bench, const char *peer);

/* A row of the table and a JSON object (stdout). A peer of NaN is none. */
void bench_row(const char *bench, const char *name, double ours, double peer, const char *unit, int runs);

#endif
