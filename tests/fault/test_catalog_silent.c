/* SPDX-License-Identifier: Apache-2.0 */
/* Remotes that take a connection and then say nothing, or nothing more: each call ends, and so does the catalog. */

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shard/catalog.h>

#include "git_bed.h"
#include "suite.h"
#include "tracked.h"
#include "workflows.h"

static shard_context *context;
static shard_workers *workers;
static struct git_bed bed;
static char path[300], url[300];
static struct shard_catalog_config config;
static int listener;
static pid_t child;

const char *__lsan_default_suppressions(void);

/* LeakSanitizer asks: libgit2 keeps the last error of each thread, of one that outlives the catalog for good. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libpcre2-8\nleak:libgit2.so\n";
}

/* A port whose connections the kernel takes, and nobody answers. */
static int listen_silently(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

/* From now on connections are greeted as by an sshd, and then heard out in silence. */
static void greet(void)
{
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child > 0)
        return;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && write(fd, "SSH-2.0-silent\r\n", 16) != 16)
            _exit(1);
    }
}

static void use(const char *scheme)
{
    snprintf(url, sizeof(url), "%s://someone@127.0.0.1:%d/remote", scheme, listen_silently());
}

static void setup(void)
{
    struct shard_context_config with = {.struct_size = sizeof(with), .offload = shard_workers_offload};
    ck_assert_int_eq(shard_workers_new(1, &workers), 0);
    with.offload_self = workers;
    ck_assert_int_eq(shard_context_new(&with, &context), 0);
    git_bed_make(&bed);
    snprintf(path, sizeof(path), "%s/here", bed.path);
    config = (struct shard_catalog_config){
        .struct_size = sizeof(config), .path = path, .url = url, .timeout_seconds = 0.2, .sync_seconds = 0.01};
    child = 0;
}

static void teardown(void)
{
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    close(listener);
    git_bed_remove(&bed);
    shard_context_free(context);
    shard_workers_free(workers);
}

static void expect_silence(void)
{
    shard_catalog *catalog = NULL;
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), SHARD_EIO);
    assert_message_has("cannot be reached");
    assert_message_has("the remote was silent");
    ck_assert_ptr_null(catalog);
}

START_TEST(a_remote_that_never_answers_is_given_up)
{
    use(_i == 0 ? "ssh" : "https");
    expect_silence();
}
END_TEST

START_TEST(a_remote_that_falls_silent_is_given_up)
{
    use("ssh");
    greet();
    expect_silence();
}
END_TEST

/* A catalog that has its branch here, so that it opens without the remote. */
static shard_catalog *open_here(void)
{
    shard_catalog *catalog = NULL;
    config.url = NULL;
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), 0);
    publish_letters(catalog, context, "a");
    shard_catalog_close(catalog);
    config.url = url;
    ck_assert_int_eq(shard_catalog_open(context, &config, &catalog), 0);
    return catalog;
}

START_TEST(steps_go_on_while_a_remote_is_silent_and_the_catalog_ends)
{
    use("ssh");
    greet();
    shard_catalog *catalog = open_here();
    struct shard_catalog_decision note = {.struct_size = sizeof(note), .task = "a", .what = "moved"};
    ck_assert_int_eq(shard_catalog_note(catalog, &note), 0);
    for (int i = 0; i < 3; i++) { /* each returns at once: what waits is elsewhere */
        struct pollfd polled = {.fd = shard_catalog_fd(catalog), .events = POLLIN};
        ck_assert_int_eq(poll(&polled, 1, 60000), 1);
        ck_assert_int_eq(shard_catalog_step(catalog), 0);
    }
    ck_assert_int_eq(shard_catalog_sync(catalog), SHARD_EIO);
    shard_catalog_close(catalog);
    ck_assert_ptr_nonnull(strstr(sh(&bed, "git -C here log --format=%%s main"), "a: moved"));
}
END_TEST

START_TEST(a_catalog_ends_in_the_middle_of_a_silence)
{
    use("ssh");
    greet();
    shard_catalog *catalog = open_here();
    struct pollfd polled = {.fd = shard_catalog_fd(catalog), .events = POLLIN};
    ck_assert_int_eq(poll(&polled, 1, 60000), 1);
    ck_assert_int_eq(shard_catalog_step(catalog), 0);
    shard_catalog_close(catalog);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog silent");
    TCase *tests = tcase_create("catalog silent");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 100);
    tcase_add_loop_test(tests, a_remote_that_never_answers_is_given_up, 0, 2);
    tcase_add_test(tests, a_remote_that_falls_silent_is_given_up);
    tcase_add_test(tests, steps_go_on_while_a_remote_is_silent_and_the_catalog_ends);
    tcase_add_test(tests, a_catalog_ends_in_the_middle_of_a_silence);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
