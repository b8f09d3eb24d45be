/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <check.h>

enum { LONGEST_DELAY = 12, LONGEST_LATE = 40 };

const char *const redis_proxy_fate_names[] = {
#define NAME(name) #name,
    REDIS_PROXY_FATES(NAME)
#undef NAME
};

static uint64_t draw(struct redis_proxy *proxy)
{
    uint64_t z = proxy->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void append(struct redis_proxy_bytes *bytes, const char *data, size_t size)
{
    if (bytes->size + size + 1 > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size + 1);
        bytes->data = realloc(bytes->data, bytes->capacity);
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    bytes->data[bytes->size] = '\0';
}

static void drop(struct redis_proxy_bytes *bytes)
{
    free(bytes->data);
    memset(bytes, 0, sizeof(*bytes));
}

/* Where the value of the protocol that begins at `data` ends; NULL: it is not whole. */
static const char *end_of(const char *data, const char *end)
{
    const char *line = data < end ? memchr(data, '\n', (size_t)(end - data)) : NULL;
    if (line == NULL)
        return NULL;
    long number = strtol(data + 1, NULL, 10);
    const char *at = line + 1;
    if (*data == '$' && number >= 0)
        return end - at >= number + 2 ? at + number + 2 : NULL;
    for (long i = 0; *data == '*' && i < number && at != NULL; i++)
        at = end_of(at, end);
    return at;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "%s: %s", path, strerror(errno));
    return fd;
}

/* Sends a request and waits for the whole reply. */
static void exchange(int fd, const char *request, size_t size, struct redis_proxy_bytes *ret_reply)
{
    char buffer[65536];
    for (size_t at = 0; at < size;) {
        ssize_t sent = send(fd, request + at, size - at, MSG_NOSIGNAL);
        ck_assert_int_gt(sent, 0);
        at += (size_t)sent;
    }
    while (ret_reply->size == 0 || end_of(ret_reply->data, ret_reply->data + ret_reply->size) == NULL) {
        ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
        ck_assert_int_gt(got, 0);
        append(ret_reply, buffer, (size_t)got);
    }
}

void redis_proxy_open(struct redis_proxy *proxy, const char *path, const char *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    proxy->server = server;
    snprintf(proxy->path, sizeof(proxy->path), "%s", path);
    snprintf(proxy->url, sizeof(proxy->url), "redis+unix://%s", path);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    proxy->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(proxy->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(proxy->listen_fd, 16), 0);
    proxy->back_fd = connect_to(server);
    for (int i = 0; i < REDIS_PROXY_CLIENTS; i++)
        proxy->clients[i].fd = proxy->clients[i].server_fd = -1;
}

static void cut(struct redis_proxy_client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
        close(client->server_fd);
    }
    drop(&client->asked);
    for (int i = 0; i < client->reply_count; i++)
        drop(&client->replies[i].bytes);
    free(client->replies);
    *client = (struct redis_proxy_client){.fd = -1, .server_fd = -1};
}

void redis_proxy_cut(struct redis_proxy *proxy)
{
    for (int i = 0; i < REDIS_PROXY_CLIENTS; i++)
        cut(&proxy->clients[i]);
}

void redis_proxy_begin(struct redis_proxy *proxy, uint64_t seed, double trouble)
{
    redis_proxy_cut(proxy);
    for (int fd; (fd = accept(proxy->listen_fd, NULL, NULL)) >= 0;)
        close(fd);
    for (int i = 0; i < proxy->late_count; i++)
        drop(&proxy->late[i].bytes);
    proxy->late_count = 0;
    proxy->random = seed;
    proxy->trouble = trouble;
    proxy->turn = 0;
    proxy->say_count = 0;
}

void redis_proxy_close(struct redis_proxy *proxy)
{
    redis_proxy_begin(proxy, 0, 0);
    close(proxy->listen_fd);
    close(proxy->back_fd);
    unlink(proxy->path);
}

const char *redis_proxy_ask(struct redis_proxy *proxy, const char *const *words)
{
    static struct redis_proxy_bytes request, reply;
    char head[32];
    int count = 0;
    request.size = reply.size = 0;
    while (words[count] != NULL)
        count++;
    append(&request, head, (size_t)snprintf(head, sizeof(head), "*%d\r\n", count));
    for (int i = 0; i < count; i++) {
        append(&request, head, (size_t)snprintf(head, sizeof(head), "$%zu\r\n", strlen(words[i])));
        append(&request, words[i], strlen(words[i]));
        append(&request, "\r\n", 2);
    }
    exchange(proxy->back_fd, request.data, request.size, &reply);
    return reply.data;
}

void redis_proxy_swap(struct redis_proxy *proxy, const char *sha1, const char *text)
{
    const char *const words[] = {"SCRIPT", "LOAD", text, NULL};
    const char *reply = redis_proxy_ask(proxy, words);
    ck_assert_msg(strncmp(reply, "$40", 3) == 0, "%s", reply);
    snprintf(proxy->asked_sha1[proxy->swap_count], 41, "%s", sha1);
    snprintf(proxy->given_sha1[proxy->swap_count++], 41, "%.40s", reply + 5);
}

void redis_proxy_say(struct redis_proxy *proxy, const char *word, const char *reply, int times)
{
    proxy->says[proxy->say_count].word = word;
    proxy->says[proxy->say_count].reply = reply;
    proxy->says[proxy->say_count].size = strlen(reply);
    proxy->says[proxy->say_count].zeroes = 0;
    proxy->says[proxy->say_count++].times = times;
}

void redis_proxy_say_long(struct redis_proxy *proxy, const char *word, const char *reply, size_t zeroes)
{
    redis_proxy_say(proxy, word, reply, 1);
    proxy->says[proxy->say_count - 1].zeroes = zeroes;
}

/* What a store asks a script by stands in the first lines of the request. */
static void swap_scripts(const struct redis_proxy *proxy, char *request, size_t size)
{
    for (int i = 0; i < proxy->swap_count; i++) {
        char *found = memmem(request, size < 100 ? size : 100, proxy->asked_sha1[i], 40);
        if (found != NULL)
            memcpy(found, proxy->given_sha1[i], 40);
    }
}

static void add_reply(struct redis_proxy_client *client, const char *data, size_t size, int64_t due, int cuts)
{
    if (client->reply_count == client->reply_capacity) {
        client->reply_capacity = 2 * client->reply_capacity + 8;
        client->replies = realloc(client->replies, sizeof(*client->replies) * (size_t)client->reply_capacity);
    }
    struct redis_proxy_letter letter = {.due = due, .cuts = cuts};
    append(&letter.bytes, data, size);
    client->replies[client->reply_count++] = letter;
}

static void send_late(struct redis_proxy *proxy, const char *request, size_t size)
{
    if (proxy->late_count == REDIS_PROXY_MOST_LATE)
        return;
    struct redis_proxy_letter letter = {.due = proxy->turn + 1 + (int64_t)(draw(proxy) % LONGEST_LATE)};
    append(&letter.bytes, request, size);
    proxy->late[proxy->late_count++] = letter;
}

static void bring_late(struct redis_proxy *proxy)
{
    for (int i = 0; i < proxy->late_count; i++) {
        struct redis_proxy_letter letter = proxy->late[i];
        struct redis_proxy_bytes reply = {0};
        if (letter.due > proxy->turn)
            continue;
        proxy->late[i--] = proxy->late[--proxy->late_count];
        exchange(proxy->back_fd, letter.bytes.data, letter.bytes.size, &reply);
        drop(&reply);
        drop(&letter.bytes);
    }
}

/* 1 when the server is not asked. */
static int is_said(struct redis_proxy *proxy, struct redis_proxy_client *client, const char *request, size_t size)
{
    for (int i = 0; i < proxy->say_count; i++) {
        const char *word = proxy->says[i].word;
        if (proxy->says[i].times <= 0 || memmem(request, size < 200 ? size : 200, word, strlen(word)) == NULL)
            continue;
        proxy->says[i].times--;
        add_reply(client, proxy->says[i].reply, proxy->says[i].size, proxy->turn, 0);
        client->replies[client->reply_count - 1].zeroes = proxy->says[i].zeroes;
        return 1;
    }
    return 0;
}

/* One whole request. 0: the connection is gone. */
static int take_request(struct redis_proxy *proxy, struct redis_proxy_client *client, char *request, size_t size)
{
    if (is_said(proxy, client, request, size))
        return 1;
    enum redis_proxy_fate fate = REDIS_PROXY_PASSED;
    struct redis_proxy_bytes reply = {0};
    swap_scripts(proxy, request, size);
    if ((double)(draw(proxy) >> 11) * 0x1p-53 < proxy->trouble)
        fate = (enum redis_proxy_fate)(1 + draw(proxy) % (REDIS_PROXY_FATE_COUNT - 1));
    proxy->fates[fate]++;
    if (fate == REDIS_PROXY_LATE_COPY || fate == REDIS_PROXY_LATE)
        send_late(proxy, request, size);
    if (fate == REDIS_PROXY_CUT_BEFORE || fate == REDIS_PROXY_LATE) {
        cut(client);
        return 0;
    }
    if (fate == REDIS_PROXY_DOUBLED) {
        exchange(proxy->back_fd, request, size, &reply);
        reply.size = 0;
    }
    exchange(client->server_fd, request, size, &reply);
    client->is_silent |= fate == REDIS_PROXY_SILENT;
    int64_t due = proxy->turn + (fate == REDIS_PROXY_DELAYED ? 1 + (int64_t)(draw(proxy) % LONGEST_DELAY) : 0);
    if (fate == REDIS_PROXY_CUT_IN_REPLY)
        reply.size = 1 + draw(proxy) % (reply.size - 1);
    if (fate != REDIS_PROXY_CUT_AFTER)
        add_reply(client, reply.data, reply.size, due, fate == REDIS_PROXY_CUT_IN_REPLY);
    else
        cut(client);
    drop(&reply);
    return fate != REDIS_PROXY_CUT_AFTER;
}

static int take_requests(struct redis_proxy *proxy, struct redis_proxy_client *client)
{
    char buffer[65536];
    ssize_t got;
    int moved = 0;
    while ((got = recv(client->fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
        append(&client->asked, buffer, (size_t)got);
    int is_closed = got == 0;
    size_t at = 0;
    while (at < client->asked.size) {
        char *begin = client->asked.data + at;
        const char *end = end_of(begin, client->asked.data + client->asked.size);
        if (end == NULL)
            break;
        at += (size_t)(end - begin);
        moved = 1;
        if (!take_request(proxy, client, begin, (size_t)(end - begin)))
            return 1;
    }
    if (at > 0) {
        memmove(client->asked.data, client->asked.data + at, client->asked.size - at);
        client->asked.size -= at;
    }
    if (is_closed)
        cut(client);
    return moved;
}

/* 1 when all is sent, 0 when the client does not read, -1 when it is gone. */
static int send_letter(struct redis_proxy *proxy, const struct redis_proxy_client *client,
                       struct redis_proxy_letter *letter)
{
    static const char zeroes[1 << 16];
    size_t size = letter->bytes.size, whole = size + letter->zeroes;
    while (letter->at < whole) {
        int is_zero = letter->at >= size;
        size_t left = is_zero ? whole - letter->at : size - letter->at;
        ssize_t sent = send(client->fd, is_zero ? zeroes : letter->bytes.data + letter->at,
                            is_zero && left > sizeof(zeroes) ? sizeof(zeroes) : left, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return errno == EAGAIN ? 0 : -1;
        letter->at += (size_t)sent;
        proxy->zeroes_sent += is_zero ? (size_t)sent : 0;
    }
    return 1;
}

static int bring_replies(struct redis_proxy *proxy, struct redis_proxy_client *client)
{
    int count = 0, moved = 0;
    while (count < client->reply_count && client->replies[count].due <= proxy->turn && !client->is_silent) {
        struct redis_proxy_letter *letter = &client->replies[count];
        int sent = send_letter(proxy, client, letter);
        if (sent == 0) {
            moved = 1;
            break;
        }
        if (sent < 0 || letter->cuts) {
            cut(client);
            return 1;
        }
        drop(&letter->bytes);
        count++;
    }
    client->reply_count -= count;
    if (count > 0)
        memmove(client->replies, client->replies + count, sizeof(*client->replies) * (size_t)client->reply_count);
    return moved || count > 0;
}

int redis_proxy_turn(struct redis_proxy *proxy)
{
    int moved = 0, may_come = 1;
    proxy->turn++;
    bring_late(proxy);
    for (int i = 0; i < REDIS_PROXY_CLIENTS; i++) {
        struct redis_proxy_client *client = &proxy->clients[i];
        if (client->fd < 0 && may_come) {
            client->fd = accept(proxy->listen_fd, NULL, NULL);
            may_come = client->fd >= 0;
            if (may_come)
                client->server_fd = connect_to(proxy->server);
        }
        if (client->fd >= 0)
            moved |= take_requests(proxy, client);
        if (client->fd >= 0)
            moved |= bring_replies(proxy, client);
    }
    return moved;
}
