/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, built argument by argument in the server's protocol. A failure of memory sticks in the body. */

#include "redis.h"

#include <stdio.h>
#include <string.h>

void shard__redis_command_init(struct shard__redis_command *command, const shard_context *context)
{
    shard__bytes_init(&command->body, context);
    command->argc = 0;
    command->script = -1;
}

void shard__redis_command_clear(struct shard__redis_command *command)
{
    const shard_context *context = command->body.context;
    shard__bytes_free(&command->body);
    shard__redis_command_init(command, context);
}

static void begin_arg(struct shard__redis_command *command, size_t size)
{
    char head[32];
    int length = snprintf(head, sizeof(head), "$%zu\r\n", size);
    shard__bytes_append(&command->body, head, (size_t)length);
    command->argc++;
}

void shard__redis_arg(struct shard__redis_command *command, const void *bytes, size_t size)
{
    begin_arg(command, size);
    shard__bytes_append(&command->body, bytes, size);
    shard__bytes_append(&command->body, "\r\n", 2);
}

void shard__redis_text(struct shard__redis_command *command, const char *text)
{
    shard__redis_arg(command, text, strlen(text));
}

void shard__redis_number(struct shard__redis_command *command, int64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    shard__redis_text(command, text);
}

void shard__redis_key(const struct shard__redis_store *store, struct shard__redis_command *command, const char *run,
                      const char *suffix)
{
    begin_arg(command, strlen(store->prefix) + strlen(run) + strlen(suffix) + 4);
    shard__bytes_text(&command->body, "{");
    shard__bytes_text(&command->body, store->prefix);
    shard__bytes_text(&command->body, ":");
    shard__bytes_text(&command->body, run);
    shard__bytes_text(&command->body, "}:");
    shard__bytes_text(&command->body, suffix);
    shard__bytes_text(&command->body, "\r\n");
}

void shard__redis_script(const struct shard__redis_store *store, struct shard__redis_command *command,
                         enum shard__redis_script_id script, const char *run)
{
    static const char *const suffixes[] = {"run", "tasks", "operations", "records", "hosts", "workflow"};
    shard__redis_command_clear(command);
    command->script = (int32_t)script;
    shard__redis_text(command, "EVALSHA");
    shard__redis_text(command, shard__redis_scripts[script].sha1);
    shard__redis_text(command, "6");
    for (int i = 0; i < 6; i++)
        shard__redis_key(store, command, run, suffixes[i]);
}
