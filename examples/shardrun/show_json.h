/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_SHOW_JSON_H
#define SHARDRUN_SHOW_JSON_H

/* The events of a run as JSON, one object a line on stdout; a contract with scripts (shardrun(1), EVENTS). */

#include "show.h"

void show_json_event(const struct show *show, const struct shard_event *event);
void show_json_end(const struct show *show, const struct run_end *end, const char *report);

#endif
