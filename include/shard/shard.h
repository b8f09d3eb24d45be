/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_SHARD_H
#define SHARD_SHARD_H

/*
 * libshard: adaptive workflow sharding with predictive failure mitigation.
 *
 * This page is the contract that holds for every declaration; the headers below say the rest.
 *
 * Tiers      simple.h runs a DAG with one call. engine.h is the library proper. executor.h, store.h and policy.h are
 * for authors of ports. Errors     0 or more is success, negative values are codes of error.h. Outputs are called
 * ret_x, come last and are written on success only. A call that fails changes nothing. Input that is bad is refused
 * with a message that says which, where, and what was expected. Structs    with struct_size: set it to sizeof; all
 * other fields zero is the default. Fields are only appended; a longer struct from a newer header is taken as long as
 * what this library does not know is zero. Memory     all of it comes from the context's allocator. What is handed out
 * says who frees it. Destructors take NULL. Threads    none are made (but by shard_workers_new, on request). An object
 * belongs to one thread at a time; sealed workflows and sinks may be used from any. Process    the library never
 * prints, exits, aborts, reads the environment or installs a signal handler. Units      are in the names: _ns,
 * _seconds, _bytes, _millicores; p_ is a probability. NaN means not known.
 */

#include <shard/catalog.h>
#include <shard/champion.h>
#include <shard/context.h>
#include <shard/engine.h>
#include <shard/error.h>
#include <shard/executor.h>
#include <shard/forest.h>
#include <shard/history.h>
#include <shard/host.h>
#include <shard/policy.h>
#include <shard/predictor.h>
#include <shard/record.h>
#include <shard/series.h>
#include <shard/sim.h>
#include <shard/simple.h>
#include <shard/sink.h>
#include <shard/store.h>
#include <shard/train.h>
#include <shard/version.h>
#include <shard/workflow.h>

#endif
