/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a store for a command, and closes it.
 */
#include "store_reader.h"

#include <stdlib.h>

#include "cli.h"

int store_reader_open(struct store_reader *reader, const char *text, const struct keep *keep)
{
    char *problem = NULL;
    *reader = (struct store_reader){0};
    if (place_parse(text, &reader->place, &problem) < 0) {
        int code = cli_error(CLI_USAGE, "%s", problem);
        free(problem);
        return code;
    }
    if (reader->place.store == NULL)
        return cli_error(CLI_USAGE, "a store in memory keeps nothing; name a file or a server");
    if (shard_context_new(NULL, &reader->context) < 0)
        return cli_library_error("");
    if (keep != NULL)
        reader->place.keep = *keep;
    return place_open_store(&reader->place, reader->context, keep == NULL, &reader->store);
}

void store_reader_close(struct store_reader *reader)
{
    store_close(&reader->store);
    shard_context_free(reader->context);
    place_clear(&reader->place);
    *reader = (struct store_reader){0};
}

static int take_name(void *self, const struct shard_run_summary *run)
{
    strings_take(self, need_copy(run->name));
    return 0;
}

int store_reader_runs(const struct store_reader *reader, struct strings *ret_names)
{
    if (reader->store.port->list(reader->store.self, take_name, ret_names) < 0)
        return cli_library_error("the runs cannot be listed");
    return CLI_DONE;
}
