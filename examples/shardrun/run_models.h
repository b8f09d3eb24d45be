/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_RUN_MODELS_H
#define SHARDRUN_RUN_MODELS_H

/*
 * Which model forecast in a run, and when: `explain` has to say why by the one that was asked then, and another has
 * taken its place since. Each is kept in a directory of the run, by the moment from which on it was in use.
 */

#include <stddef.h>
#include <stdint.h>

/* A model is in use from now on; without bytes it is the prior, as when there is none yet. What fails is warned of. */
void run_models_note(const char *directory, const char *bytes, size_t size);

/* Reads the model that was in use at a moment of the wall clock: its bytes, to be freed, or NULL for the prior. Returns
 * 0, or -1 and the problem. */
int run_models_at(const char *directory, int64_t wall_ns, char **ret_bytes, size_t *ret_size, char **ret_problem);

#endif
