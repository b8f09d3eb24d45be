/* SPDX-License-Identifier: Apache-2.0 */
/* The table of runs: making, finding and listing them. */

#include "sqlite.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* Far below what SQLite takes as one value, and above what nearly every workflow needs. */
enum { PART_BYTES = 16 << 20 };

static const char *column_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text == NULL ? "" : text;
}

int shard__sqlite_find_run(struct shard__sqlite_store *store, const char *run, struct shard__run_row *ret_row,
                           sqlite3_stmt **ret_statement)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_FIND_RUN, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_text(statement, 1, run, -1, SQLITE_STATIC);
    status = shard__sqlite_row(store, statement, "cannot read a run");
    if (status == 0)
        return shard__fail(SHARD_ENOENT, "no run '%s' in store '%s'", run, store->path);
    if (status < 0)
        return status;
    *ret_row = (struct shard__run_row){.id = sqlite3_column_int64(statement, 0),
                                       .epoch = sqlite3_column_int64(statement, 1),
                                       .last_seq = sqlite3_column_int64(statement, 2),
                                       .created_ns = sqlite3_column_int64(statement, 3),
                                       .lease_ms = sqlite3_column_int64(statement, 4),
                                       .lease_ends_ns = sqlite3_column_int64(statement, 5),
                                       .lease_ends_wall_ns = sqlite3_column_int64(statement, 6),
                                       .owner = column_text(statement, 7),
                                       .boot_id = column_text(statement, 8),
                                       .state = sqlite3_column_int(statement, 9),
                                       .is_held = sqlite3_column_int(statement, 10),
                                       .is_locked = sqlite3_column_int(statement, 11),
                                       .dropped_seq = sqlite3_column_int64(statement, 12)};
    *ret_statement = statement;
    return 0;
}

/* Where a part ends: after the last line that fits, else in front of a character. */
static size_t part_end(const char *text, size_t bytes)
{
    if (bytes <= PART_BYTES)
        return bytes;
    for (size_t end = PART_BYTES; end > PART_BYTES / 2; end--)
        if (text[end - 1] == '\n')
            return end;
    size_t end = PART_BYTES;
    while (((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    return end;
}

static int write_workflow(struct shard__sqlite_store *store, int64_t run, const char *text, size_t bytes)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_ADD_WORKFLOW, &statement);
    for (int part = 0; status == 0 && bytes > 0; part++) {
        size_t end = part_end(text, bytes);
        sqlite3_bind_int64(statement, 1, run);
        sqlite3_bind_int(statement, 2, part);
        sqlite3_bind_text64(statement, 3, text, end, SQLITE_STATIC, SQLITE_UTF8);
        status = shard__sqlite_run(store, statement, "cannot write a workflow");
        text += end;
        bytes -= end;
    }
    return status;
}

static int write_run(struct shard__sqlite_store *store, const struct shard__job *job)
{
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    sqlite3_stmt *statement;
    int status = shard_workflow_describe(job->workflow, &info);
    if (status == 0)
        status = shard__sqlite_statement(store, SHARD__SQL_ADD_RUN, &statement);
    if (status < 0)
        return status;
    sqlite3_bind_text(statement, 1, job->run, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, info.name, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 3, info.task_count);
    sqlite3_bind_int64(statement, 4, job->time_ns);
    status = shard__sqlite_run(store, statement, "cannot write a run");
    if (status == 0 && sqlite3_changes(store->db) == 0)
        status = shard__fail(SHARD_EEXIST, "run '%s' is in store '%s' already", job->run, store->path);
    return status;
}

int shard__sqlite_create(struct shard__sqlite_store *store, struct shard__job *job)
{
    char *text = NULL;
    size_t bytes = 0;
    int status = shard_workflow_to_json(job->workflow, &text, &bytes);
    if (status == 0)
        status = shard__sqlite_simple(store, SHARD__SQL_BEGIN_WRITE, "cannot begin to write");
    if (status == 0)
        status = write_run(store, job);
    if (status == 0)
        status = write_workflow(store, sqlite3_last_insert_rowid(store->db), text, bytes);
    if (status == 0)
        status = shard__sqlite_simple(store, SHARD__SQL_COMMIT, "cannot commit");
    shard__sqlite_rollback(store);
    shard_free(store->context, text);
    return status;
}

/* A summary with its own copies of the names. */
struct listed {
    struct shard_run_summary summary;
    char *names[3];
};

struct list {
    struct listed *items;
    size_t count;
    size_t capacity;
};

static void free_list(const shard_context *context, struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        for (int name = 0; name < 3; name++)
            shard__strfree(context, list->items[i].names[name]);
    shard__release(context, list->items, list->capacity * sizeof(*list->items));
}

static int add_listed(const shard_context *context, struct list *list, sqlite3_stmt *statement)
{
    if (shard__grow(context, &list->items, &list->capacity, list->count + 1, sizeof(*list->items)) < 0)
        return SHARD_ENOMEM;
    struct listed *item = &list->items[list->count++];
    memset(item, 0, sizeof(*item));
    for (int name = 0; name < 3; name++) {
        item->names[name] = shard__strdup(context, column_text(statement, name));
        if (item->names[name] == NULL)
            return SHARD_ENOMEM;
    }
    item->summary = (struct shard_run_summary){.struct_size = sizeof(item->summary),
                                               .name = item->names[0],
                                               .workflow_name = item->names[1],
                                               .owner = item->names[2],
                                               .state = (enum shard_run_state)sqlite3_column_int(statement, 3),
                                               .created_ns = sqlite3_column_int64(statement, 4),
                                               .updated_ns = sqlite3_column_int64(statement, 5),
                                               .epoch = sqlite3_column_int64(statement, 6),
                                               .task_count = sqlite3_column_int(statement, 7)};
    return 0;
}

static int read_list(struct shard__sqlite_store *store, struct list *list)
{
    sqlite3_stmt *statement;
    int status = shard__sqlite_statement(store, SHARD__SQL_LIST_RUNS, &statement);
    if (status < 0)
        return status;
    while ((status = shard__sqlite_row(store, statement, "cannot list the runs")) == 1) {
        if (add_listed(store->context, list, statement) < 0) {
            shard__sqlite_done(statement);
            return SHARD_ENOMEM;
        }
    }
    return status;
}

int shard__sqlite_list(void *self, int (*each)(void *each_self, const struct shard_run_summary *run), void *each_self)
{
    struct shard__sqlite_store *store = self;
    struct list list = {0};
    shard__clear_error();
    /* Read whole first: `each` may do with the store what it likes. */
    pthread_mutex_lock(&store->db_mutex);
    int status = read_list(store, &list);
    pthread_mutex_unlock(&store->db_mutex);
    for (size_t i = 0; status == 0 && i < list.count; i++)
        if (each(each_self, &list.items[i].summary) != 0)
            break;
    free_list(store->context, &list);
    return status;
}
