/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions: they are queued by anyone, and become commits with trailers and lines of logs. */

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/context.h"
#include "base/error.h"
#include "base/name.h"

#include "git.h"

enum {
    MOST_COMMITS = 32,         /* of one round; more notes share them */
    MOST_LOG_BYTES = 256 << 10 /* of one file; what was there before is in the history */
};

/* A log that a commit changes. */
struct log {
    char path[SHARD_CATALOG_PATH];
    struct shard__bytes text;
};

void shard__git_free_notes(shard_catalog *catalog, struct shard__git_note *notes)
{
    while (notes != NULL) {
        struct shard__git_note *next = notes->next;
        shard__release(catalog->context, notes, notes->size);
        notes = next;
    }
}

/* Copies a text behind the note, as one line. NULL stays NULL. */
static const char *copy_line(char **at, const char *text)
{
    char *copy = *at;
    if (text == NULL)
        return NULL;
    size_t size = strlen(text) + 1;
    memcpy(copy, text, size);
    for (char *c = copy; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    }
    *at += size;
    return copy;
}

static size_t text_bytes(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static int check_note(const struct shard_catalog_decision *note)
{
    if (note->what == NULL || note->what[0] == '\0')
        return shard__fail(SHARD_EINVAL, "catalog note: what was decided is missing");
    if (note->task == NULL && note->host == NULL)
        return shard__fail(SHARD_EINVAL, "catalog note: has neither task nor host, expected one");
    return shard__check_name(note->task != NULL ? note->task : note->host, note->task != NULL ? "task" : "host");
}

int shard_catalog_note(shard_catalog *catalog, const struct shard_catalog_decision *theirs)
{
    shard__clear_error();
    struct shard_catalog_decision wanted;
    int status = shard__take_struct(&wanted, sizeof(wanted), theirs, "catalog note");
    if (status == 0)
        status = check_note(&wanted);
    if (status < 0)
        return status;
    size_t size = sizeof(struct shard__git_note) + text_bytes(wanted.task) + text_bytes(wanted.host) +
                  text_bytes(wanted.run) + text_bytes(wanted.what) + text_bytes(wanted.reason);
    struct shard__git_note *note = shard__zalloc(catalog->context, size);
    if (note == NULL)
        return SHARD_ENOMEM;
    char *at = (char *)(note + 1);
    note->size = size;
    note->task = copy_line(&at, wanted.task);
    note->host = copy_line(&at, wanted.host);
    note->run = copy_line(&at, wanted.run);
    note->what = copy_line(&at, wanted.what);
    note->reason = copy_line(&at, wanted.reason);
    note->p_fail = wanted.p_fail;
    note->seconds = wanted.seconds;
    note->time_ns = wanted.time_ns == 0 ? shard__wall_ns(catalog->context) : wanted.time_ns;
    pthread_mutex_lock(&catalog->queue_mutex);
    int is_full = catalog->note_count >= catalog->max_notes;
    if (!is_full) {
        *catalog->notes_end = note;
        catalog->notes_end = &note->next;
        catalog->note_count++;
    }
    pthread_mutex_unlock(&catalog->queue_mutex);
    if (is_full) {
        shard__release(catalog->context, note, size);
        return shard__fail(SHARD_ELIMIT, "catalog '%s': %lld decisions wait to be committed, this one is not kept",
                           catalog->path, (long long)catalog->max_notes);
    }
    shard__git_wake(catalog);
    return 0;
}

static void put_forecast(struct shard__bytes *out, const struct shard__git_note *note)
{
    if (!isnan(note->p_fail))
        shard__bytes_printf(out, "%.3g", note->p_fail);
    if (!isnan(note->seconds))
        shard__bytes_printf(out, "%s%.6g s", isnan(note->p_fail) ? "" : ", ", note->seconds);
}

static void put_trailer(struct shard__bytes *out, const char *key, const char *value)
{
    if (value != NULL)
        shard__bytes_printf(out, "%s: %s\n", key, value);
}

static void put_trailers(struct shard__bytes *out, const struct shard__git_note *note)
{
    shard__bytes_text(out, "\n");
    put_trailer(out, "Task", note->task);
    put_trailer(out, "Host", note->host);
    put_trailer(out, "Run", note->run);
    put_trailer(out, "Reason", note->reason);
    if (!isnan(note->p_fail) || !isnan(note->seconds)) {
        shard__bytes_text(out, "Forecast: ");
        put_forecast(out, note);
        shard__bytes_text(out, "\n");
    }
}

static void put_line(struct shard__bytes *out, const struct shard__git_note *note)
{
    time_t seconds = (time_t)(note->time_ns / 1000000000);
    struct tm utc;
    char when[32] = "";
    if (gmtime_r(&seconds, &utc) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
    shard__bytes_printf(out, "%s %s", when, note->what);
    if (note->task != NULL && note->host != NULL)
        shard__bytes_printf(out, " on %s", note->host);
    if (note->run != NULL)
        shard__bytes_printf(out, " in %s", note->run);
    if (note->reason != NULL)
        shard__bytes_printf(out, ": %s", note->reason);
    if (!isnan(note->p_fail) || !isnan(note->seconds)) {
        shard__bytes_text(out, " (forecast ");
        put_forecast(out, note);
        shard__bytes_text(out, ")");
    }
    shard__bytes_text(out, "\n");
}

/* Begins a log with what the tree has of it, cut at a line when it has grown long. */
static int begin_log(shard_catalog *catalog, const git_tree *tree, const char *path, struct log *log)
{
    struct shard__git_file file;
    git_blob *blob = NULL;
    snprintf(log->path, sizeof(log->path), "%s", path);
    shard__bytes_init(&log->text, catalog->context);
    int status = tree == NULL ? SHARD_ENOENT : shard__git_find_file(catalog, tree, path, &file);
    if (status == 0)
        status = shard__git_read_file(catalog, &file, &blob);
    if (status < 0)
        return status == SHARD_ENOENT ? 0 : status;
    const char *text = git_blob_rawcontent(blob);
    size_t bytes = (size_t)git_blob_rawsize(blob);
    if (bytes > MOST_LOG_BYTES) {
        const char *newline = memchr(text + bytes / 2, '\n', bytes - bytes / 2);
        size_t cut = newline == NULL ? bytes : (size_t)(newline + 1 - text);
        text += cut;
        bytes -= cut;
    }
    shard__bytes_append(&log->text, text, bytes);
    git_blob_free(blob);
    return log->text.status;
}

static int add_to_log(shard_catalog *catalog, const git_tree *tree, const struct shard__git_note *note,
                      struct log *logs, size_t *count)
{
    char path[SHARD_CATALOG_PATH];
    size_t i = 0;
    if (note->task != NULL)
        shard__git_task_path(note->task, "log", path);
    else
        shard__git_host_path(note->host, path);
    while (i < *count && strcmp(logs[i].path, path) != 0)
        i++;
    if (i == *count) {
        (*count)++;
        int status = begin_log(catalog, tree, path, &logs[i]);
        if (status < 0)
            return status;
    }
    put_line(&logs[i].text, note);
    return logs[i].text.status;
}

/* The tree with the logs in it. */
static int write_logs(shard_catalog *catalog, git_tree *tree, const struct log *logs, size_t count, git_oid *ret_tree)
{
    git_tree_update *updates = shard__zalloc(catalog->context, count * sizeof(*updates));
    int code = 0;
    if (updates == NULL)
        return SHARD_ENOMEM;
    for (size_t i = 0; code == 0 && i < count; i++) {
        updates[i].action = GIT_TREE_UPDATE_UPSERT;
        updates[i].filemode = GIT_FILEMODE_BLOB;
        updates[i].path = logs[i].path;
        code = git_blob_create_from_buffer(&updates[i].id, catalog->repository, logs[i].text.data, logs[i].text.size);
    }
    if (code == 0)
        code = git_tree_create_updated(ret_tree, catalog->repository, tree, count, updates);
    shard__release(catalog->context, updates, count * sizeof(*updates));
    return code < 0 ? shard__git_fail(catalog, code, "cannot write what was decided") : 0;
}

static int commit_logs(shard_catalog *catalog, const struct shard__git_note *first, size_t note_count, git_commit *tip,
                       git_tree *tree, const struct log *logs, size_t count)
{
    struct shard__bytes message;
    git_oid tree_id, id;
    shard__bytes_init(&message, catalog->context);
    if (note_count == 1)
        shard__bytes_printf(&message, "%.100s: %.200s\n", first->task != NULL ? first->task : first->host, first->what);
    else
        shard__bytes_printf(&message, "%zu decisions\n", note_count);
    for (size_t i = 0; i < note_count; i++, first = first->next)
        put_trailers(&message, first);
    shard__bytes_append(&message, "", 1);
    int status = message.status;
    if (status == 0)
        status = write_logs(catalog, tree, logs, count, &tree_id);
    if (status == 0)
        status = shard__git_commit(catalog, &tree_id, &tip, tip == NULL ? 0 : 1, message.data, &id);
    shard__bytes_free(&message);
    return status;
}

/* One commit of the next notes. */
static int commit_some(shard_catalog *catalog, const struct shard__git_note *first, size_t note_count)
{
    git_commit *tip = NULL;
    git_tree *tree = NULL;
    size_t count = 0;
    struct log *logs = shard__zalloc(catalog->context, note_count * sizeof(*logs));
    int status = logs == NULL ? SHARD_ENOMEM : shard__git_tip(catalog, catalog->local_ref, &tip);
    int code = status < 0 || tip == NULL ? 0 : git_commit_tree(&tree, tip);
    if (code < 0)
        status = shard__git_fail(catalog, code, "branch '%s' cannot be read", catalog->branch);
    const struct shard__git_note *note = first;
    for (size_t i = 0; status == 0 && i < note_count; i++, note = note->next)
        status = add_to_log(catalog, tree, note, logs, &count);
    if (status == 0)
        status = commit_logs(catalog, first, note_count, tip, tree, logs, count);
    for (size_t i = 0; i < count; i++)
        shard__bytes_free(&logs[i].text);
    shard__release(catalog->context, logs, note_count * sizeof(*logs));
    git_tree_free(tree);
    git_commit_free(tip);
    return status;
}

/* Gives notes back that were not committed, before those that came since. */
static void put_back(shard_catalog *catalog, struct shard__git_note *notes, struct shard__git_note **end, size_t count)
{
    pthread_mutex_lock(&catalog->queue_mutex);
    *end = catalog->notes;
    if (catalog->notes == NULL)
        catalog->notes_end = end;
    catalog->notes = notes;
    catalog->note_count += (int64_t)count;
    pthread_mutex_unlock(&catalog->queue_mutex);
}

int shard__git_commit_notes(shard_catalog *catalog, int *ret_committed)
{
    pthread_mutex_lock(&catalog->queue_mutex);
    struct shard__git_note *notes = catalog->notes, **end = catalog->notes_end;
    size_t count = (size_t)catalog->note_count;
    catalog->notes = NULL;
    catalog->notes_end = &catalog->notes;
    catalog->note_count = 0;
    pthread_mutex_unlock(&catalog->queue_mutex);
    size_t each = (count + MOST_COMMITS - 1) / MOST_COMMITS;
    int status = 0;
    while (count > 0 && status == 0) {
        size_t now = each < count ? each : count;
        status = commit_some(catalog, notes, now);
        if (status < 0)
            break;
        *ret_committed = 1;
        count -= now;
        for (size_t i = 0; i < now; i++) {
            struct shard__git_note *next = notes->next;
            shard__release(catalog->context, notes, notes->size);
            notes = next;
        }
    }
    if (count > 0)
        put_back(catalog, notes, end, count);
    return status;
}
