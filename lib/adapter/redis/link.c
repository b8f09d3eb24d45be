/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the server: made without waiting, read and written as far as the socket goes, made again with a
 * back-off when it breaks. Replies come in the order of commands; a ring says what the next one is for.
 */

#include "redis.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/context.h"
#include "base/error.h"

enum { READ_BYTES = 65536, MOST_READS = 32 };
/* No reply of this store's commands is that long, as all that is long is read in pages; it would only eat memory. */
enum { MOST_REPLY_BYTES = 64 << 20 };
#define CONNECT_NS INT64_C(5000000000)
#define FIRST_PAUSE_NS INT64_C(20000000)
#define LONGEST_PAUSE_NS INT64_C(1000000000)

int shard__redis_expect(struct shard__redis_store *store, enum shard__redis_expect kind, struct shard__redis_call *call)
{
    struct shard__redis_link *link = &store->link;
    if (link->ring_count == link->ring_capacity) {
        size_t old = link->ring_capacity;
        if (shard__grow(store->context, &link->ring, &link->ring_capacity, old + 1, sizeof(*link->ring)) < 0)
            return SHARD_ENOMEM;
        /* What had wrapped around goes behind the old end; the ring has at least doubled. */
        if (link->ring_head > 0 && old > 0) {
            size_t tail = old - link->ring_head;
            memmove(&link->ring[link->ring_capacity - tail], &link->ring[link->ring_head], tail * sizeof(*link->ring));
            link->ring_head = link->ring_capacity - tail;
        }
    }
    if (link->ring_count == 0)
        link->silent_since_ns = shard__now_ns(store->context);
    link->ring[(link->ring_head + link->ring_count) % link->ring_capacity] = (struct shard__redis_expected){kind, call};
    link->ring_count++;
    return 0;
}

void shard__redis_put(struct shard__redis_store *store, const struct shard__redis_command *command)
{
    char head[16];
    int length = snprintf(head, sizeof(head), "*%d\r\n", command->argc);
    shard__bytes_append(&store->link.out, head, (size_t)length);
    shard__bytes_append(&store->link.out, command->body.data, command->body.size);
    if (command->body.status < 0)
        store->link.out.status = command->body.status;
}

int shard__redis_put_words(struct shard__redis_store *store, enum shard__redis_expect kind,
                           struct shard__redis_call *call, const char *const *words)
{
    struct shard__redis_command command;
    shard__redis_command_init(&command, store->context);
    for (; *words != NULL; words++)
        shard__redis_text(&command, *words);
    int status = shard__redis_expect(store, kind, call);
    if (status == 0)
        shard__redis_put(store, &command);
    shard__redis_command_clear(&command);
    return status;
}

static void watch(struct shard__redis_store *store, int wants_write)
{
    struct shard__redis_link *link = &store->link;
    if (link->wants_write == wants_write)
        return;
    struct epoll_event event = {.events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.fd = link->fd};
    link->wants_write = wants_write;
    epoll_ctl(store->epoll_fd, EPOLL_CTL_MOD, link->fd, &event);
}

static void hang_up(struct shard__redis_store *store)
{
    struct shard__redis_link *link = &store->link;
    if (link->fd >= 0)
        close(link->fd);
    if (store->transport != NULL)
        store->transport->end(store);
    redisReaderFree(link->reader);
    link->fd = -1;
    link->reader = NULL;
    link->unparsed_bytes = 0;
    link->ring_head = link->ring_count = 0;
    shard__bytes_free(&link->out);
    shard__bytes_init(&link->out, store->context);
    link->out_at = 0;
    memset(link->loaded, 0, sizeof(link->loaded));
    link->state = SHARD__REDIS_DOWN;
    shard__redis_unsend_all(store);
}

void shard__redis_link_go(struct shard__redis_store *store, const char *host, size_t size, int32_t port)
{
    char *copy = shard__realloc(store->context, NULL, 0, size + 1);
    if (copy == NULL) {
        shard__redis_link_break(store, "no memory for a connection");
        return;
    }
    memcpy(copy, host, size);
    copy[size] = '\0';
    shard__strfree(store->context, store->host);
    store->host = copy;
    store->port = port;
    store->link.is_to_sentinel = store->link.is_asking = 0;
    store->link.next_ns = 0;
    hang_up(store);
    shard__log(store->context, SHARD_LOG_INFO, "store-link", "store '%s': goes to %s:%d", store->name, copy, port);
}

/* Sentinels take turns, and are asked again when the master that they named is lost. */
static void lose_server(struct shard__redis_store *store)
{
    if (store->master == NULL)
        return;
    if (store->link.is_to_sentinel)
        store->sentinel_at = (store->sentinel_at + 1) % store->sentinel_count;
    store->link.is_to_sentinel = 0;
    store->has_master = 0;
}

void shard__redis_link_break(struct shard__redis_store *store, const char *format, ...)
{
    struct shard__redis_link *link = &store->link;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(link->trouble, sizeof(link->trouble), format, arguments);
    va_end(arguments);
    hang_up(store);
    shard__log(store->context, SHARD_LOG_INFO, "store-link", "store '%s': %s", store->name, link->trouble);
    int64_t pause_ns = FIRST_PAUSE_NS << (link->failures < 6 ? link->failures : 6);
    if (pause_ns > LONGEST_PAUSE_NS)
        pause_ns = LONGEST_PAUSE_NS;
    /* Half of it by lot, so that the clients of a server that restarts do not come all at once. */
    store->random = store->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    pause_ns = pause_ns / 2 + (int64_t)(store->random >> 33) % (pause_ns / 2);
    link->next_ns = shard__now_ns(store->context) + pause_ns;
    link->failures++;
    lose_server(store);
    /* A server that never was there will not be waited for: a wrong address is told at once. */
    if (!link->was_up && store->first != NULL && link->failures > store->sentinel_count)
        shard__redis_end_all(store, shard__fail(SHARD_EIO, "store '%s': %.200s", store->name, link->trouble));
}

/* What sending or receiving returned ended the connection; TLS has its own words for it. */
static void broke(struct shard__redis_store *store, ssize_t returned)
{
    char why[sizeof(store->link.trouble)];
    snprintf(why, sizeof(why), "%s", returned == 0 ? "the server closed it" : strerror(errno));
    if (store->transport == NULL) {
        shard__redis_link_break(store, "the connection broke: %s", why);
        return;
    }
    memcpy(why, store->link.trouble, sizeof(why));
    shard__redis_link_break(store, "%s", why);
}

static void established(struct shard__redis_store *store)
{
    store->link.state = SHARD__REDIS_GREETING;
    store->link.reader = redisReaderCreate();
    if (store->link.reader == NULL || shard__redis_greet(store) < 0)
        shard__redis_link_break(store, "no memory for a connection");
}

static void go_on_securing(struct shard__redis_store *store)
{
    int wants_write = 0;
    int status = store->transport->shake(store, &wants_write);
    if (status == 1)
        established(store);
    else if (status == 0)
        watch(store, wants_write);
    else
        broke(store, status);
}

static void connected(struct shard__redis_store *store)
{
    store->link.state = SHARD__REDIS_SECURING;
    if (store->transport == NULL)
        established(store);
    else if (store->transport->begin(store) < 0)
        shard__redis_link_break(store, "no memory for a connection");
    else
        go_on_securing(store);
}

static void connect_to(struct shard__redis_store *store, const struct shard__redis_address *address)
{
    struct shard__redis_link *link = &store->link;
    struct sockaddr_storage name;
    memset(&name, 0, sizeof(name));
    memcpy(&name, address->bytes, address->size);
    link->fd = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.fd = link->fd};
    if (link->fd < 0 || epoll_ctl(store->epoll_fd, EPOLL_CTL_ADD, link->fd, &event) < 0) {
        shard__redis_link_break(store, "no socket is to be had: %s", strerror(errno));
        return;
    }
    link->wants_write = 1;
    if (connect(link->fd, (const struct sockaddr *)&name, address->size) == 0)
        connected(store);
    else if (errno == EINPROGRESS)
        link->state = SHARD__REDIS_CONNECTING;
    else
        shard__redis_link_break(store, "the server cannot be reached: %s", strerror(errno));
}

static void begin(struct shard__redis_store *store, int64_t now_ns)
{
    struct shard__redis_address address = {.size = 0};
    store->link.deadline_ns = now_ns + CONNECT_NS;
    if (store->master != NULL && !store->has_master && shard__redis_turn_to_sentinel(store) < 0) {
        shard__redis_link_break(store, "%s", shard__redis_trouble(store));
        return;
    }
    if (shard__redis_numeric(store, &address)) {
        connect_to(store, &address);
    } else if (shard__redis_lookup_start(store) < 0) {
        shard__redis_link_break(store, "%s", shard__redis_trouble(store));
    } else {
        store->link.state = SHARD__REDIS_RESOLVING;
    }
}

static void go_on_resolving(struct shard__redis_store *store)
{
    struct shard__redis_address address;
    int status = shard__redis_lookup_take(store, &address);
    if (status < 0)
        shard__redis_link_break(store, "%s", shard__redis_trouble(store));
    else if (status == 1)
        connect_to(store, &address);
}

static void go_on_connecting(struct shard__redis_store *store)
{
    int error = 0;
    socklen_t size = sizeof(error);
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof(peer);
    if (getsockopt(store->link.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0) {
        shard__redis_link_break(store, "the server cannot be reached: %s", strerror(error));
    } else if (getpeername(store->link.fd, (struct sockaddr *)&peer, &peer_size) == 0) {
        connected(store);
    }
}

void shard__redis_flush(struct shard__redis_store *store)
{
    struct shard__redis_link *link = &store->link;
    if (link->state < SHARD__REDIS_GREETING)
        return;
    if (link->out.status < 0) {
        shard__redis_link_break(store, "no memory for what is to be sent");
        return;
    }
    while (link->out_at < link->out.size) {
        const char *bytes = link->out.data + link->out_at;
        size_t size = link->out.size - link->out_at;
        ssize_t sent = store->transport != NULL ? store->transport->put(store, bytes, size)
                                                : send(link->fd, bytes, size, MSG_NOSIGNAL);
        if (sent > 0) {
            link->out_at += (size_t)sent;
        } else if (errno == EAGAIN) {
            watch(store, 1);
            return;
        } else if (errno != EINTR) {
            broke(store, sent);
            return;
        }
    }
    link->out.size = 0;
    link->out_at = 0;
    watch(store, 0);
}

/* Hands out the replies that are whole. */
static void take_replies(struct shard__redis_store *store)
{
    struct shard__redis_link *link = &store->link;
    while (link->state >= SHARD__REDIS_GREETING) {
        void *object = NULL;
        if (redisReaderGetReply(link->reader, &object) != REDIS_OK) {
            shard__redis_link_break(store, "the server's reply cannot be read: %.100s", link->reader->errstr);
            return;
        }
        if (object == NULL)
            return;
        redisReply *reply = object;
        link->unparsed_bytes = 0;
        if (link->ring_count == 0) {
            shard__redis_link_break(store, "the server replied to nothing%s%.100s",
                                    reply->type == REDIS_REPLY_ERROR ? ": " : "",
                                    reply->type == REDIS_REPLY_ERROR ? reply->str : "");
            freeReplyObject(object);
            return;
        }
        struct shard__redis_expected expected = link->ring[link->ring_head];
        link->ring_head = (link->ring_head + 1) % link->ring_capacity;
        link->ring_count--;
        link->silent_since_ns = shard__now_ns(store->context);
        if (expected.kind <= SHARD__REDIS_EXPECT_CONFIG)
            shard__redis_greeted(store, &expected, reply);
        else if (expected.kind != SHARD__REDIS_EXPECT_NOTHING)
            shard__redis_replied(store, &expected, reply);
        freeReplyObject(object);
    }
}

static void receive(struct shard__redis_store *store)
{
    static const char too_long[] = "the server's reply is longer than any that was asked for";
    struct shard__redis_link *link = &store->link;
    for (int i = 0; i < MOST_READS && link->state >= SHARD__REDIS_GREETING; i++) {
        char buffer[READ_BYTES];
        ssize_t bytes = store->transport != NULL ? store->transport->take(store, buffer, sizeof(buffer))
                                                 : recv(link->fd, buffer, sizeof(buffer), 0);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0 && errno == EAGAIN)
            return;
        if (bytes <= 0) {
            broke(store, bytes);
            return;
        }
        link->unparsed_bytes += (size_t)bytes;
        if (link->unparsed_bytes > MOST_REPLY_BYTES) {
            if (link->ring_count > 0 && link->ring[link->ring_head].call != NULL)
                shard__redis_end(store, link->ring[link->ring_head].call,
                                 shard__fail(SHARD_ELIMIT, "store '%s': %s", store->name, too_long));
            shard__redis_link_break(store, "%s", too_long);
            return;
        }
        if (redisReaderFeed(link->reader, buffer, (size_t)bytes) != REDIS_OK) {
            shard__redis_link_break(store, "no memory for a reply");
            return;
        }
        take_replies(store);
        if (store->transport == NULL && (size_t)bytes < sizeof(buffer))
            return;
    }
}

/* A server that is silent for half of what a call may take is not waited for on this connection. */
static int64_t silence_ends_ns(const struct shard__redis_store *store)
{
    const struct shard__redis_link *link = &store->link;
    if (link->state < SHARD__REDIS_UP)
        return link->deadline_ns;
    int64_t patience_ns = store->timeout_ns / 2, wait_ns = store->wait_ms * INT64_C(1000000);
    /* Where sentinels can name another master, one that vanished without a word is to cost less than a lease. */
    if (store->master != NULL && patience_ns > CONNECT_NS + wait_ns)
        patience_ns = CONNECT_NS + wait_ns;
    return link->ring_count == 0 ? INT64_MAX : shard__later_ns(link->silent_since_ns, patience_ns);
}

int shard__redis_link_step(struct shard__redis_store *store, int64_t now_ns)
{
    struct shard__redis_link *link = &store->link;
    if (link->state == SHARD__REDIS_DOWN && store->first != NULL && now_ns >= link->next_ns)
        begin(store, now_ns);
    if (link->state == SHARD__REDIS_RESOLVING)
        go_on_resolving(store);
    if (link->state == SHARD__REDIS_CONNECTING)
        go_on_connecting(store);
    else if (link->state == SHARD__REDIS_SECURING)
        go_on_securing(store);
    if (link->state >= SHARD__REDIS_GREETING)
        shard__redis_flush(store);
    if (link->state >= SHARD__REDIS_GREETING)
        receive(store);
    if (link->state != SHARD__REDIS_DOWN && now_ns >= silence_ends_ns(store)) {
        int is_securing = link->state == SHARD__REDIS_SECURING;
        shard__redis_lookup_forget(store);
        shard__redis_link_break(store, "the server does not answer%s",
                                is_securing ? "; is that its port for TLS?" : "");
    }
    return 0;
}

int64_t shard__redis_link_next_ns(const struct shard__redis_store *store)
{
    if (store->link.state != SHARD__REDIS_DOWN)
        return silence_ends_ns(store);
    return store->first != NULL ? store->link.next_ns : INT64_MAX;
}
