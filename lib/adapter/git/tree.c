/* SPDX-License-Identifier: Apache-2.0 */
/* Reading trees of strangers: sizes are looked at before anything is read, and what is not of the layout is named. */

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#include "git.h"

/* A directory at the limit has names of 128 bytes, a mode and an id each. */
enum { MAX_TREE_BYTES = SHARD_MAX_CATALOG_DIRECTORY * (SHARD_CATALOG_PATH + 32) };

struct walk {
    shard_catalog *catalog;
    int (*each)(void *self, const struct shard__git_file *file);
    void *self;
    struct shard__git_file file; /* path: of the entry that is looked at */
};

static int check_size(shard_catalog *catalog, const git_oid *id, const char *path, size_t most, const char *what)
{
    git_odb *odb = NULL;
    size_t size = 0;
    git_object_t type;
    int code = git_repository_odb(&odb, catalog->repository);
    if (code == 0)
        code = git_odb_read_header(&size, &type, odb, id);
    git_odb_free(odb);
    if (code < 0)
        return shard__git_fail(catalog, code, "'%s': cannot be read", path);
    if (size > most)
        return shard__fail(SHARD_ELIMIT, "catalog '%s': '%s': %s has %zu bytes, expected at most %zu", catalog->path,
                           path, what, size, most);
    return 0;
}

static int read_tree(shard_catalog *catalog, const git_oid *id, const char *path, git_tree **ret_tree)
{
    int status = check_size(catalog, id, path, MAX_TREE_BYTES, "the directory");
    if (status < 0)
        return status;
    int code = git_tree_lookup(ret_tree, catalog->repository, id);
    if (code < 0)
        return shard__git_fail(catalog, code, "'%s': cannot be read", path);
    size_t count = git_tree_entrycount(*ret_tree);
    if (count <= SHARD_MAX_CATALOG_DIRECTORY)
        return 0;
    git_tree_free(*ret_tree);
    *ret_tree = NULL;
    return shard__fail(SHARD_ELIMIT, "catalog '%s': '%s': the directory has %zu entries, expected at most %d",
                       catalog->path, path, count, SHARD_MAX_CATALOG_DIRECTORY);
}

/* Why an entry is none of the layout, or NULL. */
static const char *refuse_entry(const git_tree_entry *entry, int depth)
{
    const char *name = git_tree_entry_name(entry);
    switch (git_tree_entry_filemode(entry)) {
    case GIT_FILEMODE_LINK:
        return "is a symbolic link, expected a file";
    case GIT_FILEMODE_COMMIT:
        return "is a submodule, expected a file";
    case GIT_FILEMODE_TREE:
        if (depth == 0)
            return "is a directory, expected a file";
        break;
    case GIT_FILEMODE_BLOB:
    case GIT_FILEMODE_BLOB_EXECUTABLE:
        if (depth > 0)
            return "is a file, expected a directory of one hexadecimal digit";
        break;
    case GIT_FILEMODE_UNREADABLE:
    default:
        return "has an unknown mode, expected a file";
    }
    if (depth > 0 && (strlen(name) != 1 || strspn(name, "0123456789abcdef") != 1))
        return "is not of the layout, expected a directory of one hexadecimal digit";
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != strlen(name) || name[0] == '.')
        return "has a name that no file of a catalog has";
    return NULL;
}

static int walk_tree(struct walk *walk, const git_oid *id, int depth)
{
    git_tree *tree = NULL;
    struct shard__git_file *file = &walk->file;
    size_t length = strlen(file->path);
    int status = read_tree(walk->catalog, id, file->path, &tree);
    size_t count = status == 0 ? git_tree_entrycount(tree) : 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        const char *problem = refuse_entry(entry, depth);
        snprintf(file->path + length, sizeof(file->path) - length, "/%.200s", git_tree_entry_name(entry));
        file->id = *git_tree_entry_id(entry);
        if (problem != NULL)
            status = shard__fail(SHARD_EINVAL, "catalog '%s': '%s' %s", walk->catalog->path, file->path, problem);
        else if (depth > 0)
            status = walk_tree(walk, git_tree_entry_id(entry), depth - 1);
        else
            status = walk->each(walk->self, file);
    }
    file->path[length] = '\0';
    git_tree_free(tree);
    return status;
}

int shard__git_walk(shard_catalog *catalog, const git_tree *root, const char *directory, int depth,
                    int (*each)(void *self, const struct shard__git_file *file), void *self)
{
    struct walk walk = {.catalog = catalog, .each = each, .self = self};
    const git_tree_entry *entry = git_tree_entry_byname(root, directory);
    if (entry == NULL)
        return 0;
    snprintf(walk.file.path, sizeof(walk.file.path), "%s", directory);
    if (git_tree_entry_filemode(entry) != GIT_FILEMODE_TREE)
        return shard__fail(SHARD_EINVAL, "catalog '%s': '%s' is no directory, expected one", catalog->path, directory);
    return walk_tree(&walk, git_tree_entry_id(entry), depth);
}

int shard__git_read_file(shard_catalog *catalog, const struct shard__git_file *file, git_blob **ret_blob)
{
    int status = check_size(catalog, &file->id, file->path, SHARD_MAX_CATALOG_FILE_BYTES, "the file");
    if (status < 0)
        return status;
    int code = git_blob_lookup(ret_blob, catalog->repository, &file->id);
    return code < 0 ? shard__git_fail(catalog, code, "'%s': cannot be read", file->path) : 0;
}

int shard__git_find_file(shard_catalog *catalog, const git_tree *root, const char *path,
                         struct shard__git_file *ret_file)
{
    git_tree_entry *entry = NULL;
    int code = git_tree_entry_bypath(&entry, root, path);
    if (code < 0)
        return code == GIT_ENOTFOUND ? SHARD_ENOENT : shard__git_fail(catalog, code, "'%s': cannot be read", path);
    git_filemode_t mode = git_tree_entry_filemode(entry);
    snprintf(ret_file->path, sizeof(ret_file->path), "%s", path);
    ret_file->id = *git_tree_entry_id(entry);
    git_tree_entry_free(entry);
    if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE)
        return shard__fail(SHARD_EINVAL, "catalog '%s': '%s' is no file, expected one", catalog->path, path);
    return 0;
}
