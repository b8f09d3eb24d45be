/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_XGBOOST_LIBRARY_H
#define SHARD_ADAPTER_XGBOOST_LIBRARY_H

/*
 * XGBoost's shared library, loaded when a trainer is made and not before: it brings the runtimes of C++ and OpenMP, and
 * 13 ms of start-up that programs which never train should not pay.
 */

#include <xgboost/c_api.h>

/* The functions that are used. */
#define SHARD__XGBOOST_FUNCTIONS(X) \
    X(XGBGetLastError)              \
    X(XGDMatrixCreateFromMat_omp)   \
    X(XGDMatrixFree)                \
    X(XGDMatrixSetFloatInfo)        \
    X(XGDMatrixSetStrFeatureInfo)   \
    X(XGBoosterBoostedRounds)       \
    X(XGBoosterCreate)              \
    X(XGBoosterEvalOneIter)         \
    X(XGBoosterFree)                \
    X(XGBoosterLoadModelFromBuffer) \
    X(XGBoosterSaveModelToBuffer)   \
    X(XGBoosterSetAttr)             \
    X(XGBoosterSetParam)            \
    X(XGBoosterUpdateOneIter)

struct shard__xgboost {
#define SHARD__XGBOOST_POINTER(name) __typeof__(name) *name;
    SHARD__XGBOOST_FUNCTIONS(SHARD__XGBOOST_POINTER)
#undef SHARD__XGBOOST_POINTER
};

/* Loads the library; it stays loaded. 0 or SHARD_ENOTSUP with what the loader says. */
int shard__xgboost_load(struct shard__xgboost *ret_xgboost);

#endif
