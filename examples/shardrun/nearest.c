/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name that was probably meant, by edit distance with swapped neighbours (Damerau 1964, restricted form).
 */
#include "nearest.h"

#include <limits.h>
#include <string.h>

enum { LONGEST = 63 };

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int distance(const char *a, const char *b)
{
    int rows[3][LONGEST + 2];
    int a_length = (int)strlen(a), b_length = (int)strlen(b);
    if (a_length > LONGEST || b_length > LONGEST)
        return INT_MAX;
    for (int j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (int i = 1; i <= a_length; i++) {
        int *now = rows[i % 3];
        const int *before = rows[(i + 2) % 3];
        const int *before_that = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= b_length; j++) {
            int change = before[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = min_int(change, min_int(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = min_int(now[j], before_that[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

struct nearest nearest_begin(const char *wanted)
{
    /* One error in three letters is still a typing error; more is another word. */
    int allowed = (int)strlen(wanted) / 3;
    return (struct nearest){.wanted = wanted, .best_distance = (allowed < 1 ? 1 : allowed) + 1};
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
    int here = distance(nearest->wanted, candidate);
    if (here < nearest->best_distance) {
        nearest->best = candidate;
        nearest->best_distance = here;
    }
}

const char *nearest_result(const struct nearest *nearest)
{
    return nearest->best;
}
