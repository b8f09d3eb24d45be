/* SPDX-License-Identifier: Apache-2.0 */
/* Remotes for real, on loopback: over ssh and HTTPS, and those that are not who they should be. */

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shard/catalog.h>

#include "git_bed.h"
#include "suite.h"
#include "tracked.h"
#include "workflows.h"

static struct tracked tracked;
static shard_context *context;
static struct git_bed bed;
static char paths[6][300];
static struct shard_catalog_config config;

const char *__lsan_default_suppressions(void);

/* LeakSanitizer asks: libgit2 1.5 keeps the known hosts of each connection over ssh, and their path. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libpcre2-8\nleak:libssh2\nleak:libgit2.so\n";
}

static const char *in_bed(int slot, const char *name)
{
    snprintf(paths[slot], sizeof(paths[slot]), "%s/%s", bed.path, name);
    return paths[slot];
}

static void setup(void)
{
    context = tracked_context(&tracked, NULL, NULL);
    git_bed_make(&bed);
    sh(&bed,
       "git init -q --bare -b main remote && umask 077 && mkdir .ssh && "
       "for key in host_key other_key client_key stranger_key; do ssh-keygen -q -t ed25519 -N '' -f $key; done && "
       "for name in localhost elsewhere; do openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
       "-keyout $name.key -out $name.crt -days 2 -subj /CN=$name -addext subjectAltName=DNS:$name 2>/dev/null; "
       "done && echo secret >token && echo wrong >bad_token");
    config = (struct shard_catalog_config){.struct_size = sizeof(config), .path = in_bed(0, "here"), .url = paths[5]};
}

static void teardown(void)
{
    git_bed_remove(&bed);
    tracked_context_free(&tracked, context);
}

static void use_ssh(const char *known_key, const char *more)
{
    int port = git_bed_sshd(&bed, more);
    sh(&bed, "echo \"[127.0.0.1]:%d $(cut -d' ' -f1,2 %s.pub)\" >known_hosts", port, known_key);
    snprintf(paths[5], sizeof(paths[5]), "ssh://%s@127.0.0.1:%d%s/remote", getpwuid(geteuid())->pw_name, port,
             bed.path);
    config.ssh_key_file = in_bed(1, "client_key");
    config.ssh_known_hosts = in_bed(2, "known_hosts");
}

static void use_https(const char *certificate, const char *more)
{
    int port = git_bed_https(&bed, certificate, more);
    snprintf(paths[5], sizeof(paths[5]), "https://localhost:%d/remote", port);
    config.https_ca_file = in_bed(1, "localhost.crt");
    config.https_token_file = in_bed(2, "token");
}

/* Publishes here, loads elsewhere, and takes what plain git pushed in between. */
static void round_trip(void)
{
    char commit[SHARD_COMMIT_TEXT];
    shard_catalog *here = NULL, *there = NULL;
    shard_workflow *loaded = NULL;
    struct shard_error error = {.struct_size = sizeof(error)};
    int status = shard_catalog_open(context, &config, &here);
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s", error.message);
    ck_assert_int_eq(shard_catalog_check(here), 0);
    shard_builder *builder = new_builder(context);
    add_task(builder, "a");
    shard_workflow *workflow = seal(builder);
    ck_assert_int_eq(shard_catalog_publish(here, workflow, NULL, commit), 0);
    status = shard_catalog_sync(here);
    shard_error_copy(&error);
    ck_assert_msg(status == 0, "%s", error.message);
    ck_assert_str_eq(sh(&bed, "git -C remote rev-parse main"), commit);
    sh(&bed, "git clone -q remote clone && cd clone && echo hello >README && git add . && git commit -q -m readme && "
             "git push -q");
    ck_assert_int_eq(shard_catalog_sync(here), 0);
    ck_assert_str_eq(sh(&bed, "git -C here rev-parse main"), sh(&bed, "git -C remote rev-parse main"));
    config.path = in_bed(3, "there");
    ck_assert_int_eq(shard_catalog_open(context, &config, &there), 0);
    ck_assert_int_eq(shard_catalog_load(there, NULL, NULL, &loaded), 0);
    assert_same_workflow(workflow, loaded);
    shard_workflow_unref(workflow);
    shard_workflow_unref(loaded);
    shard_catalog_close(here);
    shard_catalog_close(there);
}

static void expect_refused(const char *message)
{
    shard_catalog *catalog = NULL;
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), SHARD_EIO);
    assert_message_has(message);
    ck_assert_ptr_null(catalog);
}

START_TEST(ssh_with_a_key_file_works)
{
    use_ssh("host_key", "");
    round_trip();
}
END_TEST

START_TEST(ssh_with_the_keys_of_an_agent_works)
{
    use_ssh("host_key", "");
    config.ssh_key_file = NULL;
    sh(&bed, "ssh-agent -a agent.sock >agent.sh && . ./agent.sh >/dev/null && ssh-add -q client_key");
    setenv("SSH_AUTH_SOCK", in_bed(4, "agent.sock"), 1);
    round_trip();
    sh(&bed, ". ./agent.sh >/dev/null && kill $SSH_AGENT_PID");
}
END_TEST

START_TEST(known_hosts_of_the_home_are_used_when_no_file_is_named)
{
    use_ssh("host_key", "");
    config.ssh_known_hosts = NULL;
    expect_refused("the known hosts have not this key of host '127.0.0.1'");
    sh(&bed, "cp known_hosts .ssh/known_hosts");
    round_trip();
}
END_TEST

START_TEST(a_wrong_host_key_is_refused)
{
    use_ssh("other_key", "");
    expect_refused("the file of known hosts has another key of host '127.0.0.1'");
    sh(&bed, ": >known_hosts");
    expect_refused("the file of known hosts has no key of host '127.0.0.1'");
    sh(&bed, "rm known_hosts");
    expect_refused("the file of known hosts cannot be read");
}
END_TEST

START_TEST(a_key_that_the_server_does_not_know_is_refused)
{
    use_ssh("host_key", "");
    config.ssh_key_file = in_bed(1, "stranger_key");
    expect_refused("the remote did not take the credentials");
}
END_TEST

START_TEST(https_with_a_token_works)
{
    use_https("localhost", "");
    round_trip();
}
END_TEST

/* The first answer is wrong, when `self` says so. */
static int give_secret(void *self, const char *url, int tries, struct shard_catalog_credential *ret_secret)
{
    const char *const *secrets = self;
    ck_assert_str_eq(url, paths[5]);
    if (secrets[tries - 1] == NULL)
        return 0;
    snprintf(ret_secret->secret, sizeof(ret_secret->secret), "%s", secrets[tries - 1]);
    return 1;
}

static void use_program(const char *const *secrets)
{
    union {
        const char *const *shown;
        void *self;
    } self = {secrets};
    config.credential = give_secret;
    config.credential_self = self.self;
}

START_TEST(the_program_is_asked_for_a_password)
{
    static const char *const good[] = {"secret", NULL}, *const late[] = {"wrong", "secret"},
                             *const bad[] = {"wrong", "worse"}, *const none[] = {NULL, NULL};
    use_https("localhost", "");
    use_program(none);
    config.https_token_file = NULL;
    expect_refused("the configuration names none");
    use_program(bad);
    expect_refused("it took none of the credentials");
    use_program(late);
    round_trip();
    use_program(good);
    config.path = in_bed(3, "again");
    config.https_token_file = in_bed(2, "bad_token");
    shard_catalog *catalog = NULL;
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), 0);
    shard_catalog_close(catalog);
}
END_TEST

START_TEST(the_program_is_asked_for_a_passphrase)
{
    static const char *const good[] = {"open sesame", "open sesame"}, *const bad[] = {"close sesame", "close sesame"};
    use_ssh("host_key", "");
    sh(&bed, "ssh-keygen -q -p -m PEM -N 'open sesame' -f client_key");
    use_program(bad);
    expect_refused("cannot be reached");
    use_program(good);
    round_trip();
}
END_TEST

START_TEST(a_wrong_certificate_is_refused)
{
    use_https("localhost", "");
    config.https_ca_file = in_bed(1, "elsewhere.crt");
    expect_refused("the certificate is not one to trust, of host 'localhost'");
}
END_TEST

START_TEST(a_certificate_of_another_host_is_refused)
{
    use_https("elsewhere", "");
    config.https_ca_file = in_bed(1, "elsewhere.crt");
    expect_refused("the certificate is not one to trust, of host 'localhost'");
}
END_TEST

START_TEST(a_wrong_token_is_refused)
{
    use_https("localhost", "");
    config.https_token_file = in_bed(2, "bad_token");
    expect_refused("the remote did not take the credentials");
    config.https_token_file = NULL;
    expect_refused("the configuration names none");
}
END_TEST

/* Publishes here, to a remote that does not take it. */
static void expect_not_pushed(const char *message, const char *more)
{
    shard_catalog *catalog = NULL;
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), 0);
    publish_letters(catalog, context, "a");
    ck_assert_int_eq(shard_catalog_sync(catalog), SHARD_EIO);
    assert_message_has(message);
    assert_message_has(more);
    shard_catalog_close(catalog);
}

static void expect_check_fails(const char *message)
{
    shard_catalog *catalog = NULL;
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), 0);
    ck_assert_int_eq(shard_catalog_check(catalog), SHARD_EIO);
    assert_message_has(message);
    shard_catalog_close(catalog);
}

START_TEST(who_may_not_push_over_https_is_told_so)
{
    use_https("localhost", "read-only");
    expect_check_fails("cannot be pushed to");
    expect_not_pushed("cannot push to 'https://localhost", "403");
}
END_TEST

/* What the server answers from some moment on, and what is said then. */
static const struct {
    const char *refused, *message, *more;
} refusals[] = {
    {"403 GET .*service=git-receive-pack", "cannot push to 'https://", "403"},
    {"403 POST .*/git-receive-pack", "cannot push to 'https://", "403"},
    {"401 git-receive-pack", "cannot push to 'https://", "did not take the credentials"},
    {"401 POST .*/git-receive-pack", "cannot push to 'https://", "did not take the credentials"},
    {"401 .*", "cannot be reached", "did not take the credentials"},
    {"403 .*", "cannot be reached", "403"},
};

/* A decision is made, and what steps bring of it: the remote's troubles are no failure of theirs. */
static void note_and_step(shard_catalog *catalog, const char *what)
{
    struct shard_catalog_decision note = {.struct_size = sizeof(note), .task = "a", .what = what};
    ck_assert_int_eq(shard_catalog_note(catalog, &note), 0);
    do
        ck_assert_int_eq(shard_catalog_step(catalog), 0);
    while (strstr(sh(&bed, "git -C here log -1 --format=%%s main"), what) == NULL);
}

START_TEST(a_right_that_ends_later_leaves_a_backlog)
{
    shard_catalog *catalog = NULL;
    use_https("localhost", "");
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), 0);
    publish_letters(catalog, context, "a");
    ck_assert_int_eq(shard_catalog_sync(catalog), 0);
    sh(&bed, "echo '%s' >refused", refusals[_i].refused);
    note_and_step(catalog, "moved");
    ck_assert_int_eq(shard_catalog_sync(catalog), SHARD_EIO);
    assert_message_has(refusals[_i].message);
    assert_message_has(refusals[_i].more);
    note_and_step(catalog, "split");
    sh(&bed, "rm refused");
    ck_assert_int_eq(shard_catalog_sync(catalog), 0);
    ck_assert_str_eq(sh(&bed, "git -C remote log -2 --format=%%s main"), "a: split\na: moved");
    shard_catalog_close(catalog);
}
END_TEST

START_TEST(who_may_not_push_over_ssh_is_told_so)
{
    use_ssh("host_key", "read-only");
    expect_check_fails("cannot be pushed to");
    expect_not_pushed("cannot push to 'ssh://", "");
}
END_TEST

START_TEST(what_a_hook_of_the_remote_says_is_told)
{
    sh(&bed, "cd remote/hooks && { echo '#!/bin/sh'; echo 'echo checking; echo ask the owner of main >&2; exit 1'; } "
             ">pre-receive && chmod +x pre-receive");
    use_ssh("host_key", "");
    expect_not_pushed("refused branch 'main': pre-receive hook declined ('ask the owner of main')", "");
}
END_TEST

START_TEST(a_repository_with_a_work_tree_is_not_pushed_to)
{
    sh(&bed, "git init -q -b main tree");
    snprintf(paths[5], sizeof(paths[5]), "file://%s/tree", bed.path);
    expect_check_fails("has a work tree, expected a bare repository");
    expect_not_pushed("cannot push to 'file://", "has a work tree");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog remote");
    TCase *tests = tcase_create("catalog remote");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, ssh_with_a_key_file_works);
    tcase_add_test(tests, ssh_with_the_keys_of_an_agent_works);
    tcase_add_test(tests, known_hosts_of_the_home_are_used_when_no_file_is_named);
    tcase_add_test(tests, a_wrong_host_key_is_refused);
    tcase_add_test(tests, a_key_that_the_server_does_not_know_is_refused);
    tcase_add_test(tests, https_with_a_token_works);
    tcase_add_test(tests, the_program_is_asked_for_a_password);
    tcase_add_test(tests, the_program_is_asked_for_a_passphrase);
    tcase_add_test(tests, a_wrong_certificate_is_refused);
    tcase_add_test(tests, a_certificate_of_another_host_is_refused);
    tcase_add_test(tests, a_wrong_token_is_refused);
    tcase_add_test(tests, who_may_not_push_over_https_is_told_so);
    tcase_add_loop_test(tests, a_right_that_ends_later_leaves_a_backlog, 0, sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_test(tests, who_may_not_push_over_ssh_is_told_so);
    tcase_add_test(tests, what_a_hook_of_the_remote_says_is_told);
    tcase_add_test(tests, a_repository_with_a_work_tree_is_not_pushed_to);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
