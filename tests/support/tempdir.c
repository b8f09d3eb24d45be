/* SPDX-License-Identifier: Apache-2.0 */
/* Private directories, made and removed. */

#include "tempdir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

void tempdir_make(char path[128])
{
    const char *given = getenv("TMPDIR");
    snprintf(path, 128, "%s/shard-test-XXXXXX",
             given != NULL && strlen(given) < 64 ? given
             : access("/dev/shm", W_OK) == 0     ? "/dev/shm"
                                                 : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

void tempdir_remove(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char file[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        unlink(file);
    }
    if (directory != NULL)
        closedir(directory);
    rmdir(path);
}
