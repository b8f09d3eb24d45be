/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs a libcheck suite the way the environment asks for: CK_VERBOSITY, CK_TAP_LOG_FILE_NAME and CK_RUN_CASE work, and
 * `meson test` uses the first two to count single tests.
 */

#include "suite.h"

#include <stdlib.h>

int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
