/* SPDX-License-Identifier: Apache-2.0 */
/* From host to address. What is numeric is there at once; names are looked up where the offload hook says. */

#include "redis.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/context.h"
#include "base/error.h"

static int find_address(const char *host, int32_t port, int flags, struct shard__redis_address *ret_address)
{
    char service[16];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    snprintf(service, sizeof(service), "%d", port);
    int error = getaddrinfo(host, service, &hints, &found);
    if (error != 0)
        return error;
    if (found->ai_addrlen <= sizeof(ret_address->bytes)) {
        memcpy(ret_address->bytes, found->ai_addr, found->ai_addrlen);
        ret_address->size = (uint32_t)found->ai_addrlen;
    } else {
        error = EAI_FAMILY;
    }
    freeaddrinfo(found);
    return error;
}

int shard__redis_numeric(const struct shard__redis_store *store, struct shard__redis_address *ret_address)
{
    if (store->unix_socket == NULL)
        return find_address(store->host, store->port, AI_NUMERICHOST, ret_address) == 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, store->unix_socket, strlen(store->unix_socket) + 1);
    memcpy(ret_address->bytes, &address, sizeof(address));
    ret_address->size = (uint32_t)sizeof(address);
    return 1;
}

static void free_lookup(struct shard__redis_lookup *lookup)
{
    pthread_mutex_destroy(&lookup->mutex);
    shard__strfree(lookup->context, lookup->host);
    shard__release(lookup->context, lookup, sizeof(*lookup));
}

static void look_up(void *arg)
{
    struct shard__redis_lookup *lookup = arg;
    struct shard__redis_address address = {.size = 0};
    int error = find_address(lookup->host, lookup->port, 0, &address);
    pthread_mutex_lock(&lookup->mutex);
    int is_forgotten = lookup->wake_fd < 0;
    uint64_t one = 1;
    lookup->error = error;
    lookup->address = address;
    lookup->is_done = 1;
    if (!is_forgotten)
        while (write(lookup->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
    pthread_mutex_unlock(&lookup->mutex);
    if (is_forgotten)
        free_lookup(lookup);
}

int shard__redis_lookup_start(struct shard__redis_store *store)
{
    struct shard__redis_lookup *lookup = shard__zalloc(store->context, sizeof(*lookup));
    if (lookup == NULL)
        return SHARD_ENOMEM;
    lookup->context = store->context;
    lookup->host = shard__strdup(store->context, store->host);
    lookup->port = store->port;
    lookup->wake_fd = store->wake_fd;
    pthread_mutex_init(&lookup->mutex, NULL);
    int status = lookup->host == NULL ? SHARD_ENOMEM : shard__offload(store->context, look_up, lookup);
    if (status < 0) {
        free_lookup(lookup);
        return status;
    }
    store->lookup = lookup;
    return 0;
}

int shard__redis_lookup_take(struct shard__redis_store *store, struct shard__redis_address *ret_address)
{
    struct shard__redis_lookup *lookup = store->lookup;
    pthread_mutex_lock(&lookup->mutex);
    int is_done = lookup->is_done, error = lookup->error;
    pthread_mutex_unlock(&lookup->mutex);
    if (!is_done)
        return 0;
    store->lookup = NULL;
    if (error == 0)
        *ret_address = lookup->address;
    free_lookup(lookup);
    return error == 0 ? 1 : shard__fail(SHARD_EIO, "host '%s' cannot be found: %s", store->host, gai_strerror(error));
}

void shard__redis_lookup_forget(struct shard__redis_store *store)
{
    struct shard__redis_lookup *lookup = store->lookup;
    if (lookup == NULL)
        return;
    store->lookup = NULL;
    pthread_mutex_lock(&lookup->mutex);
    int is_done = lookup->is_done;
    lookup->wake_fd = -1;
    pthread_mutex_unlock(&lookup->mutex);
    if (is_done)
        free_lookup(lookup);
}
