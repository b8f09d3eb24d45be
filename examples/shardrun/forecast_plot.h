/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_FORECAST_PLOT_H
#define SHARDRUN_FORECAST_PLOT_H

/* Pictures of an evaluation, as SVG files. */

#include <shard/train.h>

/* Writes reliability.svg and precision-recall.svg of the chosen candidate. Returns CLI_DONE, or an exit code after a
 * message. */
int forecast_plots_write(const char *directory, const struct shard_evaluation_info *info);

#endif
