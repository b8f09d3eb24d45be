/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are for the remote, and whether it is who it should be. Nothing is asked of a person. */

#include <libssh2.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"

#include "git.h"

enum { MOST_TOKEN_BYTES = 4096, MOST_TRIES = 2, DEFAULT_SSH_PORT = 22 };

/* The first line of the file; the memory it was read to is cleared. */
static int give_token(const shard_catalog *catalog, const char *user, git_credential **ret_credential)
{
    struct shard__bytes token;
    shard__bytes_init(&token, catalog->context);
    int status = shard__file_read(catalog->context, catalog->https_token_file, MOST_TOKEN_BYTES, &token);
    if (status < 0)
        return status;
    size_t size = 0;
    while (size < token.size && token.data[size] != '\n' && token.data[size] != '\r')
        size++;
    shard__bytes_append(&token, "", 1);
    int code = GIT_EUSER;
    if (token.status == 0) {
        token.data[size] = '\0';
        code = git_credential_userpass_plaintext_new(ret_credential, user, token.data);
    }
    if (token.capacity > 0)
        explicit_bzero(token.data, token.capacity);
    shard__bytes_free(&token);
    return code;
}

/* The program's own secret. 1 when it has none. */
static int ask_program(const shard_catalog *catalog, const char *url, int tries, const char *user, int is_ssh,
                       git_credential **ret_credential)
{
    struct shard_catalog_credential secret = {.struct_size = sizeof(secret)};
    int code = 1;
    if (catalog->credential != NULL && catalog->credential(catalog->credential_self, url, tries, &secret) == 1) {
        secret.user[sizeof(secret.user) - 1] = secret.secret[sizeof(secret.secret) - 1] = '\0';
        const char *who = secret.user[0] != '\0' ? secret.user : user;
        code = is_ssh ? git_credential_ssh_key_new(ret_credential, who, NULL, catalog->ssh_key_file, secret.secret)
                      : git_credential_userpass_plaintext_new(ret_credential, who, secret.secret);
    }
    explicit_bzero(&secret, sizeof(secret));
    return code;
}

static int give_key(const shard_catalog *catalog, const char *url, int tries, const char *user,
                    git_credential **ret_credential)
{
    if (catalog->ssh_key_file == NULL)
        return git_credential_ssh_key_from_agent(ret_credential, user);
    int code = ask_program(catalog, url, tries, user, 1, ret_credential);
    return code != 1 ? code : git_credential_ssh_key_new(ret_credential, user, NULL, catalog->ssh_key_file, NULL);
}

static int give_password(const shard_catalog *catalog, const char *url, int tries, const char *user,
                         git_credential **ret_credential)
{
    int code = ask_program(catalog, url, tries, user, 0, ret_credential);
    return code != 1 || catalog->https_token_file == NULL ? code : give_token(catalog, user, ret_credential);
}

static int give_credential(git_credential **ret_credential, const char *url, const char *url_user, unsigned allowed,
                           void *self)
{
    struct shard__git_access *access = self;
    const shard_catalog *catalog = access->catalog;
    int code = 1;
    if (++access->tries > MOST_TRIES) {
        git_error_set_str(GIT_ERROR_CALLBACK, "it took none of the credentials that it was given");
        return GIT_EAUTH;
    }
    const char *ssh_user = url_user != NULL ? url_user : catalog->ssh_user;
    if ((allowed & GIT_CREDENTIAL_SSH_KEY) != 0)
        return give_key(catalog, url, access->tries, ssh_user, ret_credential);
    if ((allowed & GIT_CREDENTIAL_USERNAME) != 0) {
        return git_credential_username_new(ret_credential, ssh_user);
    }
    if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) != 0 && strncmp(url, "https://", 8) == 0)
        code = give_password(catalog, url, access->tries, url_user != NULL ? url_user : catalog->https_user,
                             ret_credential);
    if (code != 1)
        return code;
    git_error_set_str(GIT_ERROR_CALLBACK, "it wants credentials, and the configuration names none that it takes");
    return GIT_EAUTH;
}

/* The port of an ssh url; the other form, user@host:path, has none. */
static int port_of(const char *url)
{
    const char *host = strstr(url, "://");
    int port = 0;
    if (host == NULL)
        return DEFAULT_SSH_PORT;
    const char *at = strpbrk(host + 3, "/:");
    const char *end = strchr(host + 3, ']');
    if (end != NULL)
        at = strpbrk(end, "/:");
    return at != NULL && *at == ':' && sscanf(at + 1, "%d", &port) == 1 && port > 0 ? port : DEFAULT_SSH_PORT;
}

/* libgit2 may put its own words in place of these. */
static int refuse(struct shard__git_access *access, const char *problem, const char *host)
{
    snprintf(access->catalog->distrust, sizeof(access->catalog->distrust), "%s '%.100s'", problem, host);
    return GIT_ECERTIFICATE;
}

/* Looks the key up among the known hosts of the configured file. */
static int check_host_key(struct shard__git_access *access, const git_cert_hostkey *key, const char *host)
{
    const shard_catalog *catalog = access->catalog;
    struct libssh2_knownhost *found = NULL;
    if ((key->type & GIT_CERT_SSH_RAW) == 0)
        return refuse(access, "no key was shown by host", host);
    LIBSSH2_SESSION *session = libssh2_session_init();
    LIBSSH2_KNOWNHOSTS *known = session == NULL ? NULL : libssh2_knownhost_init(session);
    int result = LIBSSH2_KNOWNHOST_CHECK_FAILURE;
    if (known != NULL &&
        libssh2_knownhost_readfile(known, catalog->ssh_known_hosts, LIBSSH2_KNOWNHOST_FILE_OPENSSH) >= 0)
        result = libssh2_knownhost_checkp(known, host, port_of(catalog->url), key->hostkey, key->hostkey_len,
                                          LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW, &found);
    if (known != NULL)
        libssh2_knownhost_free(known);
    if (session != NULL)
        libssh2_session_free(session);
    if (result == LIBSSH2_KNOWNHOST_CHECK_MATCH)
        return 0;
    if (result == LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
        return refuse(access, "the file of known hosts has another key of host", host);
    if (result == LIBSSH2_KNOWNHOST_CHECK_NOTFOUND)
        return refuse(access, "the file of known hosts has no key of host", host);
    return refuse(access, "the file of known hosts cannot be read to look up host", host);
}

static int check_certificate(git_cert *certificate, int is_valid, const char *host, void *self)
{
    struct shard__git_access *access = self;
    if (certificate->cert_type == GIT_CERT_HOSTKEY_LIBSSH2 && access->catalog->ssh_known_hosts != NULL)
        return check_host_key(access, (const git_cert_hostkey *)certificate, host);
    if (is_valid)
        return 0;
    return refuse(access,
                  certificate->cert_type == GIT_CERT_X509 ? "the certificate is not one to trust, of host"
                                                          : "the known hosts have not this key of host",
                  host);
}

void shard__git_set_access(git_remote_callbacks *callbacks, struct shard__git_access *access)
{
    callbacks->credentials = give_credential;
    callbacks->certificate_check = check_certificate;
    callbacks->payload = access;
}
