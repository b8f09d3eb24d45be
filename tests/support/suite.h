/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SUITE_H
#define TEST_SUITE_H

/*
 * What every test program's main does with its libcheck suite. Nothing that knows libshard belongs here.
 */

#include <check.h>

/** Runs the suite, frees it, and returns the exit code for main: 0 when every test passed. */
int suite_run(Suite *suite);

#endif
