/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS between the socket and the protocol, by OpenSSL. hiredis has a layer for it too, but only for connections of its
 * own, and it checks no names. The server's certificate is always checked; there is no switch for that.
 */

#include "redis.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/error.h"

struct shard__redis_tls {
    SSL_CTX *settings;
    BIO_METHOD *socket; /* OpenSSL's own writes without MSG_NOSIGNAL */
    SSL *connection;
    char *name; /* that the server's certificate must have; NULL: the host's */
};

static int socket_of(BIO *bio)
{
    const int *fd = BIO_get_data(bio);
    return *fd;
}

static int write_socket(BIO *bio, const char *data, int size)
{
    ssize_t sent = send(socket_of(bio), data, (size_t)size, MSG_NOSIGNAL);
    BIO_clear_retry_flags(bio);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static int read_socket(BIO *bio, char *data, int size)
{
    ssize_t bytes = recv(socket_of(bio), data, (size_t)size, 0);
    BIO_clear_retry_flags(bio);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)bytes;
}

static long control_socket(BIO *bio, int what, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH;
}

static void end(struct shard__redis_store *store)
{
    SSL_free(store->tls->connection);
    store->tls->connection = NULL;
}

/* An address is checked as such, and is not sent: names of servers are names. */
static int expect_name(SSL *connection, const char *name)
{
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), name) == 1 ||
           (SSL_set1_host(connection, name) == 1 && SSL_set_tlsext_host_name(connection, name) == 1);
}

static int begin(struct shard__redis_store *store)
{
    struct shard__redis_tls *tls = store->tls;
    BIO *bio = BIO_new(tls->socket);
    tls->connection = SSL_new(tls->settings);
    if (bio == NULL || tls->connection == NULL ||
        !expect_name(tls->connection, tls->name != NULL ? tls->name : store->host)) {
        BIO_free(bio);
        return SHARD_ENOMEM;
    }
    BIO_set_data(bio, &store->link.fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->connection, bio, bio);
    SSL_set_connect_state(tls->connection);
    return 0;
}

/* Why the last call failed, into link.trouble, which is where the link's own troubles are. */
static ssize_t failed(struct shard__redis_store *store, int returned)
{
    SSL *connection = store->tls->connection;
    int error = SSL_get_error(connection, returned), system = errno;
    long verified = SSL_get_verify_result(connection);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    char *trouble = store->link.trouble;
    size_t room = sizeof(store->link.trouble);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    /* A server says so after it has let us in, and what we sent by then may cost us its words. */
    int may_want_ours = store->link.state == SHARD__REDIS_GREETING && SSL_get_certificate(connection) == NULL;
    if (reason == NULL)
        reason = returned < 0 && system != 0 ? strerror(system) : "the server closed it";
    if (verified != X509_V_OK)
        snprintf(trouble, room, "the server's certificate is not trusted: %s; see tls_ca and tls_name",
                 X509_verify_cert_error_string(verified));
    else
        snprintf(trouble, room, "TLS failed: %.100s%s", reason,
                 may_want_ours ? "; if the server asks for certificates, give one by tls_cert" : "");
    ERR_clear_error();
    errno = EPROTO;
    return -1;
}

static int shake(struct shard__redis_store *store, int *ret_wants_write)
{
    ERR_clear_error();
    errno = 0;
    int returned = SSL_do_handshake(store->tls->connection);
    if (returned == 1)
        return 1;
    *ret_wants_write = SSL_want_write(store->tls->connection);
    return failed(store, returned) < 0 && errno == EAGAIN ? 0 : SHARD_EIO;
}

static ssize_t put(struct shard__redis_store *store, const void *bytes, size_t size)
{
    size_t sent = 0;
    ERR_clear_error();
    errno = 0;
    int returned = SSL_write_ex(store->tls->connection, bytes, size, &sent);
    return returned == 1 ? (ssize_t)sent : failed(store, returned);
}

static ssize_t take(struct shard__redis_store *store, void *ret_bytes, size_t size)
{
    size_t bytes = 0;
    ERR_clear_error();
    errno = 0;
    int returned = SSL_read_ex(store->tls->connection, ret_bytes, size, &bytes);
    return returned == 1 ? (ssize_t)bytes : failed(store, returned);
}

static void close_all(struct shard__redis_store *store)
{
    struct shard__redis_tls *tls = store->tls;
    end(store);
    SSL_CTX_free(tls->settings);
    BIO_meth_free(tls->socket);
    shard__strfree(store->context, tls->name);
    shard__release(store->context, tls, sizeof(*tls));
}

/* Without it OpenSSL would ask at the terminal. */
static int no_pass_phrase(char *buffer, int size, int is_writing, void *self)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)self;
    return -1;
}

static int fail_file(const char *what, const char *path)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    int status = shard__fail(SHARD_EINVAL, "redis store: %s '%s' cannot be used: %s", what, path,
                             reason != NULL ? reason : "it holds none");
    ERR_clear_error();
    return status;
}

static int take_files(SSL_CTX *settings, const struct shard_redis_store_config *config)
{
    struct stat found;
    const char *ca = config->tls_ca, *cert = config->tls_cert, *key = config->tls_key;
    if (ca == NULL && SSL_CTX_set_default_verify_paths(settings) != 1)
        return shard__fail(SHARD_EIO, "redis store: the system's authorities of certificates cannot be read");
    if (ca != NULL && stat(ca, &found) < 0)
        return shard__fail_errno(SHARD_EIO, errno, "redis store: tls_ca '%s' cannot be read", ca);
    if (ca != NULL &&
        (S_ISDIR(found.st_mode) ? SSL_CTX_load_verify_dir(settings, ca) : SSL_CTX_load_verify_file(settings, ca)) != 1)
        return fail_file("tls_ca", ca);
    if (key != NULL && cert == NULL)
        return shard__fail(SHARD_EINVAL, "redis store: tls_key is given, and tls_cert is not");
    if (cert == NULL)
        return 0;
    if (SSL_CTX_use_certificate_chain_file(settings, cert) != 1)
        return fail_file("tls_cert", cert);
    /* Compares it with the certificate as well. */
    if (SSL_CTX_use_PrivateKey_file(settings, key != NULL ? key : cert, SSL_FILETYPE_PEM) != 1)
        return fail_file("tls_key", key != NULL ? key : cert);
    return 0;
}

static const struct shard__redis_transport transport = {begin, shake, put, take, end, close_all};

int shard__redis_tls_open(struct shard__redis_store *store, const struct shard_redis_store_config *config)
{
    struct shard__redis_tls *tls = shard__zalloc(store->context, sizeof(*tls));
    if (tls == NULL)
        return SHARD_ENOMEM;
    store->tls = tls;
    store->transport = &transport;
    ERR_clear_error();
    tls->settings = SSL_CTX_new(TLS_client_method());
    tls->socket = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket without signals");
    if (config->tls_name != NULL)
        tls->name = shard__strdup(store->context, config->tls_name);
    if (tls->settings == NULL || tls->socket == NULL || (config->tls_name != NULL && tls->name == NULL))
        return SHARD_ENOMEM;
    BIO_meth_set_write(tls->socket, write_socket);
    BIO_meth_set_read(tls->socket, read_socket);
    BIO_meth_set_ctrl(tls->socket, control_socket);
    SSL_CTX_set_min_proto_version(tls->settings, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls->settings, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(tls->settings, no_pass_phrase);
    /* The buffer of what is to be sent grows, and moves, between two tries. */
    SSL_CTX_set_mode(tls->settings, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return take_files(tls->settings, config);
}
