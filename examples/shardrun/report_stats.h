/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_REPORT_STATS_H
#define SHARDRUN_REPORT_STATS_H

#include "report_data.h"

/* Fills in what the attempts of a report add up to: lanes, sums of hosts and kinds, the longest path. */
void report_add_up(struct report *report);

#endif
