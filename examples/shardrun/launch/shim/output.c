/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keeps a command's output within bounds without ever blocking it: a head that is written as it comes, a ring that
 * holds the newest bytes after that, and a marker between them when some had to go.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 65536u

int stream_open(struct stream *stream, int dir_fd, const char *name, uint64_t max_bytes, int *ret_write_fd)
{
    int ends[2];
    stream->file_fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (stream->file_fd < 0)
        return -errno;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    /* Ours alone: the other end is the command's, which expects an ordinary, blocking pipe. */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    stream->pipe_fd = ends[0];
    stream->head_bytes = max_bytes / 2;
    stream->ring_bytes = max_bytes - stream->head_bytes;
    *ret_write_fd = ends[1];
    return 0;
}

static void write_or_drop(struct stream *stream, const char *bytes, size_t size)
{
    if (launch__write_all(stream->file_fd, bytes, size) < 0)
        stream->dropped += size;
}

static void keep_newest(struct stream *stream, const char *bytes, size_t size)
{
    if (stream->ring == NULL)
        stream->ring = malloc(stream->ring_bytes);
    for (size_t done = 0; stream->ring != NULL && done < size;) {
        size_t at = (size_t)((stream->tail_total + done) % stream->ring_bytes);
        size_t part = size - done;
        if (part > stream->ring_bytes - at)
            part = (size_t)(stream->ring_bytes - at);
        memcpy(stream->ring + at, bytes + done, part);
        done += part;
    }
    stream->tail_total += size;
}

static void take(struct stream *stream, const char *bytes, size_t size)
{
    size_t head = size < stream->head_bytes ? size : (size_t)stream->head_bytes;
    if (head > 0) {
        write_or_drop(stream, bytes, head);
        stream->head_bytes -= head;
    }
    if (size > head)
        keep_newest(stream, bytes + head, size - head);
}

void stream_pump(struct stream *stream)
{
    static char chunk[CHUNK_BYTES];
    /* Bounded, so that a command that never stops writing cannot keep the shim from its other duties. */
    for (int round = 0; stream->pipe_fd >= 0 && round < 16; round++) {
        ssize_t got = read(stream->pipe_fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            close(stream->pipe_fd);
            stream->pipe_fd = -1;
            return;
        }
        take(stream, chunk, (size_t)got);
    }
}

static void write_tail(struct stream *stream)
{
    if (stream->ring == NULL) {
        stream->dropped += stream->tail_total;
        return;
    }
    if (stream->tail_total <= stream->ring_bytes) {
        write_or_drop(stream, stream->ring, (size_t)stream->tail_total);
        return;
    }
    uint64_t lost = stream->tail_total - stream->ring_bytes;
    char marker[96];
    int length = snprintf(marker, sizeof marker, "\n[... %" PRIu64 " bytes left out ...]\n", lost);
    launch__write_all(stream->file_fd, marker, (size_t)length);
    stream->dropped += lost;
    size_t at = (size_t)(stream->tail_total % stream->ring_bytes);
    write_or_drop(stream, stream->ring + at, (size_t)stream->ring_bytes - at);
    write_or_drop(stream, stream->ring, at);
}

void stream_finish(struct stream *stream)
{
    if (stream->file_fd < 0)
        return;
    /* Everything that could write is dead: what is in the pipe is all there will be, and a pipe holds a bounded amount.
     */
    for (int i = 0; i < 64 && stream->pipe_fd >= 0; i++)
        stream_pump(stream);
    write_tail(stream);
    if (stream->pipe_fd >= 0)
        close(stream->pipe_fd);
    close(stream->file_fd);
    free(stream->ring);
    stream->ring = NULL;
    stream->pipe_fd = -1;
    stream->file_fd = -1;
}
