/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_FILES_H
#define SHARDRUN_FILES_H

/*
 * Files and directories. Functions that can fail return 0 or a negative errno value and then one line in
 * `*ret_problem` that names the file and what to do, for the caller to free.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a whole file; "-" is standard input. The bytes end with a NUL that is not counted. */
int file_read(const char *path, char **ret_bytes, size_t *ret_length, char **ret_problem);
/* Replaces a file in one step: readers see the old bytes or the new ones, also after a power cut. */
int file_write(const char *path, const char *bytes, size_t length, char **ret_problem);
/* Writes a file that nobody else reads meanwhile and that need not outlive a power cut. */
int file_put(const char *path, const char *bytes, size_t length, char **ret_problem);
/* Makes a directory and the ones above it. */
int directory_make(const char *path, char **ret_problem);
/* Removes a directory with all that is in it, without following symbolic links; what is not there is a success. */
int directory_remove(const char *path, char **ret_problem);
bool directory_is_empty(const char *path); /* also when it is not there */

char *path_join(const char *directory, const char *name);
char *path_absolute(const char *path); /* against the current directory; nothing is resolved */
char *path_directory(const char *path);
bool path_exists(const char *path);

#endif
