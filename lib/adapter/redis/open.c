/* SPDX-License-Identifier: Apache-2.0 */
/* Opening: the configuration, the descriptors. Nothing here talks to the server. */

#include "redis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "adapter/common/check.h"
#include "base/context.h"
#include "base/error.h"

static void forget_login(const shard_context *context, struct shard__redis_login *login)
{
    if (login->password != NULL)
        explicit_bzero(login->password, strlen(login->password));
    shard__strfree(context, login->password);
    shard__strfree(context, login->user);
}

void shard__redis_free(struct shard__redis_store *store)
{
    const shard_context *context = store->context;
    while (store->first != NULL) {
        struct shard__redis_call *call = store->first;
        store->first = call->next;
        shard__redis_call_free(store, call);
    }
    shard__redis_lookup_forget(store);
    const int descriptors[] = {store->link.fd, store->timer_fd, store->wake_fd, store->epoll_fd};
    for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    if (store->transport != NULL)
        store->transport->close(store);
    if (store->link.reader != NULL)
        redisReaderFree(store->link.reader);
    shard__bytes_free(&store->link.out);
    shard__release(context, store->link.ring, store->link.ring_capacity * sizeof(*store->link.ring));
    for (size_t i = 0; i < store->held_count; i++)
        shard__strfree(context, store->held[i].run);
    shard__release(context, store->held, store->held_capacity * sizeof(*store->held));
    shard__strfree(context, store->name);
    shard__strfree(context, store->host);
    shard__strfree(context, store->unix_socket);
    shard__strfree(context, store->sentinels);
    shard__strfree(context, store->master);
    forget_login(context, &store->login);
    forget_login(context, &store->sentinel_login);
    shard__strfree(context, store->prefix);
    shard__release(context, store, sizeof(*store));
}

static int read_password(const shard_context *context, const char *path, char **ret_password)
{
    char line[1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (bytes < 0)
        return shard__fail_errno(SHARD_EIO, error, "password file '%s' cannot be read", path);
    line[bytes] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    if (line[0] == '\0')
        return shard__fail(SHARD_EINVAL, "password file '%s': its first line is empty", path);
    *ret_password = shard__strdup(context, line);
    explicit_bzero(line, sizeof(line));
    return *ret_password == NULL ? SHARD_ENOMEM : 0;
}

static int check_config(const struct shard_redis_store_config *config)
{
    if (config->port < 0 || config->port > 65535 || config->db < 0 || config->wait_replicas < 0 ||
        config->wait_ms < 0 || config->waitaof < 0 || config->timeout_ms < 0)
        return shard__fail(SHARD_EINVAL, "redis store: port, db, wait_replicas, wait_ms or timeout_ms is out of "
                                         "range");
    if (config->prefix != NULL &&
        (config->prefix[0] == '\0' || strlen(config->prefix) > 100 || strpbrk(config->prefix, "{}") != NULL))
        return shard__fail(SHARD_EINVAL, "redis store: prefix '%s' is empty, longer than 100 bytes or has braces",
                           config->prefix);
    return 0;
}

static char *copy(const shard_context *context, const char *text, const char *fallback)
{
    return shard__strdup(context, text != NULL ? text : fallback);
}

static int take_place(struct shard__redis_store *store, const struct shard_redis_store_config *config)
{
    struct shard__redis_url url = {0};
    int status = config->url == NULL ? 0 : shard__redis_parse_url(store->context, config->url, &url);
    if (status < 0)
        return status;
    int has_tls = url.has_tls || config->tls;
    const char *path = url.unix_socket != NULL ? url.unix_socket : config->url == NULL ? config->unix_socket : NULL;
    store->unix_socket = copy(store->context, path, NULL);
    store->host = copy(store->context, url.host != NULL ? url.host : config->host, "127.0.0.1");
    store->login.user = copy(store->context, url.user != NULL ? url.user : config->user, NULL);
    store->port = url.port != 0 ? url.port : config->port != 0 ? config->port : 6379;
    store->db = url.has_db ? url.db : config->db;
    store->sentinels = url.sentinels;
    store->master = url.master;
    store->sentinel_count = url.sentinel_count;
    url.sentinels = url.master = NULL;
    shard__redis_url_clear(store->context, &url);
    if (store->host == NULL || (path != NULL && store->unix_socket == NULL))
        return SHARD_ENOMEM;
    if (store->unix_socket != NULL && strlen(store->unix_socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return shard__fail(SHARD_EINVAL, "redis store: the path of the socket is longer than %zu bytes",
                           sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    char name[512];
    if (store->unix_socket != NULL)
        snprintf(name, sizeof(name), "redis+unix://%s?db=%d", store->unix_socket, store->db);
    else if (store->master != NULL)
        snprintf(name, sizeof(name), "redis%s-sentinel://%.300s/%.100s/%d", has_tls ? "s" : "", store->sentinels,
                 store->master, store->db);
    else
        snprintf(name, sizeof(name), "redis%s://%s:%d/%d", has_tls ? "s" : "", store->host, store->port, store->db);
    store->name = shard__strdup(store->context, name);
    if (store->name == NULL)
        return SHARD_ENOMEM;
    if (has_tls && store->unix_socket != NULL)
        return shard__fail(SHARD_EINVAL, "store '%s': a server has no TLS on its unix socket", store->name);
    return has_tls ? shard__redis_tls_open(store, config) : 0;
}

static int take_password(const shard_context *context, const char *password, const char *file,
                         struct shard__redis_login *login)
{
    if (login->user != NULL && password == NULL && file == NULL)
        return shard__fail(SHARD_EINVAL, "redis store: user '%s' has no password", login->user);
    if (password == NULL)
        return file == NULL ? 0 : read_password(context, file, &login->password);
    login->password = shard__strdup(context, password);
    return login->password == NULL ? SHARD_ENOMEM : 0;
}

static int take_config(struct shard__redis_store *store, const struct shard_redis_store_config *config)
{
    int status = check_config(config);
    if (status == 0)
        status = take_place(store, config);
    if (status == 0)
        status = take_password(store->context, config->password, config->password_file, &store->login);
    store->sentinel_login.user = copy(store->context, config->sentinel_user, NULL);
    if (status == 0)
        status = take_password(store->context, config->sentinel_password, config->sentinel_password_file,
                               &store->sentinel_login);
    if (status < 0)
        return status;
    store->prefix = copy(store->context, config->prefix, "shard");
    if (store->prefix == NULL || (config->sentinel_user != NULL && store->sentinel_login.user == NULL))
        return SHARD_ENOMEM;
    store->wait_replicas = config->wait_replicas;
    store->wait_ms = config->wait_ms == 0 ? 1000 : config->wait_ms;
    store->waitaof = config->waitaof;
    store->timeout_ns = (config->timeout_ms == 0 ? 30000 : config->timeout_ms) * INT64_C(1000000);
    return shard__check_keep("redis store", config->keep_samples, config->keep_seconds, config->keep_outcomes,
                             config->keep_outcome_seconds, config->keep_records, &store->keep);
}

static int open_descriptors(struct shard__redis_store *store)
{
    unsigned char bytes[16];
    store->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    store->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    store->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (store->epoll_fd < 0 || store->timer_fd < 0 || store->wake_fd < 0)
        return shard__fail_errno(SHARD_EIO, errno, "cannot make the descriptors of a store");
    const int watched[] = {store->timer_fd, store->wake_fd};
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = watched[i]};
        if (epoll_ctl(store->epoll_fd, EPOLL_CTL_ADD, watched[i], &event) < 0)
            return shard__fail_errno(SHARD_EIO, errno, "cannot watch the descriptors of a store");
    }
    /* Two handles must never be the same, whatever seed they were given. */
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return shard__fail_errno(SHARD_EIO, errno, "no random number is to be had");
    for (int i = 0; i < 16; i++)
        snprintf(store->handle + 2 * i, 3, "%02x", bytes[i]);
    memcpy(&store->random, bytes, sizeof(store->random));
    return 0;
}

int shard_redis_store_open(shard_context *context, const struct shard_redis_store_config *config,
                           struct shard_store_handle *ret_store)
{
    shard__clear_error();
    struct shard_redis_store_config ours = {0};
    int status = config == NULL ? 0 : shard__take_struct(&ours, sizeof(ours), config, "redis store config");
    if (status < 0)
        return status;
    struct shard__redis_store *store = shard__zalloc(context, sizeof(*store));
    if (store == NULL)
        return SHARD_ENOMEM;
    store->context = context;
    store->epoll_fd = store->timer_fd = store->wake_fd = store->link.fd = -1;
    store->armed_ns = INT64_MAX;
    shard__bytes_init(&store->link.out, context);
    status = take_config(store, &ours);
    if (status == 0)
        status = open_descriptors(store);
    if (status < 0) {
        shard__redis_free(store);
        return status;
    }
    *ret_store = (struct shard_store_handle){.port = &shard__redis_port, .self = store};
    return 0;
}
