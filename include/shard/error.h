/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ERROR_H
#define SHARD_ERROR_H

/*
 * Errors. A function that can fail returns an int (or an int32_t id): 0 or more is success, a negative value is one of
 * the codes below. The detail of the last failed call is kept per thread; each call that can fail clears it on entry,
 * so it is never stale. Copy it out before the next call.
 */

#include <stddef.h>

#include <shard/version.h>

SHARD_BEGIN

/* Codes are frozen: a code keeps its value and its meaning for ever, new ones are added at the end. */
enum shard_code {
    SHARD_OK = 0,
    SHARD_ENOMEM = -1,        /* no memory */
    SHARD_EINVAL = -2,        /* an argument is not of the form that was asked for */
    SHARD_ENOENT = -3,        /* what was named is not there */
    SHARD_EEXIST = -4,        /* a thing of that name is there already */
    SHARD_ECYCLE = -5,        /* the tasks depend on each other in a circle; the detail names the path */
    SHARD_EPARSE = -6,        /* the text is not in the format; the detail says where */
    SHARD_EVERSION = -7,      /* the format, store or struct is of a version that this library does not know */
    SHARD_EIO = -8,           /* the operating system refused; see system_errno */
    SHARD_ENOSPC = -9,        /* no space left where it was to be written */
    SHARD_ECORRUPT = -10,     /* stored data contradicts itself */
    SHARD_ECONFLICT = -11,    /* the expected version or state is not the stored one; nothing was written */
    SHARD_EFENCED = -12,      /* a newer epoch holds the run: stop, and load again if wanted */
    SHARD_EHELD = -13,        /* the lease is held by someone else; the detail says by whom and until when */
    SHARD_ESTATE = -14,       /* not possible in this state; the detail names the states */
    SHARD_ELIMIT = -15,       /* larger than the documented limit */
    SHARD_ENOTSUP = -16,      /* this build, port or adapter cannot do it */
    SHARD_EUNPLACEABLE = -17, /* a task needs more than any host has */
    SHARD_EDEPENDENCY = -18,  /* refused: a predecessor is not done */
    SHARD_EGATE = -19,        /* refused: an input is not on a volume that the host mounts */
    SHARD_ECAPACITY = -20,    /* refused: the host has not that much free */
    SHARD_EHOST = -21,        /* refused: the host is quarantined, draining, gone or unknown */
    SHARD_ESTALE = -22,       /* an answer to a question that is not open (any more): second answer, old fence */
    SHARD_EBUSY = -23,        /* try again later */
    SHARD_ECANCELLED = -24    /* it was cancelled */
};

/** The detail of a failure. Plain data: copy it freely. */
struct shard_error {
    size_t struct_size; /* set by the caller to sizeof(struct shard_error) */
    int code;           /* enum shard_code; SHARD_OK when the last call succeeded */
    int system_errno;   /* errno behind it, or 0 */
    int task;           /* shard_task_id that it is about, or -1 */
    char message[1024]; /* one line, UTF-8, lower case, no full stop; cut, never overrun */
};

/**
 * Copies out the detail of the last failed call of this thread.
 *
 * `ret_error->struct_size` must be set. Does not change the detail.
 *
 * Returns the code that is copied, SHARD_OK if the last call succeeded.
 */
SHARD_API int shard_error_copy(struct shard_error *ret_error);

/**
 * Names a code, for logs: "cycle", "out of memory".
 *
 * Returns a static string, "unknown error" for a value that is no code.
 */
SHARD_API const char *shard_code_text(int code);

SHARD_END

#endif
