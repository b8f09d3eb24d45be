/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_GIT_BED_H
#define TEST_GIT_BED_H

/* A private directory for repositories, and plain git to look at them and to meddle with them. */

#include <stdio.h>
#include <sys/types.h>

#include <shard/catalog.h>

struct git_bed {
    char path[128];
    pid_t server; /* 0: none runs */
    FILE *output; /* of the server */
};

/** Makes the directory; git and libgit2 see no configuration but that in it. */
void git_bed_make(struct git_bed *bed);
void git_bed_remove(struct git_bed *bed);

/** Publishes a workflow of plain tasks, one for each letter, by which it is named. */
void publish_letters(shard_catalog *catalog, shard_context *context, const char *letters);

/** Runs a shell command in the directory; the test fails if it does. What it printed, without the last newline, until
 * the next call. */
const char *sh(const struct git_bed *bed, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** The same, whatever it ends with; that, with -1 for a signal. */
int sh_status(const struct git_bed *bed, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Starts an HTTPS server for the directory's repositories with NAME.crt and NAME.key; the password is "secret". `more`
 * is "" or "read-only". Its port. */
int git_bed_https(struct git_bed *bed, const char *certificate, const char *more);
/** Starts an sshd with host_key, for this user with client_key, for whom `more` is as above. Its port. */
int git_bed_sshd(struct git_bed *bed, const char *more);
/** Ends the server, if one runs. */
void git_bed_stop(struct git_bed *bed);

#endif
