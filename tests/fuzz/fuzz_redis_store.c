/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Redis server may say. After a first byte that is even, the input is the replies to a load of the run "a",
 * each behind two bytes of its length; after one that is odd, it is a row and then records, as they lie in the server.
 * Whatever comes of it is an error or a whole run, never a crash.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <shard/shard.h>

#include "adapter/redis/redis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_TURNS = 200 };

static char directory[64];
static char path[96], url[128];
static shard_context *context;
static shard_sink *sink;
static int listen_fd = -1;
static int64_t now_ns = 1;

static int64_t clock_of(void *self, enum shard_clock_kind kind)
{
    (void)self;
    (void)kind;
    return now_ns;
}

static void end(void)
{
    close(listen_fd);
    unlink(path);
    rmdir(directory);
    shard_sink_free(sink);
    shard_context_free(context);
}

static void start(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct shard_context_config config = {.struct_size = sizeof(config), .clock = clock_of};
    snprintf(directory, sizeof(directory), "/tmp/shard-fuzz-XXXXXX");
    if (mkdtemp(directory) == NULL || shard_context_new(&config, &context) < 0 || shard_sink_new(context, &sink) < 0)
        abort();
    snprintf(path, sizeof(path), "%s/socket", directory);
    snprintf(url, sizeof(url), "redis+unix://%s", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listen_fd < 0 || bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listen_fd, 8) < 0)
        abort();
    atexit(end);
}

static void send_all(int fd, const void *bytes, size_t size)
{
    if (send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return;
}

/* What the server still has to say. */
struct script {
    const uint8_t *at;
    size_t left;
};

/* Says the next reply. */
static void say(struct script *script, int fd)
{
    if (script->left < 2)
        return;
    size_t size = (size_t)(script->at[0] | script->at[1] << 8);
    if (size > script->left - 2)
        size = script->left - 2;
    send_all(fd, script->at + 2, size);
    script->at += size + 2;
    script->left -= size + 2;
}

/* One turn of the server: greets the first connection, answers it with the input, and lets no other in. */
static int serve(int fd, int *is_greeted, struct script *script)
{
    static const char greeting[] = "*0\r\n*0\r\n+OK\r\n";
    char asked[65536] = "";
    int other = accept(listen_fd, NULL, NULL);
    if (!*is_greeted && other >= 0) {
        send_all(other, greeting, sizeof(greeting) - 1);
        *is_greeted = 1;
        return other;
    }
    if (other >= 0)
        close(other);
    if (fd < 0 || recv(fd, asked, sizeof(asked), MSG_DONTWAIT) <= 0)
        return fd;
    /* The script is loaded in the same breath as it is called. */
    if (memmem(asked, sizeof(asked), "SCRIPT", 6) != NULL)
        send_all(fd, "+OK\r\n", 5);
    say(script, fd);
    return fd;
}

static void load(const uint8_t *data, size_t size)
{
    struct shard_store_handle store;
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .url = url, .timeout_ms = 100};
    struct shard_answer answer = {.struct_size = sizeof(answer)};
    struct script script = {data, size};
    int fd = -1, is_greeted = 0;
    if (shard_redis_store_open(context, &config, &store) < 0)
        return;
    if (store.port->load(store.self, sink, 1, "a", SHARD_LOAD_RECORDS) < 0)
        abort();
    for (int i = 0; i < MOST_TURNS && shard_sink_wait(sink, 0, &answer) == 0; i++) {
        store.port->step(store.self);
        fd = serve(fd, &is_greeted, &script);
        now_ns += 1000000;
    }
    if (fd >= 0)
        close(fd);
    for (int i = 0; i < 3; i++)
        store.port->step(store.self);
    store.port->close(store.self);
    if (answer.image != NULL)
        answer.image->release(answer.image);
    if (answer.token == 0)
        abort(); /* nobody was answered */
}

static void unpack(const char *bytes, size_t size)
{
    struct shard_task_row row = {.task = 0};
    struct shard__redis_unpack unpack;
    struct shard_record record;
    size_t of_row = size < SHARD__REDIS_ROW ? size : SHARD__REDIS_ROW;
    (void)shard__redis_unpack_row(bytes, of_row, &row);
    if (shard__redis_unpack_begin(&unpack, "a", bytes + of_row, size - of_row) < 0)
        return;
    int64_t sum = 0;
    while (shard__redis_unpack_record(&unpack, &record) == 1)
        for (int32_t i = 0; i < record.detail_bytes; i++)
            sum += record.detail[i];
    if (sum == INT64_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (context == NULL)
        start();
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        load(data + 1, size - 1);
    else
        unpack((const char *)data + 1, size - 1);
    return 0;
}
