/* SPDX-License-Identifier: Apache-2.0 */
/* Loading XGBoost. It is never unloaded: the threads of its OpenMP runtime would not survive that. */

#include "library.h"

#include <dlfcn.h>
#include <string.h>

#include "base/error.h"

static void *open_library(void)
{
    void *library = dlopen("libxgboost.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    return library != NULL ? library : dlopen("libxgboost.so", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static int find(void *library, const char *name, void *ret_function)
{
    void *function = dlsym(library, name);
    if (function == NULL)
        return shard__fail(SHARD_ENOTSUP, "this libxgboost has no %s; version 1.7 or later was expected", name);
    memcpy(ret_function, &function, sizeof(function));
    return 0;
}

int shard__xgboost_load(struct shard__xgboost *ret_xgboost)
{
    void *library = open_library();
    if (library == NULL)
        return shard__fail(SHARD_ENOTSUP, "trees need libxgboost to be trained: %s", dlerror());
    int status = 0;
#define FIND(name) status = status < 0 ? status : find(library, #name, &ret_xgboost->name);
    SHARD__XGBOOST_FUNCTIONS(FIND)
#undef FIND
    return status;
}
