/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damaged store files. The input is a list of changes to a good file: three bytes of place, one of value. The place
 * counts from the start of the file, and around its end. Whatever comes of it is an error or a whole run, never a
 * crash.
 */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shard/shard.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[64];
static char path[96];
static shard_context *context;
static shard_sink *sink;
static uint8_t *good;
static size_t good_size;

static void remove_files(void)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-lease", "-journal"};
    for (int i = 0; i < 5; i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s%s", path, tails[i]);
        unlink(name);
    }
}

static void remove_directory(void)
{
    remove_files();
    rmdir(directory);
    free(good);
    shard_sink_free(sink);
    shard_context_free(context);
}

static int answer_of(int returned)
{
    struct shard_answer answer = {.struct_size = sizeof(answer)};
    if (returned < 0)
        return returned;
    if (shard_sink_wait(sink, -1, &answer) != 1)
        abort();
    if (answer.image != NULL)
        answer.image->release(answer.image);
    return answer.status;
}

static int open_store(struct shard_store_handle *ret_store, int read_only)
{
    struct shard_sqlite_store_config config = {
        .struct_size = sizeof(config), .path = path, .read_only = read_only, .busy_timeout_ms = 1};
    return shard_sqlite_store_open(context, &config, ret_store);
}

static int commit_something(const struct shard_store_handle *store, int64_t epoch)
{
    struct shard_record records[3];
    for (int i = 0; i < 3; i++)
        records[i] = (struct shard_record){.seq = i + 1, .task = i, .host = -1, .to = 2, .p_fail = NAN, .parent = -1};
    records[1].type = SHARD_RECORD_HOST;
    records[1].host = 0;
    records[1].detail = "host";
    records[1].detail_bytes = 4;
    struct shard_commit commit = {.struct_size = sizeof(commit),
                                  .run = "a",
                                  .epoch = epoch,
                                  .operation = 1,
                                  .records = records,
                                  .record_count = 3};
    return answer_of(store->port->commit(store->self, sink, 1, &commit));
}

static void make_good_file(void)
{
    struct shard_store_handle store;
    shard_builder *builder = NULL;
    shard_workflow *workflow = NULL;
    struct shard_task_spec spec = {.struct_size = sizeof(spec)};
    if (shard_builder_new(context, "flow", &builder) < 0 || shard_builder_add_task(builder, &spec) < 0 ||
        shard_builder_seal(builder, &workflow) < 0 || open_store(&store, 0) < 0)
        abort();
    shard_builder_free(builder);
    struct shard_store_create create = {.struct_size = sizeof(create), .run = "a", .workflow = workflow};
    if (answer_of(store.port->create(store.self, sink, 1, &create)) < 0 ||
        answer_of(store.port->acquire(store.self, sink, 1, "a", "me", 1000)) < 0 || commit_something(&store, 1) < 0)
        abort();
    store.port->close(store.self);
    shard_workflow_unref(workflow);
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        abort();
    good_size = (size_t)ftell(file);
    good = malloc(good_size);
    rewind(file);
    if (good == NULL || fread(good, 1, good_size, file) != good_size)
        abort();
    fclose(file);
}

static void start(void)
{
    snprintf(directory, sizeof(directory), "%s/shard-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(directory) == NULL)
        abort();
    snprintf(path, sizeof(path), "%s/store.db", directory);
    if (shard_context_new(NULL, &context) < 0 || shard_sink_new(context, &sink) < 0)
        abort();
    atexit(remove_directory);
    make_good_file();
}

static void write_changed(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(good_size);
    if (bytes == NULL)
        abort();
    memcpy(bytes, good, good_size);
    for (size_t i = 0; i + 4 <= size; i += 4)
        bytes[((size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2]) % good_size] = data[i + 3];
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, good_size, file) != good_size || fclose(file) != 0)
        abort();
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shard_store_handle store;
    if (good == NULL)
        start();
    remove_files();
    write_changed(data, size);
    if (open_store(&store, (int)(size & 1)) < 0)
        return 0;
    answer_of(store.port->load(store.self, sink, 1, "a", SHARD_LOAD_RECORDS));
    if (answer_of(store.port->acquire(store.self, sink, 1, "a", "me", 1000)) == 0)
        commit_something(&store, 2);
    store.port->close(store.self);
    return 0;
}
