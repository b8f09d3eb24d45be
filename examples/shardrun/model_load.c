/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a model file. */
#include <stdlib.h>

#include "cli.h"
#include "files.h"
#include "model_load.h"

int model_load(shard_context *context, const char *path, shard_model **ret_model)
{
    char *bytes = NULL;
    char *problem = NULL;
    size_t length = 0;
    if (file_read(path, &bytes, &length, &problem) < 0) {
        cli_error(CLI_USAGE, "%s", problem);
        free(problem);
        return CLI_USAGE;
    }
    int code = shard_model_from_bytes(context, bytes, length, path, ret_model) < 0 ? cli_library_error("") : CLI_DONE;
    free(bytes);
    return code;
}
