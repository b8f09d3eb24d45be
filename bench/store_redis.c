/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable transitions a second on a redis-server, over a unix socket and TCP, with appendfsync everysec and always. The
 * peer is redis-benchmark that appends records of the same size to a bare stream (XADD), with as many under way at a
 * time; ours also checks and keeps the rows of the tasks. In turns, and each figure is the median of its turns. Then a
 * large run: bytes of a task in the server, and the time that it takes to load it.
 *
 * usage: store_redis [DIRECTORY [TASKS]] (on the disk that is to be measured; default /var/tmp; 1,000,000 tasks)
 */

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "commits.h"
#include "measure.h"

enum { ROUNDS = 5, PORT = 16379, COUNT = 40000 };

struct server {
    char directory[256], socket[300], url[340];
    const char *fsync; /* NULL: no AOF */
    pid_t pid;
};

/* What redis-cli prints. */
static void ask(const struct server *server, const char *words, char *ret_text, size_t size)
{
    char command[1024];
    snprintf(command, sizeof(command), "redis-cli -s '%s' %s 2>/dev/null", server->socket, words);
    FILE *pipe = popen(command, "r");
    size_t length = pipe == NULL ? 0 : fread(ret_text, 1, size - 1, pipe);
    ret_text[length] = '\0';
    if (pipe == NULL || pclose(pipe) < 0)
        die("redis-cli");
}

static void start_server(struct server *server, const char *place)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    char port[16], text[64] = "";
    snprintf(server->directory, sizeof(server->directory), "%.200s/shard-bench-%d", place, (int)getpid());
    snprintf(server->socket, sizeof(server->socket), "%s/socket", server->directory);
    snprintf(port, sizeof(port), "%d", PORT);
    if (mkdir(server->directory, 0700) < 0)
        die("directory");
    server->pid = fork();
    if (server->pid == 0) {
        execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--unixsocket", server->socket,
               "--dir", server->directory, "--save", "", "--logfile", "log", "--appendonly",
               server->fsync == NULL ? "no" : "yes", "--appendfsync", server->fsync == NULL ? "no" : server->fsync,
               (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && strncmp(text, "PONG", 4) != 0; i++) {
        nanosleep(&pause, NULL);
        ask(server, "PING", text, sizeof(text));
    }
    if (strncmp(text, "PONG", 4) != 0)
        die("redis-server");
}

static void stop_server(struct server *server)
{
    char command[512];
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -r '%s'", server->directory);
    if (system(command) != 0)
        die("rm");
}

static struct result measure_ours(struct server *server, int is_unix, shard_context *context, shard_workflow *workflow,
                                  int32_t batch, int waiting)
{
    struct run run = {.context = context};
    char text[64];
    if (is_unix)
        snprintf(server->url, sizeof(server->url), "redis+unix://%s", server->socket);
    else
        snprintf(server->url, sizeof(server->url), "redis://127.0.0.1:%d", PORT);
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .url = server->url};
    if (shard_redis_store_open(context, &config, &run.store) < 0)
        die("open");
    begin_run(&run, workflow);
    struct result result = commit_all(&run, COUNT / batch * batch, batch, waiting);
    end_run(&run);
    ask(server, "FLUSHALL", text, sizeof(text));
    return result;
}

static double number_behind(const char *text, const char *word)
{
    const char *found = strstr(text, word);
    return found == NULL ? NAN : strtod(found + strlen(word), NULL);
}

static double measure_peer(const struct server *server, int is_unix, int under_way)
{
    /* The bytes of one record as our stream has it. */
    static const char payload[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    char command[1024], text[4096] = "", place[400];
    snprintf(place, sizeof(place), is_unix ? "-s '%s'" : "-h 127.0.0.1 -p 16379", server->socket);
    snprintf(command, sizeof(command), "redis-benchmark %s -n %d -c 1 -P %d --csv XADD stream '*' d %s 2>/dev/null",
             place, (int)COUNT, under_way, payload);
    FILE *pipe = popen(command, "r");
    size_t length = pipe == NULL ? 0 : fread(text, 1, sizeof(text) - 1, pipe);
    text[length] = '\0';
    if (pipe == NULL || pclose(pipe) < 0)
        die("redis-benchmark");
    /* "test","rps",... and below it the values */
    const char *line = strstr(text, "\n\"");
    double per_second = line == NULL ? NAN : number_behind(line + 1, "\",\"");
    if (isnan(per_second))
        die("redis-benchmark");
    ask(server, "FLUSHALL", text, sizeof(text));
    return per_second;
}

static void compare(shard_context *context, shard_workflow *workflow, const char *place, const char *fsync, int is_unix)
{
    static const int shapes[][2] = {{1, 64}, {64, 1}, {64, 4}}; /* a commit, commits under way */
    struct server server = {.fsync = fsync};
    start_server(&server, place);
    for (int i = 0; i < 3; i++) {
        double ours[ROUNDS], peer[ROUNDS], cpu_us[ROUNDS];
        char name[96];
        for (int round = 0; round < ROUNDS; round++) {
            struct result result = measure_ours(&server, is_unix, context, workflow, shapes[i][0], shapes[i][1]);
            ours[round] = result.per_second;
            cpu_us[round] = result.cpu_us;
            peer[round] = measure_peer(&server, is_unix, shapes[i][0] * shapes[i][1]);
        }
        snprintf(name, sizeof(name), "%s, %s, %d a commit, %d under way", is_unix ? "unix" : "TCP", fsync, shapes[i][0],
                 shapes[i][1]);
        bench_row("store_redis", name, bench_median(ours, ROUNDS), bench_median(peer, ROUNDS), "transitions/s", ROUNDS);
        snprintf(name, sizeof(name), "CPU of the store, %d a commit, %d under way", shapes[i][0], shapes[i][1]);
        if (is_unix)
            bench_row("store_redis", name, bench_median(cpu_us, ROUNDS), NAN, "us/transition", ROUNDS);
    }
    stop_server(&server);
}

/* A run of many tasks, all done: what it takes up, and how long a load takes. */
static void measure_large(shard_context *context, const char *place, int tasks)
{
    struct server server = {.fsync = "everysec"};
    struct run run = {.context = context};
    char text[8192], name[96];
    shard_workflow *workflow = make_workflow(context, tasks + 1000);
    start_server(&server, place);
    snprintf(server.url, sizeof(server.url), "redis+unix://%s", server.socket);
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .url = server.url};
    ask(&server, "INFO memory", text, sizeof(text));
    double before = number_behind(text, "used_memory:");
    if (shard_redis_store_open(context, &config, &run.store) < 0)
        die("open");
    begin_run(&run, workflow);
    ask(&server, "INFO memory", text, sizeof(text));
    double made = number_behind(text, "used_memory:");
    commit_all(&run, INT64_C(3) * tasks / MAX_BATCH * MAX_BATCH, MAX_BATCH, 4);
    ask(&server, "INFO memory", text, sizeof(text));
    double after = number_behind(text, "used_memory:");
    snprintf(name, sizeof(name), "%d tasks: the workflow in the server", tasks);
    bench_row("store_redis", name, (made - before) / tasks, NAN, "bytes/task", 1);
    snprintf(name, sizeof(name), "%d tasks: rows and records in the server", tasks);
    bench_row("store_redis", name, (after - made) / tasks, NAN, "bytes/task", 1);
    for (int with_records = 0; with_records < 2; with_records++) {
        double wall = bench_wall_ns();
        wait_answer(&run, run.store.port->load(run.store.self, run.sink, 1, "bench",
                                               with_records ? SHARD_LOAD_RECORDS : SHARD_LOAD_STATE));
        wall = bench_wall_ns() - wall;
        snprintf(name, sizeof(name), "%d tasks: a load %s", tasks, with_records ? "with all records" : "to go on from");
        bench_row("store_redis", name, wall / 1e9, NAN, "s", 1);
        run.answer.image->release(run.answer.image);
        run.answer.image = NULL;
    }
    end_run(&run);
    stop_server(&server);
    shard_workflow_unref(workflow);
}

int main(int argc, char **argv)
{
    const char *place = argc > 1 ? argv[1] : "/var/tmp";
    shard_context *context = NULL;
    if (shard_context_new(NULL, &context) < 0)
        die("context");
    shard_workflow *workflow = make_workflow(context, 20000);
    bench_header("store_redis", "bare XADD");
    for (int i = 0; i < 4; i++)
        compare(context, workflow, place, i < 2 ? "everysec" : "always", i % 2 == 0);
    shard_workflow_unref(workflow);
    measure_large(context, place, argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1000000);
    shard_context_free(context);
    return 0;
}
