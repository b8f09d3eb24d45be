/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tempdir.h"

static int connect_to(const struct redis_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", server->socket);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void run(const struct redis_server *server, pid_t parent)
{
    const char *program = getenv("SHARD_TEST_REDIS_SERVER");
    const char *words[] = {program != NULL ? program : "redis-server",
                           "--port",
                           "0",
                           "--unixsocket",
                           server->socket,
                           "--dir",
                           server->directory,
                           "--save",
                           "",
                           "--appendonly",
                           "yes",
                           "--appendfsync",
                           "always",
                           "--logfile",
                           "log",
                           server->setting,
                           server->value,
                           NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    execvp(words[0], (char *const *)(void *)words);
    _exit(127);
}

int redis_server_start(struct redis_server *server)
{
    enum { TRIES = 5000 };
    const struct timespec pause = {.tv_nsec = 2000000};
    const char *const ping[] = {"PING", NULL};
    if (server->directory[0] == '\0') {
        tempdir_make(server->directory);
        snprintf(server->socket, sizeof(server->socket), "%s/socket", server->directory);
        snprintf(server->url, sizeof(server->url), "redis+unix://%s", server->socket);
    }
    unlink(server->socket);
    pid_t parent = getpid();
    server->pid = fork();
    if (server->pid == 0)
        run(server, parent);
    for (int i = 0; i < TRIES; i++) {
        /* Without a right to ask, it is there all the same. */
        const char *reply = redis_server_ask(server, ping);
        if (strncmp(reply, "+PONG", 5) == 0 || strncmp(reply, "-NO", 3) == 0)
            return 0;
        nanosleep(&pause, NULL);
    }
    return -1;
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void redis_server_remove(struct redis_server *server)
{
    char directory[160];
    redis_server_kill(server);
    snprintf(directory, sizeof(directory), "%s/appendonlydir", server->directory);
    tempdir_remove(directory);
    tempdir_remove(server->directory);
    server->directory[0] = '\0';
}

const char *redis_server_ask(const struct redis_server *server, const char *const *words)
{
    static char reply[512];
    char request[4096];
    int count = 0, length;
    while (words[count] != NULL)
        count++;
    length = snprintf(request, sizeof(request), "*%d\r\n", count);
    for (int i = 0; i < count; i++)
        length +=
            snprintf(request + length, sizeof(request) - (size_t)length, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
    reply[0] = '\0';
    int fd = connect_to(server);
    if (fd < 0)
        return reply;
    if (send(fd, request, (size_t)length, MSG_NOSIGNAL) == length) {
        ssize_t bytes = recv(fd, reply, sizeof(reply) - 1, 0);
        reply[bytes > 0 ? bytes : 0] = '\0';
        reply[strcspn(reply, "\r")] = '\0';
    }
    close(fd);
    return reply;
}
