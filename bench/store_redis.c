/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable transitions a second on a redis-server, over a unix socket and TCP, with appendfsync everysec and always. The
 * peer is redis-benchmark that appends records of the same size to a bare stream (XADD), with as many under way at a
 * time; ours also checks and keeps the rows of the tasks. In turns, and each figure is the median of its turns. An
 * engine has one commit of a run under way, with all that happened since the last one. Then a large run is recovered:
 * its bytes in the server before and after it is compacted, and the time to load it and to start its next task.
 *
 * usage: store_redis [DIRECTORY [TASKS]] (on the disk that is to be measured; default /var/tmp; 1,000,000 tasks)
 */

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "commits.h"
#include "measure.h"

enum { ROUNDS = 5, PORT = 16379, KEPT_RECORDS = 100000, HOSTS = 100 };

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
        prctl(PR_SET_PDEATHSIG, SIGKILL);
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
                                  const int shape[3])
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
    struct result result = commit_all(&run, shape[2], shape[0], shape[1]);
    end_run(&run);
    ask(server, "FLUSHALL", text, sizeof(text));
    return result;
}

static double number_behind(const char *text, const char *word)
{
    const char *found = strstr(text, word);
    return found == NULL ? NAN : strtod(found + strlen(word), NULL);
}

static double measure_peer(const struct server *server, int is_unix, const int shape[3])
{
    /* The bytes of one record as our stream has it. */
    static const char payload[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    char command[1024], text[4096] = "", place[400];
    snprintf(place, sizeof(place), is_unix ? "-s '%s'" : "-h 127.0.0.1 -p 16379", server->socket);
    snprintf(command, sizeof(command), "redis-benchmark %s -n %d -c 1 -P %d --csv XADD stream '*' d %s 2>/dev/null",
             place, shape[2], shape[0] * shape[1], payload);
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
    /* In a commit, commits under way, in all. */
    static const int shapes[][3] = {{1, 1, 800}, {64, 1, 64000}, {64, 4, 64000}};
    struct server server = {.fsync = fsync};
    start_server(&server, place);
    for (int i = 0; i < 3; i++) {
        double ours[ROUNDS], peer[ROUNDS], cpu_us[ROUNDS];
        char name[96];
        for (int round = 0; round < ROUNDS; round++) {
            struct result result = measure_ours(&server, is_unix, context, workflow, shapes[i]);
            ours[round] = result.per_second;
            cpu_us[round] = result.cpu_us;
            peer[round] = measure_peer(&server, is_unix, shapes[i]);
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

static double used_memory(const struct server *server)
{
    char text[8192];
    ask(server, "INFO memory", text, sizeof(text));
    return number_behind(text, "used_memory:");
}

static void large_row(int tasks, const char *what, double value, const char *unit)
{
    char name[96];
    snprintf(name, sizeof(name), "%d tasks: %s", tasks, what);
    bench_row("store_redis", name, value, NAN, unit, 1);
}

static void measure_load(struct run *run, int tasks, const char *what, enum shard_load_flags flags)
{
    double wall = bench_wall_ns();
    wait_answer(run, run->store.port->load(run->store.self, run->sink, 1, "bench", flags));
    large_row(tasks, what, (bench_wall_ns() - wall) / 1e9, "s");
    run->answer.image->release(run->answer.image);
    run->answer.image = NULL;
}

/* The names of the hosts that tasks ran on, without which nobody can go on with the run. */
static void name_hosts(struct run *run, int64_t last_seq)
{
    static char names[HOSTS][16];
    struct shard_record records[HOSTS];
    for (int i = 0; i < HOSTS; i++) {
        int length = snprintf(names[i], sizeof(names[i]), "host-%d", i);
        records[i] = (struct shard_record){.seq = last_seq + 1 + i,
                                           .type = SHARD_RECORD_HOST,
                                           .task = -1,
                                           .host = i,
                                           .parent = -1,
                                           .p_fail = NAN,
                                           .detail = names[i],
                                           .detail_bytes = length};
    }
    struct shard_commit commit = {.struct_size = sizeof(commit),
                                  .run = "bench",
                                  .epoch = 1,
                                  .operation = 1000000000,
                                  .records = records,
                                  .record_count = HOSTS};
    wait_answer(run, run->store.port->commit(run->store.self, run->sink, 1, &commit));
}

/* An executor that notes when it is first asked to start something. */
static int note_start(void *self, shard_sink *sink, shard_token token, const struct shard_start *attempt)
{
    (void)sink;
    (void)token;
    (void)attempt;
    double *at = self;
    if (*at == 0)
        *at = bench_wall_ns();
    return 0;
}

static void cancel_nothing(void *self, shard_token token, enum shard_cancel_reason reason)
{
    (void)self;
    (void)token;
    (void)reason;
}

/* As after the death of an orchestrator: from the first word to the server to the first start. */
static void measure_resume(shard_context *context, const struct shard_redis_store_config *config, int tasks)
{
    static const struct shard_executor executor = {
        .struct_size = sizeof(executor), .name = "noting", .start = note_start, .cancel = cancel_nothing};
    struct shard_engine_config engine_config = {
        .struct_size = sizeof(engine_config), .executor = &executor, .lease_seconds = 60};
    struct shard_host_spec host = {.struct_size = sizeof(host), .name = "host", .cpu_millicores = 1000, .slots = 1};
    struct shard_run_spec spec = {.struct_size = sizeof(spec), .name = "bench"};
    double started = 0, begun = bench_wall_ns();
    shard_engine *engine = NULL;
    engine_config.executor_self = &started;
    if (shard_redis_store_open(context, config, &engine_config.store) < 0 ||
        shard_policy_by_name(context, "least_loaded", &engine_config.policy) < 0 ||
        shard_engine_new(context, &engine_config, &engine) < 0 || shard_engine_add_host(engine, &host) < 0 ||
        shard_engine_resume(engine, &spec) < 0)
        die("engine");
    while (started == 0) {
        struct pollfd item = {.fd = shard_engine_fd(engine), .events = POLLIN};
        struct shard_event event = {.struct_size = sizeof(event)};
        if (shard_engine_step(engine) < 0)
            die("step");
        while (shard_engine_next_event(engine, &event) == 1)
            if (event.kind == SHARD_EVENT_RUN_ENDED)
                die(event.message != NULL ? event.message : "the run ended");
        poll(&item, 1, 100);
    }
    large_row(tasks, "an engine resumes it, to the first start", (started - begun) / 1e9, "s");
    shard_engine_free(engine);
    engine_config.policy.port->destroy(engine_config.policy.self);
    engine_config.store.port->close(engine_config.store.self);
}

/* A run of many tasks, all done but for a few: what it takes up, and how long a recovery takes. */
static void measure_large(shard_context *context, const char *place, int tasks)
{
    struct server server = {.fsync = "everysec"};
    struct run run = {.context = context};
    struct shard_compact what = {.struct_size = sizeof(what), .keep_records = KEPT_RECORDS};
    struct shard_compacted compacted = {.struct_size = sizeof(compacted)};
    shard_workflow *workflow = make_workflow(context, tasks + 1000);
    start_server(&server, place);
    snprintf(server.url, sizeof(server.url), "redis+unix://%s", server.socket);
    struct shard_redis_store_config config = {.struct_size = sizeof(config), .url = server.url};
    double before = used_memory(&server);
    if (shard_redis_store_open(context, &config, &run.store) < 0)
        die("open");
    begin_run(&run, workflow);
    double made = used_memory(&server);
    large_row(tasks, "the workflow in the server", (made - before) / tasks, "bytes/task");
    int64_t transitions = INT64_C(3) * tasks / MAX_BATCH * MAX_BATCH;
    commit_all(&run, transitions, MAX_BATCH, 4);
    name_hosts(&run, transitions);
    large_row(tasks, "rows and all records", (used_memory(&server) - made) / tasks, "bytes/task");
    measure_load(&run, tasks, "a load with all records", SHARD_LOAD_RECORDS);
    double wall = bench_wall_ns();
    if (run.store.port->compact(run.store.self, &what, &compacted) < 0)
        die("compact");
    large_row(tasks, "compacting it to 100,000 records", (bench_wall_ns() - wall) / 1e9, "s");
    large_row(tasks, "rows and 100,000 records", (used_memory(&server) - made) / tasks, "bytes/task");
    measure_load(&run, tasks, "a load of rows and 100,000 records", SHARD_LOAD_RECORDS);
    measure_load(&run, tasks, "a load of rows alone", SHARD_LOAD_STATE);
    end_run(&run);
    measure_resume(context, &config, tasks);
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
