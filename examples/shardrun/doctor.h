/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_DOCTOR_H
#define SHARDRUN_DOCTOR_H

/* What `shardrun doctor` looks at, and what it says. */

#include <stdbool.h>

#include "place.h"
#include "run_options.h"

enum finding { FINDING_OK, FINDING_WARNING, FINDING_FAILED };

struct doctor {
    bool json;
    int by_finding[3];
};

/* Tells one finding: what was looked at, what was found, and what to do about it ("" when nothing). */
void doctor_tell(struct doctor *doctor, const char *check, enum finding finding, const char *found, const char *fix);

/* The machine: each tells one finding or more. */
void doctor_check_cgroups(struct doctor *doctor);
void doctor_check_runtime(struct doctor *doctor, const char *runtime);
void doctor_check_namespaces(struct doctor *doctor);
void doctor_check_clock(struct doctor *doctor);
void doctor_check_disk(struct doctor *doctor, const struct place *place);

/* A catalog: that it can be opened, that its remote can be read and pushed to, and that its files are tasks. */
void doctor_check_catalog(struct doctor *doctor, const struct run_options *options, const struct place *place);

#endif
