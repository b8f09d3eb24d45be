/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_BASE_ERROR_H
#define SHARD_BASE_ERROR_H

/* Errors are made here: one place that keeps the detail of the thread's last failure. */

#include <stddef.h>

#include <shard/error.h>

/* Sets the detail and returns `code`. One line, lower case, no full stop; names what is wrong and what was expected. */
int shard__fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with an errno, whose text is appended to the message. */
int shard__fail_errno(int code, int system_errno, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same about a task. */
int shard__fail_task(int code, int task, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts where it happened in front of the message of the failure just made, whose code it returns. */
int shard__fail_within(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each exported function that can fail begins with this. */
void shard__clear_error(void);

/* The message of the thread's last failure, "" when there was none. */
const char *shard__error_message(void);

/*
 * Structs that grow (shard.h): take copies the caller's struct, as long as it is, into ours; give copies ours out, as
 * long as the caller's is. `what` names the struct in the message. 0 or SHARD_EVERSION / SHARD_EINVAL.
 */
int shard__take_struct(void *ours, size_t our_size, const void *theirs, const char *what);
int shard__give_struct(void *theirs, const void *ours, size_t our_size, const char *what);

#endif
