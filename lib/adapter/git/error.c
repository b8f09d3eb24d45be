/* SPDX-License-Identifier: Apache-2.0 */
/* What libgit2 says, in the library's codes and one line. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#include "git.h"

static int code_of(int git_code, const git_error *error, const char *text)
{
    if (error != NULL && error->klass == GIT_ERROR_NOMEMORY)
        return SHARD_ENOMEM;
    static const int no_room[] = {ENOSPC, EDQUOT, EFBIG};
    for (size_t i = 0; i < sizeof(no_room) / sizeof(no_room[0]); i++)
        if (strstr(text, strerror(no_room[i])) != NULL)
            return SHARD_ENOSPC;
    if (git_code == GIT_ENOTFOUND)
        return error != NULL && (error->klass == GIT_ERROR_ODB || error->klass == GIT_ERROR_OBJECT) ? SHARD_ECORRUPT
                                                                                                    : SHARD_ENOENT;
    if (git_code == GIT_EAMBIGUOUS || git_code == GIT_EINVALIDSPEC)
        return SHARD_EINVAL;
    if (git_code == GIT_EBAREREPO)
        return SHARD_EIO;
    if (error != NULL &&
        (error->klass == GIT_ERROR_ODB || error->klass == GIT_ERROR_ZLIB || error->klass == GIT_ERROR_OBJECT ||
         error->klass == GIT_ERROR_TREE || error->klass == GIT_ERROR_INDEXER || error->klass == GIT_ERROR_INVALID))
        return SHARD_ECORRUPT;
    return SHARD_EIO;
}

/* What a reader can do about it. */
static const char *advice(const shard_catalog *catalog, int git_code, int code)
{
    if (catalog->was_silent)
        return "; the remote was silent for longer than timeout_seconds";
    if (git_code == GIT_EAUTH)
        return "; the remote did not take the credentials";
    if (git_code == GIT_ECERTIFICATE)
        return "; the remote is not who it should be, so nothing was sent";
    if (git_code == GIT_EBAREREPO)
        return "; it has a work tree, expected a bare repository";
    if (code == SHARD_ENOSPC)
        return "; make room there, and call again: nothing was lost";
    if (code == SHARD_ECORRUPT)
        return "; see git fsck, or clone it anew";
    return "";
}

int shard__git_fail(const shard_catalog *catalog, int git_code, const char *format, ...)
{
    char doing[600];
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(doing, sizeof(doing), format, arguments);
    va_end(arguments);
    const git_error *error = git_error_last();
    const char *said = error == NULL || error->message == NULL ? "no reason given" : error->message;
    if (git_code == GIT_ECERTIFICATE && catalog->distrust[0] != '\0')
        said = catalog->distrust;
    snprintf(text, sizeof(text), "%s", said);
    int code = code_of(git_code, error, text);
    return shard__fail(code, "catalog '%s': %s: %s%s", catalog->path, doing, text, advice(catalog, git_code, code));
}
