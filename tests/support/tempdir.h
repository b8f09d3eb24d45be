/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_TEMPDIR_H
#define TEST_TEMPDIR_H

/* A private directory for a test's files. */

/** Makes a directory; in memory where the machine offers that, since nothing there waits for a disk. */
void tempdir_make(char path[128]);

/** Removes a directory with the files in it (no directories). */
void tempdir_remove(const char *path);

#endif
