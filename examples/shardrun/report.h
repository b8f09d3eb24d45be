/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_REPORT_H
#define SHARDRUN_REPORT_H

/*
 * The report of a run: one HTML file, to be looked at, that needs nothing else. It is made from the records that a
 * store keeps, so it can be made at the end of a run and at any time later.
 */

#include <shard/sink.h>

#include "hosts.h"

/*
 * Writes the report of a run that was loaded with its records. `hosts` is what is known of them; NULL: nothing.
 * Returns 0, or -1 and one line.
 */
int report_write(const struct shard_run_image *image, const struct host_list *hosts, const char *path,
                 char **ret_problem);

#endif
