/* SPDX-License-Identifier: Apache-2.0 */
/* Commits and the branch that they move. */

#include "base/context.h"
#include "base/error.h"

#include "git.h"

int shard__git_tip(shard_catalog *catalog, const char *ref, git_commit **ret_commit)
{
    git_oid id;
    git_commit *commit = NULL;
    int code = git_reference_name_to_id(&id, catalog->repository, ref);
    if (code == GIT_ENOTFOUND) {
        *ret_commit = NULL;
        return 0;
    }
    if (code == 0)
        code = git_commit_lookup(&commit, catalog->repository, &id);
    if (code < 0)
        return shard__git_fail(catalog, code, "branch '%s' cannot be read", catalog->branch);
    *ret_commit = commit;
    return 0;
}

int shard__git_commit(shard_catalog *catalog, const git_oid *tree_id, git_commit **parents, size_t parent_count,
                      const char *message, git_oid *ret_id)
{
    git_signature *signature = NULL;
    git_tree *tree = NULL;
    const git_commit *const_parents[2] = {NULL, NULL};
    for (size_t i = 0; i < parent_count; i++)
        const_parents[i] = parents[i];
    git_time_t seconds = shard__wall_ns(catalog->context) / 1000000000;
    int code = git_signature_new(&signature, catalog->author, catalog->email, seconds, 0);
    if (code == 0)
        code = git_tree_lookup(&tree, catalog->repository, tree_id);
    if (code == 0)
        code = git_commit_create(ret_id, catalog->repository, catalog->local_ref, signature, signature, NULL, message,
                                 tree, parent_count, const_parents);
    git_tree_free(tree);
    git_signature_free(signature);
    return code < 0 ? shard__git_fail(catalog, code, "cannot commit") : 0;
}
