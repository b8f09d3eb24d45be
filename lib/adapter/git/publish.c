/* SPDX-License-Identifier: Apache-2.0 */
/* A whole workflow as one commit. Its objects are made in memory and written as one pack. */

#include <git2/sys/mempack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#include "git.h"

enum { BUCKETS = 256, MEMPACK_PRIORITY = 999 };

struct entry {
    char path[SHARD_CATALOG_PATH];
    git_oid id;
};

struct publishing {
    shard_catalog *catalog;
    git_repository *repository; /* a handle that writes to memory */
    git_packbuilder *pack;      /* what was made */
    struct entry *entries;      /* of tasks */
    size_t count;
    size_t capacity;
    struct shard__bytes data[BUCKETS];
    struct shard__bytes scratch;
};

static int fail(const struct publishing *publishing, int git_code)
{
    return shard__git_fail(publishing->catalog, git_code, "cannot publish");
}

/* Makes a blob of a text. */
static int put_blob(struct publishing *publishing, const struct shard__bytes *text, git_oid *ret_id)
{
    if (text->status < 0)
        return text->status;
    if (text->size > SHARD_MAX_CATALOG_FILE_BYTES)
        return shard__fail(SHARD_ELIMIT, "catalog '%s': a file of %zu bytes, expected at most %d: %.80s",
                           publishing->catalog->path, text->size, SHARD_MAX_CATALOG_FILE_BYTES, text->data);
    int code = git_blob_create_from_buffer(ret_id, publishing->repository, text->data, text->size);
    if (code == 0)
        code = git_packbuilder_insert(publishing->pack, ret_id, NULL);
    return code < 0 ? fail(publishing, code) : 0;
}

/* Writes a tree and frees its builder. */
static int put_tree(struct publishing *publishing, git_treebuilder *builder, git_oid *ret_id)
{
    int code = git_treebuilder_write(ret_id, builder);
    if (code == 0)
        code = git_packbuilder_insert(publishing->pack, ret_id, NULL);
    git_treebuilder_free(builder);
    return code < 0 ? fail(publishing, code) : 0;
}

/* Writes what was built well, if there is anything: 0; 1: nothing, and no tree is made. The builder is gone. */
static int end_tree(struct publishing *publishing, git_treebuilder *builder, int status, git_oid *ret_id)
{
    if (status == 0 && git_treebuilder_entrycount(builder) == 0)
        status = 1;
    if (status == 0)
        return put_tree(publishing, builder, ret_id);
    git_treebuilder_free(builder);
    return status;
}

static int add_task(struct publishing *publishing, const char *name, const char *line, size_t bytes)
{
    if (shard__grow(publishing->catalog->context, &publishing->entries, &publishing->capacity, publishing->count + 1,
                    sizeof(*publishing->entries)) < 0)
        return SHARD_ENOMEM;
    struct entry *entry = &publishing->entries[publishing->count++];
    shard__git_task_path(name, "json", entry->path);
    publishing->scratch.size = 0;
    int status = shard__git_put_task(&publishing->scratch, line, bytes);
    return status < 0 ? status : put_blob(publishing, &publishing->scratch, &entry->id);
}

static int add_data(struct publishing *publishing, const char *name, const char *line, size_t bytes)
{
    char path[SHARD_CATALOG_PATH];
    shard__git_data_path(name, path);
    struct shard__bytes *bucket = &publishing->data[strtoul(path + strlen("data/"), NULL, 16) % BUCKETS];
    shard__bytes_text(bucket, bucket->size == 0 ? "[\n" : ",\n");
    shard__bytes_append(bucket, line, shard__git_value_bytes(line, bytes));
    return bucket->status;
}

/* The native text has a task or a piece of data on each line. */
static int add_lines(struct publishing *publishing, const shard_workflow *workflow, const char *text, size_t bytes)
{
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    int status = shard_workflow_describe(workflow, &info);
    const char *end = text + bytes;
    int32_t task = 0, data = 0;
    for (const char *line = text, *next; status == 0 && line < end; line = next) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        next = newline == NULL ? end : newline + 1;
        if (line == text || line[0] != '{')
            continue;
        if (task < info.task_count) {
            struct shard_task_info of_task = {.struct_size = sizeof(of_task)};
            status = shard_workflow_task(workflow, task++, &of_task);
            status = status < 0 ? status : add_task(publishing, of_task.name, line, (size_t)(next - line));
        } else {
            struct shard_data_info of_data = {.struct_size = sizeof(of_data)};
            status = shard_workflow_data(workflow, data++, &of_data);
            status = status < 0 ? status : add_data(publishing, of_data.name, line, (size_t)(next - line));
        }
    }
    return status;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

/* A builder with what the old tree had that a workflow does not replace: the logs. */
static int begin_leaf(struct publishing *publishing, const git_tree *old, git_treebuilder **ret_builder)
{
    int code = git_treebuilder_new(ret_builder, publishing->repository, NULL);
    for (size_t i = 0; code == 0 && old != NULL && i < git_tree_entrycount(old); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(old, i);
        const char *name = git_tree_entry_name(entry);
        size_t length = strlen(name);
        if (git_tree_entry_filemode(entry) == GIT_FILEMODE_BLOB && length > 4 && strcmp(name + length - 4, ".log") == 0)
            code = git_treebuilder_insert(NULL, *ret_builder, name, git_tree_entry_id(entry), GIT_FILEMODE_BLOB);
    }
    return code < 0 ? fail(publishing, code) : 0;
}

static int old_child(struct publishing *publishing, const git_tree *old, const char *name, git_tree **ret_child)
{
    const git_tree_entry *entry = old == NULL ? NULL : git_tree_entry_byname(old, name);
    *ret_child = NULL;
    if (entry == NULL || git_tree_entry_filemode(entry) != GIT_FILEMODE_TREE)
        return 0;
    int code = git_tree_lookup(ret_child, publishing->repository, git_tree_entry_id(entry));
    return code < 0 ? fail(publishing, code) : 0;
}

static int build_tasks(struct publishing *publishing, struct entry *first, const struct entry *end, size_t prefix,
                       const git_tree *old, git_oid *ret_id);

/* The directories below one of `tasks`, by the digit at `prefix` of the path. */
static int build_digits(struct publishing *publishing, struct entry *entry, const struct entry *end, size_t prefix,
                        const git_tree *old, git_treebuilder *builder)
{
    for (const char *digit = "0123456789abcdef"; *digit != '\0'; digit++) {
        const char name[2] = {*digit, '\0'};
        struct entry *first = entry;
        git_tree *child = NULL;
        git_oid id;
        while (entry < end && entry->path[prefix] == *digit)
            entry++;
        int status = old_child(publishing, old, name, &child);
        if (status < 0)
            return status;
        status = entry == first && child == NULL ? 1 : build_tasks(publishing, first, entry, prefix + 2, child, &id);
        git_tree_free(child);
        if (status < 0)
            return status;
        int code = status == 1 ? 0 : git_treebuilder_insert(NULL, builder, name, &id, GIT_FILEMODE_TREE);
        if (code < 0)
            return fail(publishing, code);
    }
    return 0;
}

/* Builds the directory of tasks whose paths are the same up to `prefix`. 0, or 1 when it would be empty. */
static int build_tasks(struct publishing *publishing, struct entry *first, const struct entry *end, size_t prefix,
                       const git_tree *old, git_oid *ret_id)
{
    static const size_t leaf = sizeof("tasks/a/b/c/") - 1;
    git_treebuilder *builder = NULL;
    int status = 0;
    if (prefix == leaf) {
        status = begin_leaf(publishing, old, &builder);
        for (const struct entry *entry = first; status == 0 && entry < end; entry++) {
            int code = git_treebuilder_insert(NULL, builder, entry->path + leaf, &entry->id, GIT_FILEMODE_BLOB);
            status = code < 0 ? fail(publishing, code) : 0;
        }
    } else {
        int code = git_treebuilder_new(&builder, publishing->repository, NULL);
        status = code < 0 ? fail(publishing, code) : build_digits(publishing, first, end, prefix, old, builder);
    }
    return end_tree(publishing, builder, status, ret_id);
}

static int build_data(struct publishing *publishing, git_oid *ret_id)
{
    git_treebuilder *builder = NULL;
    int code = git_treebuilder_new(&builder, publishing->repository, NULL);
    int status = code < 0 ? fail(publishing, code) : 0;
    for (int i = 0; status == 0 && i < BUCKETS; i++) {
        char name[16];
        git_oid id;
        if (publishing->data[i].size == 0)
            continue;
        snprintf(name, sizeof(name), "%02x.json", (unsigned)i);
        shard__bytes_text(&publishing->data[i], "\n]\n");
        status = put_blob(publishing, &publishing->data[i], &id);
        code = status < 0 ? 0 : git_treebuilder_insert(NULL, builder, name, &id, GIT_FILEMODE_BLOB);
        if (code < 0)
            status = fail(publishing, code);
    }
    return end_tree(publishing, builder, status, ret_id);
}

/* What is not of the tasks: format, version, name and whether edges are whole. */
static int put_head(struct publishing *publishing, const char *text, size_t bytes, git_oid *ret_id)
{
    static const struct shard__git_member no_tasks = {"tasks", 5, "[]", 2};
    struct shard__git_member members[SHARD__MEMBERS];
    int count = shard__git_members(text, bytes, members);
    int kept = 0;
    for (int i = 0; i < count; i++) {
        if (members[i].value[0] != '[')
            members[kept++] = members[i];
    }
    members[kept++] = no_tasks;
    publishing->scratch.size = 0;
    shard__git_put_members(&publishing->scratch, members, kept);
    return put_blob(publishing, &publishing->scratch, ret_id);
}

/* Sets or, with status 1, removes an entry of the root. */
static int set_root(struct publishing *publishing, git_treebuilder *root, int status, const char *name,
                    const git_oid *id, git_filemode_t mode)
{
    int code = 0;
    if (status < 0)
        return status;
    if (status == 0)
        code = git_treebuilder_insert(NULL, root, name, id, mode);
    else if (git_treebuilder_get(root, name) != NULL)
        code = git_treebuilder_remove(root, name);
    return code < 0 ? fail(publishing, code) : 0;
}

static int build_root(struct publishing *publishing, const git_tree *old, const char *text, size_t bytes,
                      git_oid *ret_id)
{
    git_treebuilder *root = NULL;
    git_tree *old_tasks = NULL;
    git_oid id;
    int code = git_treebuilder_new(&root, publishing->repository, old);
    int status = code < 0 ? fail(publishing, code) : old_child(publishing, old, "tasks", &old_tasks);
    if (status == 0) {
        status = put_head(publishing, text, bytes, &id);
        status = set_root(publishing, root, status, "workflow.json", &id, GIT_FILEMODE_BLOB);
    }
    if (status == 0) {
        qsort(publishing->entries, publishing->count, sizeof(*publishing->entries), compare_entries);
        status = build_tasks(publishing, publishing->entries, publishing->entries + publishing->count,
                             sizeof("tasks/") - 1, old_tasks, &id);
        status = set_root(publishing, root, status, "tasks", &id, GIT_FILEMODE_TREE);
    }
    if (status == 0) {
        status = build_data(publishing, &id);
        status = set_root(publishing, root, status, "data", &id, GIT_FILEMODE_TREE);
    }
    git_tree_free(old_tasks);
    if (status == 0)
        return put_tree(publishing, root, ret_id);
    git_treebuilder_free(root);
    return status;
}

static int begin(struct publishing *publishing)
{
    git_odb *odb = NULL;
    git_odb_backend *memory = NULL;
    int code = git_repository_open_bare(&publishing->repository, publishing->catalog->path);
    if (code == 0)
        code = git_repository_odb(&odb, publishing->repository);
    if (code == 0)
        code = git_mempack_new(&memory);
    if (code == 0)
        code = git_odb_add_backend(odb, memory, MEMPACK_PRIORITY);
    if (code == 0)
        code = git_packbuilder_new(&publishing->pack, publishing->repository);
    git_odb_free(odb);
    return code < 0 ? fail(publishing, code) : 0;
}

static void end(struct publishing *publishing)
{
    for (int i = 0; i < BUCKETS; i++)
        shard__bytes_free(&publishing->data[i]);
    shard__bytes_free(&publishing->scratch);
    shard__release(publishing->catalog->context, publishing->entries,
                   publishing->capacity * sizeof(*publishing->entries));
    git_packbuilder_free(publishing->pack);
    git_repository_free(publishing->repository);
}

/* Builds the new tree in memory and, when it is not the old one, writes its objects. 1: it is the old one. */
static int write_tree(struct publishing *publishing, const shard_workflow *workflow, git_commit *tip, git_oid *ret_id)
{
    char *text = NULL;
    size_t bytes = 0;
    git_tree *old = NULL;
    int status = shard_workflow_to_json(workflow, &text, &bytes);
    if (status == 0)
        status = begin(publishing);
    if (status == 0)
        status = add_lines(publishing, workflow, text, bytes);
    int code = status == 0 && tip != NULL ? git_tree_lookup(&old, publishing->repository, git_commit_tree_id(tip)) : 0;
    if (code < 0)
        status = fail(publishing, code);
    if (status == 0)
        status = build_root(publishing, old, text, bytes, ret_id);
    if (status == 0 && tip != NULL && git_oid_equal(ret_id, git_commit_tree_id(tip)))
        status = 1;
    if (status == 0) {
        code = git_packbuilder_write(publishing->pack, NULL, 0, NULL, NULL);
        status = code < 0 ? fail(publishing, code) : 0;
    }
    git_tree_free(old);
    shard_free(publishing->catalog->context, text);
    return status;
}

static int publish(shard_catalog *catalog, const shard_workflow *workflow, const char *message, git_oid *ret_commit)
{
    struct publishing publishing = {.catalog = catalog};
    git_commit *tip = NULL;
    git_oid tree;
    shard__bytes_init(&publishing.scratch, catalog->context);
    for (int i = 0; i < BUCKETS; i++)
        shard__bytes_init(&publishing.data[i], catalog->context);
    int status = shard__git_tip(catalog, catalog->local_ref, &tip);
    if (status == 0)
        status = write_tree(&publishing, workflow, tip, &tree);
    end(&publishing);
    if (status == 1)
        *ret_commit = *git_commit_id(tip);
    if (status == 0)
        status = shard__git_commit(catalog, &tree, &tip, tip == NULL ? 0 : 1, message, ret_commit);
    git_commit_free(tip);
    return status < 0 ? status : 0;
}

int shard_catalog_publish(shard_catalog *catalog, const shard_workflow *workflow, const char *message,
                          char ret_commit[SHARD_COMMIT_TEXT])
{
    shard__clear_error();
    git_oid id;
    pthread_mutex_lock(&catalog->mutex);
    int status = publish(catalog, workflow, message == NULL ? "Publish the workflow\n" : message, &id);
    if (status == 0)
        shard__git_mark_seen(catalog, &id);
    pthread_mutex_unlock(&catalog->mutex);
    if (status == 0)
        shard__git_sync_soon(catalog);
    if (status == 0)
        git_oid_tostr(ret_commit, SHARD_COMMIT_TEXT, &id);
    return status;
}
