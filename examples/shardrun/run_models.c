/* SPDX-License-Identifier: Apache-2.0 */
/* Models of a run: files named by nanoseconds of the wall clock. An empty one is the prior. */
#include "run_models.h"

#include <dirent.h>
#include <stdlib.h>
#include <time.h>

#include "cli.h"
#include "files.h"
#include "need.h"

static int64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void run_models_note(const char *directory, const char *bytes, size_t size)
{
    char *problem = NULL;
    if (size == 0 && !path_exists(directory))
        return;
    char *path = need_printf("%s/%lld", directory, (long long)wall_ns());
    if (directory_make(directory, &problem) < 0 || file_put(path, size > 0 ? bytes : "", size, &problem) < 0)
        cli_warning("%s; explain will not know this model", problem);
    free(problem);
    free(path);
}

int run_models_at(const char *directory, int64_t at_ns, char **ret_bytes, size_t *ret_size, char **ret_problem)
{
    int64_t newest = 0;
    DIR *listing = opendir(directory);
    for (const struct dirent *entry = NULL; listing != NULL && (entry = readdir(listing)) != NULL;) {
        char *end = NULL;
        long long since_ns = strtoll(entry->d_name, &end, 10);
        if (*end == '\0' && since_ns > newest && since_ns <= at_ns)
            newest = since_ns;
    }
    if (listing != NULL)
        closedir(listing);
    *ret_bytes = NULL;
    *ret_size = 0;
    if (newest == 0)
        return 0;
    char *path = need_printf("%s/%lld", directory, (long long)newest);
    int status = file_read(path, ret_bytes, ret_size, ret_problem);
    free(path);
    if (status == 0 && *ret_size == 0) {
        free(*ret_bytes);
        *ret_bytes = NULL;
    }
    return status < 0 ? -1 : 0;
}
