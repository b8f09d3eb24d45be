/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounds on how long a remote may be silent. libgit2's sockets wait without end; the time-outs that it has since 1.7 do
 * not hold over ssh, whose handshake it begins anew after each. So this file makes the sockets: connecting and, under
 * TLS, each read and write is bounded, and a server of ssh, which speaks first, has to within that time. What libssh2
 * waits for afterwards nothing but the end of the socket can cut short: whoever waits for the job looks whether there
 * was silence for too long, and shuts the socket down.
 *
 * libgit2 has one kind of socket for a process. One that it makes for somebody else's repository waits as always. Its
 * ssh transport looks into them, so that it is tried out first; where it does not find what it looks for, nothing is
 * bounded, and all else works.
 */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <git2/sys/stream.h>

#include "base/context.h"
#include "base/error.h"

#include "git.h"

enum { DEFAULT_TIMEOUT_MS = 30000 };

/* Whose call is under way in this thread. */
static _Thread_local shard_catalog *calling;

/* The socket that this thread's next stream has instead of a connection; -1: it connects. */
static _Thread_local int given = -1;

/* The first four are those of libgit2's own sockets, which its ssh transport looks into: so from 1.5 to 1.9. */
struct stream {
    git_stream parent;
    char *host;
    char *port;
    int socket;
    int no_sockets[5];      /* -1: for a transport that looks elsewhere */
    shard_catalog *catalog; /* NULL: somebody else's */
    shard_context *context; /* of somebody else's alone */
};

static int fail(const struct stream *stream, const char *what)
{
    char text[200];
    snprintf(text, sizeof(text), "'%.80s:%.20s' %s: %s", stream->host, stream->port, what, strerror(errno));
    git_error_set_str(GIT_ERROR_NET, text);
    return -1;
}

/* TLS keeps no error of what it lies on, so the catalog has to know. */
static int fail_silent(const struct stream *stream)
{
    stream->catalog->was_silent = 1;
    errno = ETIMEDOUT;
    return fail(stream, "does not answer");
}

/* Whoever waits for a call may shut its socket down, as long as it is that call's. */
static void show_socket(shard_catalog *catalog, int fd)
{
    if (catalog == NULL)
        return;
    pthread_mutex_lock(&catalog->queue_mutex);
    catalog->socket = fd;
    pthread_mutex_unlock(&catalog->queue_mutex);
}

/* 1 when the socket is ready within the time, 0 when it is over. */
static int wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd polled = {.fd = fd, .events = events};
    int ready;
    do {
        ready = poll(&polled, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    return ready != 0;
}

/* One address. 0, or an errno. */
static int dial_address(int fd, const struct addrinfo *address, int timeout_ms)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR)
        return errno;
    if (!wait_for(fd, POLLOUT, timeout_ms))
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

static int dial(struct stream *stream, const struct addrinfo *addresses, int timeout_ms)
{
    errno = EADDRNOTAVAIL;
    for (const struct addrinfo *address = addresses; address != NULL; address = address->ai_next) {
        int kind = address->ai_socktype | SOCK_CLOEXEC | (timeout_ms >= 0 ? SOCK_NONBLOCK : 0);
        int fd = socket(address->ai_family, kind, address->ai_protocol);
        if (fd < 0)
            continue;
        int error = dial_address(fd, address, timeout_ms);
        if (error == 0) {
            stream->socket = fd;
            return 0;
        }
        close(fd);
        errno = error;
    }
    return fail(stream, "cannot be connected to");
}

/* Blocking again, as libgit2 and libssh2 expect. */
static int bound(const struct stream *stream)
{
    int timeout_ms = stream->catalog->timeout_ms;
    const struct timeval time = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    if (fcntl(stream->socket, F_SETFL, 0) < 0 ||
        setsockopt(stream->socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) < 0 ||
        setsockopt(stream->socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) < 0)
        return fail(stream, "cannot be bounded");
    show_socket(stream->catalog, stream->socket);
    int speaks_first = strncmp(stream->catalog->url, "http", 4) != 0 && strncmp(stream->catalog->url, "git://", 6) != 0;
    if (speaks_first && !wait_for(stream->socket, POLLIN, timeout_ms))
        return fail_silent(stream);
    return 0;
}

static int connect_stream(git_stream *parent)
{
    struct stream *stream = (struct stream *)parent;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    if (given >= 0) {
        stream->socket = given;
        given = -1;
        return 0;
    }
    int error = getaddrinfo(stream->host, stream->port, &hints, &addresses);
    if (error != 0) {
        errno = error == EAI_SYSTEM ? errno : ENOENT;
        return fail(stream, "is not known");
    }
    int code = dial(stream, addresses, stream->catalog == NULL ? -1 : stream->catalog->timeout_ms);
    freeaddrinfo(addresses);
    return code == 0 && stream->catalog != NULL ? bound(stream) : code;
}

static ssize_t read_stream(git_stream *parent, void *bytes, size_t size)
{
    const struct stream *stream = (const struct stream *)parent;
    ssize_t got;
    do {
        got = recv(stream->socket, bytes, size, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN && stream->catalog != NULL ? fail_silent(stream) : fail(stream, "cannot be read");
    return got;
}

static ssize_t write_stream(git_stream *parent, const char *bytes, size_t size, int flags)
{
    const struct stream *stream = (const struct stream *)parent;
    ssize_t sent;
    do {
        sent = send(stream->socket, bytes, size, flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN && stream->catalog != NULL ? fail_silent(stream) : fail(stream, "cannot be written to");
    return sent;
}

static int close_stream(git_stream *parent)
{
    struct stream *stream = (struct stream *)parent;
    show_socket(stream->catalog, -1);
    if (stream->socket >= 0)
        close(stream->socket);
    stream->socket = -1;
    return 0;
}

static void free_stream(git_stream *parent)
{
    struct stream *stream = (struct stream *)parent;
    shard_context *own = stream->context;
    const shard_context *context = own != NULL ? own : stream->catalog->context;
    close_stream(parent);
    shard__strfree(context, stream->host);
    shard__strfree(context, stream->port);
    shard__release(context, stream, sizeof(*stream));
    shard_context_free(own);
}

static int new_stream(git_stream **ret_stream, const char *host, const char *port)
{
    shard_context *own = NULL;
    if (calling == NULL && shard_context_new(NULL, &own) < 0)
        return -1;
    const shard_context *context = own != NULL ? own : calling->context;
    struct stream *stream = shard__zalloc(context, sizeof(*stream));
    if (stream == NULL) {
        shard_context_free(own);
        git_error_set_oom();
        return -1;
    }
    *stream = (struct stream){.parent = {.version = GIT_STREAM_VERSION,
                                         .connect = connect_stream,
                                         .read = read_stream,
                                         .write = write_stream,
                                         .close = close_stream,
                                         .free = free_stream},
                              .host = shard__strdup(context, host),
                              .port = shard__strdup(context, port),
                              .socket = -1,
                              .no_sockets = {-1, -1, -1, -1, -1},
                              .catalog = calling,
                              .context = own};
    if (stream->host == NULL || stream->port == NULL) {
        free_stream(&stream->parent);
        git_error_set_oom();
        return -1;
    }
    *ret_stream = &stream->parent;
    return 0;
}

void shard__git_cut_if_silent(shard_catalog *catalog)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    if (catalog->socket < 0 || getsockopt(catalog->socket, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return;
    unsigned timeout_ms = (unsigned)catalog->timeout_ms;
    if (info.tcpi_last_data_recv < timeout_ms || info.tcpi_last_data_sent < timeout_ms)
        return;
    catalog->was_silent = 1;
    shutdown(catalog->socket, SHUT_RDWR);
}

void shard__git_wait_idle(shard_catalog *catalog, const int *is_under_way)
{
    while (*is_under_way) {
        struct timespec when;
        clock_gettime(CLOCK_MONOTONIC, &when);
        when.tv_nsec += 100000000;
        if (when.tv_nsec >= 1000000000) {
            when.tv_sec++;
            when.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&catalog->is_idle, &catalog->queue_mutex, &when);
        shard__git_cut_if_silent(catalog);
    }
}

/* A call with a remote, in whatever thread. */
struct call {
    shard_catalog *catalog;
    int (*work)(shard_catalog *catalog);
    int is_under_way;
    struct shard_error error; /* with the code that it returned */
};

int shard__git_call(shard_catalog *catalog, shard__git_work *work)
{
    calling = catalog;
    catalog->was_silent = 0;
    catalog->distrust[0] = '\0';
    int status = work(catalog);
    calling = NULL;
    return status;
}

static void run_call(void *arg)
{
    struct call *call = arg;
    shard_catalog *catalog = call->catalog;
    struct shard_error error = {.struct_size = sizeof(error)};
    shard__clear_error();
    int status = shard__git_call(catalog, call->work);
    shard_error_copy(&error);
    pthread_mutex_lock(&catalog->queue_mutex);
    call->error = error;
    call->error.code = status;
    call->is_under_way = 0;
    pthread_cond_broadcast(&catalog->is_idle);
    pthread_mutex_unlock(&catalog->queue_mutex);
}

int shard__git_call_and_wait(shard_catalog *catalog, shard__git_work *work)
{
    struct call call = {.catalog = catalog, .work = work, .is_under_way = 1};
    if (catalog->context->config.offload == NULL || shard__offload(catalog->context, run_call, &call) < 0)
        return shard__git_call(catalog, work);
    pthread_mutex_lock(&catalog->queue_mutex);
    shard__git_wait_idle(catalog, &call.is_under_way);
    pthread_mutex_unlock(&catalog->queue_mutex);
    return call.error.code < 0 ? shard__fail(call.error.code, "%s", call.error.message) : 0;
}

/* Whether the ssh transport finds our sockets: it is given one whose other end says nothing, and greets that. */
static int ssh_finds_sockets(void)
{
    static const char greeting[] = "SSH-2.0-";
    char heard[sizeof(greeting) - 1];
    git_remote *remote = NULL;
    int ends[2];
    if ((git_libgit2_features() & GIT_FEATURE_SSH) == 0)
        return 1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return 0;
    shutdown(ends[1], SHUT_WR);
    given = ends[0];
    if (git_remote_create_detached(&remote, "ssh://nobody@nowhere/") == 0)
        (void)git_remote_connect(remote, GIT_DIRECTION_FETCH, NULL, NULL, NULL);
    git_remote_free(remote);
    git_error_clear();
    int is_found = recv(ends[1], heard, sizeof(heard), MSG_DONTWAIT) == (ssize_t)sizeof(heard) &&
                   memcmp(heard, greeting, sizeof(heard)) == 0;
    if (given >= 0)
        close(given);
    given = -1;
    close(ends[1]);
    return is_found;
}

void shard__git_set_timeout(shard_catalog *catalog, double seconds)
{
    git_stream_registration registration = {.version = GIT_STREAM_VERSION, .init = new_stream};
    catalog->timeout_ms = seconds <= 0 ? DEFAULT_TIMEOUT_MS : seconds > 86400 ? 86400000 : (int)(seconds * 1000) + 1;
    if (catalog->url == NULL)
        return;
    git_stream_register(GIT_STREAM_STANDARD, &registration);
    catalog->is_unbounded = !ssh_finds_sockets();
    if (!catalog->is_unbounded)
        return;
    git_stream_register(GIT_STREAM_STANDARD, NULL);
    (void)shard__git_fail_unbounded(catalog);
    shard__log(catalog->context, SHARD_LOG_WARNING, "catalog-timeout", "%s", shard__error_message());
    shard__clear_error();
}

int shard__git_fail_unbounded(const shard_catalog *catalog)
{
    int major = 0, minor = 0, patch = 0;
    git_libgit2_version(&major, &minor, &patch);
    return shard__fail(SHARD_ENOTSUP,
                       "catalog '%s': remotes that fall silent are waited for without end, as the sockets of libgit2 "
                       "%d.%d.%d are not known to this library",
                       catalog->path, major, minor, patch);
}
