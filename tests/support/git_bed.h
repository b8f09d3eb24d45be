/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_GIT_BED_H
#define TEST_GIT_BED_H

/* A private directory for repositories, and plain git to look at them and to meddle with them. */

#include <stddef.h>

struct git_bed {
    char path[128];
};

/** Makes the directory; git and libgit2 see no configuration but that in it. */
void git_bed_make(struct git_bed *bed);
void git_bed_remove(struct git_bed *bed);

/** Runs a shell command in the directory; the test fails if it does. What it printed, without the last newline, until
 * the next call. */
const char *sh(const struct git_bed *bed, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** The same, whatever it ends with; that, with -1 for a signal. */
int sh_status(const struct git_bed *bed, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
