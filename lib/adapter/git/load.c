/* SPDX-License-Identifier: Apache-2.0 */
/* A workflow from the files of a revision. Each file is read alone first, so that what is wrong has a name and the rest
   stays of use; then the texts are put together and read as one. */

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"

#include "load.h"

static int has_suffix(const char *path, const char *suffix)
{
    size_t length = strlen(path), wanted = strlen(suffix);
    return length > wanted && strcmp(path + length - wanted, suffix) == 0;
}

/* Keeps the failure just made as a problem of a file. 0, or the failure itself when it is none of the file's. */
static int note_problem(struct shard__git_loading *loading, int status)
{
    if (status == SHARD_ENOMEM || status == SHARD_EIO)
        return status;
    if (loading->first_problem == 0)
        loading->first_problem = status;
    loading->bad++;
    shard__bytes_text(&loading->problems, shard__error_message());
    shard__bytes_text(&loading->problems, "\n");
    return loading->problems.status;
}

/* Reads what a text says as a task, of the file's path. */
static int check_task(struct shard__git_loading *loading, const struct shard__git_file *file, const char *text,
                      size_t bytes, shard_workflow **ret_workflow)
{
    char path[SHARD_CATALOG_PATH];
    struct shard_task_info info = {.struct_size = sizeof(info)};
    shard_workflow *workflow = NULL;
    int status = shard_workflow_parse_task(loading->catalog->context, text, bytes, file->path, NULL, &workflow);
    if (status < 0)
        return status;
    status = shard_workflow_task(workflow, 0, &info);
    if (status == 0) {
        shard__git_task_path(info.name, "json", path);
        if (strcmp(path, file->path) != 0)
            status = shard__fail(SHARD_EINVAL, "%s: /name: is task '%.100s', whose file is '%s'", file->path, info.name,
                                 path);
    }
    if (status < 0)
        shard_workflow_unref(workflow);
    else
        *ret_workflow = workflow;
    return status;
}

static int put_text(struct shard__git_loading *loading, const void *text, size_t bytes, size_t *ret_at)
{
    *ret_at = loading->texts.size;
    shard__bytes_append(&loading->texts, text, bytes);
    shard__bytes_append(&loading->texts, "", 1);
    return loading->texts.status;
}

/* Keeps a task, and the names of those that it comes after. */
static int keep_task(struct shard__git_loading *loading, const struct shard__git_file *file, const char *text,
                     size_t bytes, const shard_workflow *workflow)
{
    struct shard_task_info info = {.struct_size = sizeof(info)};
    struct shard__git_loaded loaded = {.text_bytes = bytes};
    int status = shard_workflow_task(workflow, 0, &info);
    if (status == 0)
        status = shard__grow(loading->catalog->context, &loading->tasks, &loading->task_capacity,
                             (size_t)loading->task_count + 1, sizeof(*loading->tasks));
    if (status == 0)
        status = put_text(loading, info.name, strlen(info.name), &loaded.name);
    if (status == 0)
        status = put_text(loading, file->path, strlen(file->path), &loaded.path);
    if (status == 0)
        status = put_text(loading, text, bytes, &loaded.text);
    for (int32_t i = 1; status == 0 && i <= info.predecessor_count; i++) {
        struct shard__git_after after = {.task = loading->task_count};
        struct shard_task_info before = {.struct_size = sizeof(before)};
        status = shard_workflow_task(workflow, i, &before);
        if (status == 0)
            status = put_text(loading, before.name, strlen(before.name), &after.name);
        if (status == 0)
            status = shard__grow(loading->catalog->context, &loading->afters, &loading->after_capacity,
                                 loading->after_count + 1, sizeof(*loading->afters));
        if (status == 0)
            loading->afters[loading->after_count++] = after;
    }
    if (status == 0)
        loading->tasks[loading->task_count++] = loaded;
    return status;
}

static int read_task(void *self, const struct shard__git_file *file)
{
    struct shard__git_loading *loading = self;
    git_blob *blob = NULL;
    shard_workflow *workflow = NULL;
    if (has_suffix(file->path, ".log"))
        return 0;
    int status = shard__git_read_file(loading->catalog, file, &blob);
    if (status == SHARD_ECORRUPT)
        return status;
    const char *text = blob == NULL ? NULL : git_blob_rawcontent(blob);
    size_t bytes = blob == NULL ? 0 : (size_t)git_blob_rawsize(blob);
    if (status == 0)
        status = check_task(loading, file, text, bytes, &workflow);
    if (status == 0)
        status = keep_task(loading, file, text, bytes, workflow);
    else
        status = note_problem(loading, status);
    shard_workflow_unref(workflow);
    git_blob_free(blob);
    return status;
}

/* Reads a text as a workflow of its own, with something in front and behind. */
static int check_part(struct shard__git_loading *loading, const struct shard__git_file *file, const char *before,
                      const git_blob *blob, const char *after, shard_workflow **ret_workflow)
{
    struct shard__bytes text;
    shard__bytes_init(&text, loading->catalog->context);
    shard__bytes_text(&text, before);
    shard__bytes_append(&text, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    shard__bytes_text(&text, after);
    int status = text.status;
    if (status == 0)
        status = shard_workflow_parse(loading->catalog->context, text.data, text.size, file->path, SHARD_FORMAT_NATIVE,
                                      NULL, ret_workflow);
    shard__bytes_free(&text);
    return status;
}

/* The elements of an array that the native reader took, without its brackets. */
static void put_elements(struct shard__bytes *out, const char *text, size_t bytes)
{
    const char *first = memchr(text, '[', bytes);
    const char *last = text + bytes;
    while (last > text && last[-1] != ']')
        last--;
    if (first == NULL || last <= first + 1)
        return;
    shard__bytes_text(out, out->size == 0 ? "" : ",\n");
    shard__bytes_append(out, first + 1, (size_t)(last - first - 2));
}

static int read_data(void *self, const struct shard__git_file *file)
{
    struct shard__git_loading *loading = self;
    shard_workflow *workflow = NULL;
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    git_blob *blob = NULL;
    int status = shard__git_read_file(loading->catalog, file, &blob);
    if (status == SHARD_ECORRUPT)
        return status;
    if (status == 0)
        status = check_part(loading, file,
                            "{\"format\": \"libshard-workflow\", \"version\": 1, \"tasks\": [], \"data\": ", blob, "}",
                            &workflow);
    if (status == 0)
        status = shard_workflow_describe(workflow, &info);
    if (status < 0)
        status = note_problem(loading, status);
    else if (info.data_count > 0)
        put_elements(&loading->data, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    shard_workflow_unref(workflow);
    git_blob_free(blob);
    return status < 0 ? status : loading->data.status;
}

/* The beginning of the whole text: workflow.json up to its tasks, of which it has none. */
static int read_head(struct shard__git_loading *loading, const git_tree *root)
{
    struct shard__git_member members[SHARD__MEMBERS];
    struct shard_workflow_info info = {.struct_size = sizeof(info)};
    struct shard__git_file file;
    git_blob *blob = NULL;
    shard_workflow *workflow = NULL;
    int status = shard__git_find_file(loading->catalog, root, "workflow.json", &file);
    if (status == SHARD_ENOENT)
        return shard__fail(SHARD_ENOENT, "catalog '%s': this revision has no workflow.json: publish a workflow first",
                           loading->catalog->path);
    if (status == 0)
        status = shard__git_read_file(loading->catalog, &file, &blob);
    if (status == 0)
        status = check_part(loading, &file, "", blob, "", &workflow);
    if (status == 0)
        status = shard_workflow_describe(workflow, &info);
    if (status == 0 && (info.task_count > 0 || info.data_count > 0))
        status = shard__fail(SHARD_EINVAL, "workflow.json: has tasks or data, expected them in files of their own");
    int count = status < 0 ? 0 : shard__git_members(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob), members);
    shard__bytes_text(&loading->whole, "{");
    for (int i = 0; i < count; i++) {
        if (members[i].value[0] == '[')
            continue;
        shard__bytes_text(&loading->whole, "\"");
        shard__bytes_append(&loading->whole, members[i].key, members[i].key_bytes);
        shard__bytes_text(&loading->whole, "\": ");
        shard__bytes_append(&loading->whole, members[i].value, members[i].value_bytes);
        shard__bytes_text(&loading->whole, ", ");
    }
    shard_workflow_unref(workflow);
    git_blob_free(blob);
    return status;
}

/* Puts what is left together. The text is long; its pieces have been read, so what is wrong now is between them. */
static int assemble(struct shard__git_loading *loading, shard_workflow **ret_workflow)
{
    struct shard__bytes *whole = &loading->whole;
    int is_first = 1;
    shard__bytes_text(whole, "\"tasks\": [");
    for (int32_t i = 0; i < loading->task_count; i++) {
        if (loading->tasks[i].is_out)
            continue;
        shard__bytes_text(whole, is_first ? "\n" : ",\n");
        shard__bytes_append(whole, loading->texts.data + loading->tasks[i].text, loading->tasks[i].text_bytes);
        is_first = 0;
    }
    shard__bytes_text(whole, "],\n\"data\": [");
    shard__bytes_append(whole, loading->data.data, loading->data.size);
    shard__bytes_text(whole, "]}");
    if (whole->status < 0)
        return whole->status;
    return shard_workflow_parse(loading->catalog->context, whole->data, whole->size, loading->catalog->path,
                                SHARD_FORMAT_NATIVE, NULL, ret_workflow);
}

/* A bad file, without keep_rest: the first, and how many more there are. */
static int refuse(const struct shard__git_loading *loading)
{
    const char *end = memchr(loading->problems.data, '\n', loading->problems.size);
    int length = (int)(end - loading->problems.data);
    if (loading->bad == 1)
        return shard__fail(loading->first_problem, "catalog '%s': %.*s", loading->catalog->path, length,
                           loading->problems.data);
    return shard__fail(loading->first_problem, "catalog '%s': %.*s; and %d more files are bad", loading->catalog->path,
                       length, loading->problems.data, loading->bad - 1);
}

static int load(struct shard__git_loading *loading, const git_tree *root, shard_workflow **ret_workflow)
{
    int status = read_head(loading, root);
    if (status == 0)
        status = shard__git_walk(loading->catalog, root, "tasks", SHARD__FAN_OUT, read_task, loading);
    if (status == 0)
        status = shard__git_walk(loading->catalog, root, "data", 0, read_data, loading);
    if (status == 0)
        status = shard__git_leave_out(loading);
    if (status == 0 && loading->bad > 0 && !loading->keep_rest)
        status = refuse(loading);
    return status < 0 ? status : assemble(loading, ret_workflow);
}

int shard__git_find_revision(shard_catalog *catalog, const char *revision, git_oid *ret_commit, git_tree **ret_tree)
{
    git_object *object = NULL;
    git_object *commit = NULL;
    int code = git_revparse_single(&object, catalog->repository, revision == NULL ? catalog->local_ref : revision);
    if (code == 0)
        code = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
    git_object_free(object);
    if (code == GIT_ENOTFOUND && revision == NULL)
        return shard__fail(SHARD_ENOENT, "catalog '%s': has no branch '%s': publish a workflow first", catalog->path,
                           catalog->branch);
    if (code == GIT_ENOTFOUND || code == GIT_EPEEL)
        return shard__fail(SHARD_ENOENT, "catalog '%s': '%.80s' is no revision, expected a commit, tag or branch",
                           catalog->path, revision);
    if (code == 0) {
        *ret_commit = *git_object_id(commit);
        code = git_object_peel((git_object **)ret_tree, commit, GIT_OBJECT_TREE);
    }
    git_object_free(commit);
    return code < 0 ? shard__git_fail(catalog, code, "revision '%.80s' cannot be read",
                                      revision == NULL ? catalog->branch : revision)
                    : 0;
}

static void give_report(struct shard__git_loading *loading, struct shard_catalog_report *report, void *theirs)
{
    report->bad = loading->bad;
    report->left_out = loading->left_out;
    if (theirs != NULL && loading->problems.size > 0)
        shard__bytes_handout(&loading->problems, &report->problems, NULL);
    if (theirs != NULL)
        shard__give_struct(theirs, report, sizeof(*report), "catalog report");
}

int shard_catalog_load(shard_catalog *catalog, const struct shard_catalog_request *theirs,
                       struct shard_catalog_report *ret_report, shard_workflow **ret_workflow)
{
    shard__clear_error();
    struct shard_catalog_request how = {.struct_size = sizeof(how)};
    struct shard_catalog_report report = {.struct_size = sizeof(report)};
    struct shard__git_loading loading = {.catalog = catalog};
    shard_workflow *workflow = NULL;
    git_tree *root = NULL;
    git_oid id;
    int status = theirs == NULL ? 0 : shard__take_struct(&how, sizeof(how), theirs, "catalog load");
    if (status == 0 && ret_report != NULL)
        status = shard__give_struct(ret_report, &report, sizeof(report), "catalog report");
    if (status < 0)
        return status;
    loading.keep_rest = how.keep_rest;
    shard__git_loading_init(&loading);
    pthread_mutex_lock(&catalog->mutex);
    status = shard__git_find_revision(catalog, how.revision, &id, &root);
    if (status == 0) {
        git_oid_tostr(report.commit, sizeof(report.commit), &id);
        status = load(&loading, root, &workflow);
    }
    if (status == 0)
        shard__git_mark_seen(catalog, &id);
    git_tree_free(root);
    pthread_mutex_unlock(&catalog->mutex);
    give_report(&loading, &report, ret_report);
    shard__git_loading_free(&loading);
    if (status == 0)
        *ret_workflow = workflow;
    return status;
}
