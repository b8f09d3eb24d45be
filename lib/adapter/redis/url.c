/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs of stores: redis://[USER@]HOST[:PORT][/DB], redis+unix://[USER@]/PATH[?db=DB] and
 * redis-sentinel://[USER@]HOST[:PORT][,HOST[:PORT]...]/MASTER[/DB]; rediss:// and rediss-sentinel:// with TLS.
 */

#include "redis.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static char *copy_part(const shard_context *context, const char *text, size_t size)
{
    char *copy = shard__realloc(context, NULL, 0, size + 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

void shard__redis_url_clear(const shard_context *context, struct shard__redis_url *url)
{
    shard__strfree(context, url->host);
    shard__strfree(context, url->unix_socket);
    shard__strfree(context, url->user);
    shard__strfree(context, url->sentinels);
    shard__strfree(context, url->master);
    memset(url, 0, sizeof(*url));
}

static int read_number(const char *url, const char *what, const char *text, size_t size, long high, int32_t *ret_number)
{
    long number = 0;
    if (size == 0 || size > 9)
        return shard__fail(SHARD_EINVAL, "store '%s': %s is not a number up to %ld", url, what, high);
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return shard__fail(SHARD_EINVAL, "store '%s': %s is not a number up to %ld", url, what, high);
        number = number * 10 + (text[i] - '0');
    }
    if (number > high)
        return shard__fail(SHARD_EINVAL, "store '%s': %s is not a number up to %ld", url, what, high);
    *ret_number = (int32_t)number;
    return 0;
}

/* What stands in front of the '@'. */
static int read_user(const shard_context *context, const char *url, const char **rest, struct shard__redis_url *into)
{
    const char *at = strchr(*rest, '@'), *slash = strchr(*rest, '/');
    if (at == NULL || (slash != NULL && slash < at))
        return 0;
    if (memchr(*rest, ':', (size_t)(at - *rest)) != NULL)
        return shard__fail(SHARD_EINVAL, "a store's URL has a password in it, where others can read it; "
                                         "put it into a file or the environment");
    if (at == *rest)
        return shard__fail(SHARD_EINVAL, "store '%s': the user in front of @ is missing", url);
    into->user = copy_part(context, *rest, (size_t)(at - *rest));
    *rest = at + 1;
    return into->user == NULL ? SHARD_ENOMEM : 0;
}

static int read_host(const shard_context *context, const char *url, const char *rest, struct shard__redis_url *into)
{
    size_t size = strcspn(rest, ":/");
    const char *host = rest;
    if (rest[0] == '[') { /* an IPv6 address */
        host = rest + 1;
        size = strcspn(host, "]");
        if (host[size] != ']')
            return shard__fail(SHARD_EINVAL, "store '%s': ']' is missing", url);
        rest = host + size + 1;
    } else {
        rest += size;
    }
    if (size == 0)
        return shard__fail(SHARD_EINVAL, "store '%s': the host is missing", url);
    into->host = copy_part(context, host, size);
    int status = into->host == NULL ? SHARD_ENOMEM : 0;
    if (status == 0 && rest[0] == ':') {
        size = strcspn(++rest, "/");
        status = read_number(url, "the port", rest, size, 65535, &into->port);
        rest += size;
    }
    if (status == 0 && rest[0] == '/' && rest[1] != '\0') {
        into->has_db = 1;
        return read_number(url, "the database", rest + 1, strlen(rest + 1), 1000000, &into->db);
    }
    if (status == 0 && rest[0] != '\0' && rest[0] != '/')
        status = shard__fail(SHARD_EINVAL, "store '%s': '%s' is left over, expected redis://[USER@]HOST[:PORT][/DB]",
                             url, rest);
    return status;
}

static int read_path(const shard_context *context, const char *url, const char *rest, struct shard__redis_url *into)
{
    size_t size = strcspn(rest, "?");
    if (rest[0] != '/')
        return shard__fail(SHARD_EINVAL, "store '%s': the path of the socket is not absolute", url);
    into->unix_socket = copy_part(context, rest, size);
    if (into->unix_socket == NULL)
        return SHARD_ENOMEM;
    if (rest[size] == '\0')
        return 0;
    if (strncmp(rest + size, "?db=", 4) != 0)
        return shard__fail(SHARD_EINVAL, "store '%s': '%s' is not ?db=DB", url, rest + size);
    into->has_db = 1;
    return read_number(url, "the database", rest + size + 4, strlen(rest + size + 4), 1000000, &into->db);
}

int shard__redis_parse_host(const char *text, size_t size, int32_t fallback, const char **ret_host, size_t *ret_size,
                            int32_t *ret_port)
{
    int has_brackets = size > 0 && text[0] == '[';
    const char *host = text + has_brackets, *end = memchr(host, has_brackets ? ']' : ':', size - (size_t)has_brackets);
    const char *last = text + size, *port = end == NULL ? last : end + has_brackets;
    if (end == NULL)
        end = last;
    if (end == host || (has_brackets && end == last) || (port < last && port[0] != ':'))
        return shard__fail(SHARD_EINVAL, "'%.*s' is no HOST[:PORT]", (int)size, text);
    *ret_host = host;
    *ret_size = (size_t)(end - host);
    *ret_port = fallback;
    return port == last ? 0 : read_number(text, "the port", port + 1, (size_t)(last - port - 1), 65535, ret_port);
}

/* Sentinels are kept as they stand; each is looked at here, so that what is wrong is told at once. */
static int read_sentinels(const shard_context *context, const char *url, const char *rest,
                          struct shard__redis_url *into)
{
    size_t size = strcspn(rest, "/"), name = rest[size] == '/' ? strcspn(rest + size + 1, "/") : 0;
    if (name == 0)
        return shard__fail(SHARD_EINVAL,
                           "store '%s': the name of the master is missing, expected "
                           "redis-sentinel://[USER@]HOST[:PORT][,HOST[:PORT]...]/MASTER[/DB]",
                           url);
    for (size_t at = 0; at <= size; into->sentinel_count++) {
        const char *host;
        size_t length = strcspn(rest + at, ",/"), host_size;
        int32_t port;
        int status = shard__redis_parse_host(rest + at, length, 26379, &host, &host_size, &port);
        if (status < 0)
            return status;
        at += length + 1;
    }
    into->sentinels = copy_part(context, rest, size);
    into->master = copy_part(context, rest + size + 1, name);
    if (into->sentinels == NULL || into->master == NULL)
        return SHARD_ENOMEM;
    const char *db = rest + size + 1 + name;
    if (db[0] == '\0' || db[1] == '\0')
        return 0;
    into->has_db = 1;
    return read_number(url, "the database", db + 1, strlen(db + 1), 1000000, &into->db);
}

typedef int (*read_rest)(const shard_context *context, const char *url, const char *rest,
                         struct shard__redis_url *into);

static const struct {
    const char *text;
    read_rest read;
    int has_tls;
} schemes[] = {
    {"redis://", read_host, 0},
    {"rediss://", read_host, 1},
    {"redis+unix://", read_path, 0},
    {"redis-sentinel://", read_sentinels, 0},
    {"rediss-sentinel://", read_sentinels, 1},
};

int shard__redis_parse_url(const shard_context *context, const char *url, struct shard__redis_url *ret_url)
{
    enum { COUNT = sizeof(schemes) / sizeof(schemes[0]) };
    struct shard__redis_url parsed = {0};
    int i = 0;
    while (i < COUNT && strncmp(url, schemes[i].text, strlen(schemes[i].text)) != 0)
        i++;
    if (i == COUNT)
        return shard__fail(SHARD_EINVAL,
                           "store '%s' is no URL of a Redis server, expected redis://, rediss://, redis+unix://, "
                           "redis-sentinel:// or rediss-sentinel://",
                           url);
    const char *rest = url + strlen(schemes[i].text);
    parsed.has_tls = schemes[i].has_tls;
    int status = read_user(context, url, &rest, &parsed);
    if (status == 0)
        status = schemes[i].read(context, url, rest, &parsed);
    if (status < 0) {
        shard__redis_url_clear(context, &parsed);
        return status;
    }
    *ret_url = parsed;
    return 0;
}
