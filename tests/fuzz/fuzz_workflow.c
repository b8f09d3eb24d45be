/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workflow text of all formats. What is read is written, read again and written again: twice the same text. What is
 * refused has a message.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <shard/shard.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void write_and_read_again(shard_context *context, const shard_workflow *workflow)
{
    char *text = NULL, *again = NULL;
    size_t bytes = 0, bytes_again = 0;
    shard_workflow *copy = NULL;
    check(shard_workflow_to_json(workflow, &text, &bytes) == 0);
    check(shard_workflow_parse(context, text, bytes, NULL, SHARD_FORMAT_AUTO, NULL, &copy) == 0);
    check(shard_workflow_to_json(copy, &again, &bytes_again) == 0);
    check(bytes == bytes_again && memcmp(text, again, bytes) == 0);
    shard_free(context, text);
    shard_free(context, again);
    shard_workflow_unref(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    shard_context *context = NULL;
    shard_workflow *workflow = NULL;
    struct shard_parse_report report = {.struct_size = sizeof(report)};
    check(shard_context_new(NULL, &context) == 0);
    int status =
        shard_workflow_parse(context, (const char *)data, size, "input", SHARD_FORMAT_AUTO, &report, &workflow);
    if (status == 0) {
        write_and_read_again(context, workflow);
    } else {
        struct shard_error error = {.struct_size = sizeof(error)};
        check(shard_error_copy(&error) == status && error.message[0] != '\0');
    }
    shard_workflow_unref(workflow);
    shard_context_free(context);
    return 0;
}
