/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_NEAREST_H
#define SHARDRUN_NEAREST_H

/* Finds the name that was probably meant: the one with the fewest typing errors, if they are few enough. */

struct nearest {
    const char *wanted;
    const char *best;
    int best_distance;
};

struct nearest nearest_begin(const char *wanted);
void nearest_try(struct nearest *nearest, const char *candidate);
/* The nearest candidate, or NULL when none is near. */
const char *nearest_result(const struct nearest *nearest);

#endif
