/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings a piece of data from one volume to another.
 */
#include "stage.h"

#include <stdlib.h>

#include <shard/error.h>

#include "durable.h"
#include "files.h"

struct copy {
    uv_fs_t request;
    shard_sink *sink;
    shard_token token;
    int *counter;
    char *temporary;
    char *target;
    char *name;
};

static void finish(struct copy *copy, int status)
{
    char *message = NULL;
    if (status < 0)
        message = need_printf("'%s' cannot be copied to '%s': %s", copy->name, copy->target, uv_strerror(status));
    int code = status == UV_ENOSPC ? SHARD_ENOSPC : status < 0 ? SHARD_EIO : 0;
    uv_fs_req_cleanup(&copy->request);
    (*copy->counter)--;
    shard_sink_staged(copy->sink, copy->token, code, message);
    free(message);
    free(copy->temporary);
    free(copy->target);
    free(copy->name);
    free(copy);
}

static void on_placed(void *self, int status)
{
    (void)status; /* some file systems cannot sync a directory; the rename is atomic all the same */
    finish(self, 0);
}

static void on_renamed(uv_fs_t *request)
{
    struct copy *copy = request->data;
    struct durable_paths paths = {0};
    if (request->result < 0) {
        finish(copy, (int)request->result);
        return;
    }
    durable_add(&paths, path_directory(copy->target));
    durable_begin(request->loop, &paths, DURABLE_ENTRY, on_placed, copy);
}

static void on_written(void *self, int status)
{
    struct copy *copy = self;
    uv_loop_t *loop = copy->request.loop;
    if (status == 0) {
        uv_fs_req_cleanup(&copy->request);
        status = uv_fs_rename(loop, &copy->request, copy->temporary, copy->target, on_renamed);
    }
    if (status < 0)
        finish(copy, status);
}

static void on_copied(uv_fs_t *request)
{
    struct copy *copy = request->data;
    struct durable_paths paths = {0};
    if (request->result < 0) {
        finish(copy, (int)request->result);
        return;
    }
    durable_add(&paths, need_copy(copy->temporary));
    durable_begin(request->loop, &paths, DURABLE_WHOLE, on_written, copy);
}

int stage_begin(uv_loop_t *loop, const struct work *work, shard_sink *sink, shard_token token,
                const struct shard_stage *stage, int *counter)
{
    struct copy *copy = need_zeroed(1, sizeof *copy);
    char *source = work_made_path(work, stage->from_name, stage->data_name);
    copy->sink = sink;
    copy->token = token;
    copy->counter = counter;
    copy->name = need_copy(stage->data_name);
    copy->target = work_made_path(work, stage->to_name, stage->data_name);
    /* Two epochs may copy the same data at a time; each has a temporary file of its own. */
    copy->temporary = need_printf("%s.staging-%lld", copy->target, (long long)stage->epoch);
    copy->request.data = copy;
    (*counter)++;
    int status = uv_fs_copyfile(loop, &copy->request, source, copy->temporary, UV_FS_COPYFILE_FICLONE, on_copied);
    if (status < 0)
        finish(copy, status);
    free(source);
    return 0;
}
