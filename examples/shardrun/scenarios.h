/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_SCENARIOS_H
#define SHARDRUN_SCENARIOS_H

/* The scenarios that come with the project, by name; made of the files in examples/scenarios. Ends with a NULL. */

struct scenario_text {
    const char *name;
    const char *text;
};

extern const struct scenario_text scenario_texts[];

#endif
