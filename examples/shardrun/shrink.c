/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agreements with running commands about fewer units.
 */
#include "shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "files.h"
#include "need.h"

static int put_numbers(const char *directory, const char *name, int64_t units, int32_t depth, char **ret_problem)
{
    char *path = path_join(directory, name);
    char *text =
        depth > 0 ? need_printf("%lld %d\n", (long long)units, depth) : need_printf("%lld\n", (long long)units);
    int status = file_write(path, text, strlen(text), ret_problem);
    free(text);
    free(path);
    return status;
}

static bool take_numbers(const char *directory, const char *name, int64_t *ret_units, int32_t *ret_depth)
{
    char *path = path_join(directory, name), *text = NULL, *problem = NULL;
    size_t length = 0;
    long long units = 0;
    int depth = 0;
    bool found = file_read(path, &text, &length, &problem) == 0 && sscanf(text, "%lld %d", &units, &depth) == 2;
    if (found) {
        *ret_units = units;
        *ret_depth = depth;
    }
    free(problem);
    free(text);
    free(path);
    return found;
}

void shrink_restore(struct shrink *shrink, const char *directory, int64_t range)
{
    *shrink = (struct shrink){.range = range};
    take_numbers(directory, "agreed", &shrink->range, &shrink->depth);
    shrink->is_asked = take_numbers(directory, "asked", &shrink->asked, &shrink->asked_depth);
}

int shrink_ask(struct shrink *shrink, const char *directory, const char *outputs, int64_t units, int32_t depth,
               char **ret_problem)
{
    if (put_numbers(directory, "asked", units, depth, ret_problem) < 0 ||
        put_numbers(outputs, ".limit", units, 0, ret_problem) < 0)
        return -1;
    shrink->is_asked = true;
    shrink->asked = units;
    shrink->asked_depth = depth;
    return 0;
}

bool shrink_answered(struct shrink *shrink, const char *directory, const struct progress *progress)
{
    char *problem = NULL;
    if (!shrink->is_asked || !progress->looks || progress->limit_seen != shrink->asked)
        return false;
    int64_t agreed = progress->done > shrink->asked ? progress->done : shrink->asked;
    if (agreed < shrink->range) {
        /* Without this file nobody would know, after a restart, where the outputs belong. */
        if (put_numbers(directory, "agreed", agreed, shrink->asked_depth, &problem) < 0)
            exit(cli_error(CLI_ENVIRONMENT, "%s; `shardrun resume` goes on", problem));
        shrink->range = agreed;
        shrink->depth = shrink->asked_depth;
    }
    char *path = path_join(directory, "asked");
    unlink(path);
    free(path);
    shrink->is_asked = false;
    return true;
}
