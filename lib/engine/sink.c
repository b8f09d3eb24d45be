/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The completion queue: ports of any thread append under a mutex, the consumer swaps the whole array for the one that
 * it has used up. The eventfd is readable exactly while the queue is not empty, so a burst of answers costs one write.
 */

#include "engine/sink.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <shard/store.h>

#include "base/context.h"
#include "base/error.h"

struct buffer {
    struct shard__answer *answers;
    size_t count;
    size_t capacity;
    int owns; /* some answer has a message or an image */
};

struct shard_sink {
    shard_context *context;
    pthread_mutex_t mutex;
    struct buffer filling; /* under the mutex */
    struct buffer taken;   /* the consumer's */
    size_t next;           /* of taken, for shard_sink_wait */
    int fd;
};

int shard_sink_new(shard_context *context, shard_sink **ret_sink)
{
    shard__clear_error();
    if (context == NULL)
        return shard__fail(SHARD_EINVAL, "sink: context is missing");
    shard_sink *sink = shard__zalloc(context, sizeof(*sink));
    if (sink == NULL)
        return SHARD_ENOMEM;
    sink->context = context;
    sink->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sink->fd < 0) {
        int error = errno;
        shard__release(context, sink, sizeof(*sink));
        return shard__fail_errno(SHARD_EIO, error, "cannot make an eventfd for a sink");
    }
    pthread_mutex_init(&sink->mutex, NULL);
    *ret_sink = sink;
    return 0;
}

/* Frees what the answers of a buffer still own, and empties it. */
static void clear_buffer(shard_sink *sink, struct buffer *buffer)
{
    for (size_t i = 0; buffer->owns && i < buffer->count; i++) {
        struct shard__answer *answer = &buffer->answers[i];
        shard__strfree(sink->context, answer->message);
        if (answer->kind == SHARD__ANSWER_STORE && answer->as.store.image != NULL)
            answer->as.store.image->release(answer->as.store.image);
    }
    buffer->count = 0;
    buffer->owns = 0;
}

void shard_sink_free(shard_sink *sink)
{
    if (sink == NULL)
        return;
    struct buffer *buffers[] = {&sink->filling, &sink->taken};
    for (int i = 0; i < 2; i++) {
        clear_buffer(sink, buffers[i]);
        shard__release(sink->context, buffers[i]->answers, buffers[i]->capacity * sizeof(struct shard__answer));
    }
    close(sink->fd);
    pthread_mutex_destroy(&sink->mutex);
    shard__release(sink->context, sink, sizeof(*sink));
}

int shard_sink_fd(const shard_sink *sink)
{
    return sink->fd;
}

static void signal_fd(int fd)
{
    uint64_t one = 1;
    /* Cannot fail: the counter is 0 or 1. A signal may interrupt it nonetheless on some kernels. */
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void unsignal_fd(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

/* Appends an answer, which then owns its message and image. 0 or SHARD_ENOMEM. */
static int append(shard_sink *sink, const struct shard__answer *answer)
{
    struct buffer *buffer = &sink->filling;
    int status = 0;
    pthread_mutex_lock(&sink->mutex);
    if (buffer->count == buffer->capacity)
        status = shard__grow(sink->context, &buffer->answers, &buffer->capacity, buffer->count + 1, sizeof(*answer));
    if (status == 0) {
        buffer->answers[buffer->count] = *answer;
        if (buffer->count++ == 0)
            signal_fd(sink->fd);
        if (answer->message != NULL || answer->kind == SHARD__ANSWER_STORE)
            buffer->owns = 1;
    }
    pthread_mutex_unlock(&sink->mutex);
    return status;
}

/* The same with a copy of `message`, which may be NULL. */
static int append_with_message(shard_sink *sink, struct shard__answer *answer, const char *message)
{
    if (message != NULL && message[0] != '\0') {
        answer->message = shard__strdup(sink->context, message);
        if (answer->message == NULL)
            return SHARD_ENOMEM;
    }
    int status = append(sink, answer);
    if (status < 0)
        shard__strfree(sink->context, answer->message);
    return status;
}

void shard__sink_take(shard_sink *sink, struct shard__batch *ret_batch)
{
    clear_buffer(sink, &sink->taken);
    sink->next = 0;
    pthread_mutex_lock(&sink->mutex);
    if (sink->filling.count > 0) {
        struct buffer full = sink->filling;
        sink->filling = sink->taken;
        sink->taken = full;
        /* Under the mutex, so that the wake-up of an answer that comes now is not swallowed. */
        unsignal_fd(sink->fd);
    }
    pthread_mutex_unlock(&sink->mutex);
    ret_batch->answers = sink->taken.answers;
    ret_batch->count = sink->taken.count;
}

int shard_sink_attempt_ended(shard_sink *sink, shard_token token, const struct shard_attempt_end *end)
{
    shard__clear_error();
    struct shard_attempt_end copy;
    /* The usual case, a caller of this very version, is read where it lies. */
    if (end == NULL || end->struct_size != sizeof(copy)) {
        int status = shard__take_struct(&copy, sizeof(copy), end, "attempt end");
        if (status < 0)
            return status;
        end = &copy;
    }
    if ((int)end->outcome <= SHARD_OUTCOME_NONE || (int)end->outcome >= SHARD_OUTCOME_COUNT)
        return shard__fail(SHARD_EINVAL, "attempt end: outcome is %d, expected 1 to %d", (int)end->outcome,
                           SHARD_OUTCOME_COUNT - 1);
    struct shard__answer answer = {
        .token = token,
        .kind = SHARD__ANSWER_ENDED,
        .outcome = (uint8_t)end->outcome,
        .code = end->exit_code,
        .as.ended = {.seconds = end->seconds,
                     .cpu_seconds = (float)end->cpu_seconds,
                     .launch_seconds = (float)end->launch_seconds,
                     .max_memory_bytes = end->max_memory_bytes,
                     .max_disk_bytes = end->max_disk_bytes,
                     .units_done = end->units_done},
    };
    return append_with_message(sink, &answer, end->message);
}

int shard_sink_reattached(shard_sink *sink, shard_token token, enum shard_reattach reattach)
{
    shard__clear_error();
    if (reattach != SHARD_REATTACH_RUNNING && reattach != SHARD_REATTACH_UNKNOWN)
        return shard__fail(SHARD_EINVAL, "answer to reattach is %d, expected 0 or 1", (int)reattach);
    struct shard__answer answer = {.token = token, .kind = SHARD__ANSWER_REATTACHED, .code = (int32_t)reattach};
    return append(sink, &answer);
}

int shard_sink_progress(shard_sink *sink, shard_token token, int64_t units_done)
{
    shard__clear_error();
    if (units_done < 0)
        return shard__fail(SHARD_EINVAL, "progress is %lld units, expected 0 or more", (long long)units_done);
    struct shard__answer answer = {.token = token, .kind = SHARD__ANSWER_PROGRESS, .as.units_done = units_done};
    return append(sink, &answer);
}

int shard_sink_shrunk(shard_sink *sink, shard_token token, int64_t units)
{
    shard__clear_error();
    struct shard__answer answer = {.token = token, .kind = SHARD__ANSWER_SHRUNK, .as.units_done = units};
    return append(sink, &answer);
}

int shard_sink_staged(shard_sink *sink, shard_token token, int status, const char *message)
{
    shard__clear_error();
    struct shard__answer answer = {.token = token, .kind = SHARD__ANSWER_STAGED, .code = status};
    return append_with_message(sink, &answer, message);
}

int shard_sink_store_answered(shard_sink *sink, shard_token token, int status, int64_t epoch,
                              struct shard_run_image *image, const char *message)
{
    shard__clear_error();
    struct shard__answer answer = {
        .token = token, .kind = SHARD__ANSWER_STORE, .code = status, .as.store = {.epoch = epoch, .image = image}};
    return append_with_message(sink, &answer, message);
}

/* Gives the next store answer of the batch that was taken; 1, or 0 when there is none. Others have no reader here. */
static int next_store_answer(shard_sink *sink, struct shard_answer *ret_answer)
{
    while (sink->next < sink->taken.count) {
        struct shard__answer *answer = &sink->taken.answers[sink->next++];
        if (answer->kind != SHARD__ANSWER_STORE)
            continue;
        *ret_answer = (struct shard_answer){.struct_size = sizeof(*ret_answer),
                                            .token = answer->token,
                                            .status = answer->code,
                                            .epoch = answer->as.store.epoch,
                                            .image = answer->as.store.image};
        snprintf(ret_answer->message, sizeof(ret_answer->message), "%s",
                 answer->message == NULL ? "" : answer->message);
        return 1;
    }
    return 0;
}

/* Waits until the descriptor is readable or the time is over (below 0: never). 1, 0 or SHARD_EIO. */
static int wait_readable(shard_sink *sink, int timeout_ms)
{
    if (timeout_ms == 0)
        return 0;
    int64_t deadline_ns = shard__now_ns(sink->context) + (int64_t)timeout_ms * 1000000;
    for (;;) {
        struct pollfd item = {.fd = sink->fd, .events = POLLIN};
        int ready = poll(&item, 1, timeout_ms);
        if (ready >= 0)
            return ready;
        if (errno != EINTR)
            return shard__fail_errno(SHARD_EIO, errno, "cannot wait for a sink");
        if (timeout_ms > 0) {
            int64_t left_ns = deadline_ns - shard__now_ns(sink->context);
            timeout_ms = left_ns <= 0 ? 0 : (int)((left_ns + 999999) / 1000000);
        }
    }
}

int shard_sink_wait(shard_sink *sink, int timeout_ms, struct shard_answer *ret_answer)
{
    shard__clear_error();
    if (ret_answer == NULL || ret_answer->struct_size < sizeof(ret_answer->struct_size))
        return shard__fail(SHARD_EINVAL, "answer: struct_size is not set");
    struct shard_answer answer;
    while (!next_store_answer(sink, &answer)) {
        struct shard__batch batch;
        shard__sink_take(sink, &batch);
        if (batch.count > 0)
            continue;
        int status = wait_readable(sink, timeout_ms);
        if (status <= 0)
            return status;
    }
    if (ret_answer->struct_size < offsetof(struct shard_answer, message) && answer.image != NULL) {
        /* A caller whose struct has no place for the image could never free it. */
        sink->next--;
        return shard__fail(SHARD_EVERSION, "answer: struct_size is %zu, too small for an image",
                           ret_answer->struct_size);
    }
    sink->taken.answers[sink->next - 1].as.store.image = NULL;
    int status = shard__give_struct(ret_answer, &answer, sizeof(answer), "answer");
    return status < 0 ? status : 1;
}

/* Milliseconds until a deadline, rounded up; -1 for one that never comes. */
static int left_ms(const shard_context *context, int timeout_ms, int64_t deadline_ns)
{
    if (timeout_ms < 0)
        return -1;
    int64_t left_ns = deadline_ns - shard__now_ns(context);
    return left_ns <= 0 ? 0 : (int)((left_ns + 999999) / 1000000);
}

int shard_store_wait(const struct shard_store_handle *store, shard_sink *sink, int timeout_ms,
                     struct shard_answer *ret_answer)
{
    const struct shard_store *port = store->port;
    int is_pumped = port->struct_size >= sizeof(*port) && port->fd != NULL && port->step != NULL;
    if (!is_pumped)
        return shard_sink_wait(sink, timeout_ms, ret_answer);
    int64_t deadline_ns = shard__now_ns(sink->context) + (int64_t)timeout_ms * 1000000;
    struct pollfd items[2] = {{.fd = sink->fd, .events = POLLIN}, {.fd = port->fd(store->self), .events = POLLIN}};
    for (;;) {
        port->step(store->self);
        int status = shard_sink_wait(sink, 0, ret_answer);
        int wait_ms = left_ms(sink->context, timeout_ms, deadline_ns);
        if (status != 0 || wait_ms == 0)
            return status;
        if (poll(items, 2, wait_ms) < 0 && errno != EINTR)
            return shard__fail_errno(SHARD_EIO, errno, "cannot wait for a store");
    }
}
