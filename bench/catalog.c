/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workflow of 100,000 tasks in a catalog: publishing it, then changing one task 1,000 times, against plain git doing
 * the same in a clone with a work tree (edit the file, git commit -- that file). Milliseconds per commit, and bytes
 * that the repository grew by per commit, both after git gc.
 *
 * usage: catalog [TASKS [AMENDMENTS]]
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <shard/catalog.h>

#include "measure.h"

enum { MOST_OF_PLAIN_GIT = 100 }; /* amendments: it looks at its index of 100,000 files each time */

static char directory[] = "/tmp/shard-catalog-XXXXXX";

static void check(int status, const char *what)
{
    bench_check("catalog", status, what);
}

/* CPU time of the commands that have ended. */
static double children_cpu_ns(void)
{
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return ((double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec) * 1e9 +
           ((double)used.ru_utime.tv_usec + (double)used.ru_stime.tv_usec) * 1e3;
}

/* Runs a shell command in the directory; the number that it prints, if any. */
static double shell(const char *command)
{
    char line[4096];
    double number = NAN;
    snprintf(line, sizeof(line), "cd %s && %s", directory, command);
    FILE *pipe = popen(line, "r");
    if (pipe == NULL || (fgets(line, sizeof(line), pipe) != NULL && sscanf(line, "%lf", &number) != 1))
        number = NAN;
    if (pipe == NULL || pclose(pipe) != 0) {
        fprintf(stderr, "catalog: failed: %s\n", command);
        exit(1);
    }
    return number;
}

/* Bytes of a bare repository, packed. */
static double packed_bytes(const char *name)
{
    char command[400];
    snprintf(command, sizeof(command), "git -C %s gc -q --prune=now && du -sb %s/objects", name, name);
    return shell(command);
}

static shard_workflow *make_workflow(shard_context *context, int tasks)
{
    shard_builder *builder = NULL;
    shard_workflow *workflow = NULL;
    check(shard_builder_new(context, "bench", &builder), "builder");
    for (int i = 0; i < tasks; i++) {
        char name[64], payload[128];
        snprintf(name, sizeof(name), "align_%06d", i);
        snprintf(payload, sizeof(payload), "{\"command\": [\"align\", \"--sample\", \"%d\"]}", i);
        const struct shard_task_spec spec = {.struct_size = sizeof(spec),
                                             .name = name,
                                             .kind = "align",
                                             .payload = payload,
                                             .payload_bytes = strlen(payload),
                                             .memory_bytes = INT64_C(1) << 30,
                                             .failure_cost_seconds = 1,
                                             .expected_seconds = 10 + i % 100};
        check(shard_builder_add_task(builder, &spec), "task");
        if (i >= 100)
            check(shard_builder_add_edge(builder, i - 100, i), "edge");
    }
    check(shard_builder_seal(builder, &workflow), "seal");
    shard_builder_free(builder);
    return workflow;
}

static void amend_ours(shard_catalog *catalog, int amendments)
{
    char commit[SHARD_COMMIT_TEXT], value[32];
    for (int i = 0; i < amendments; i++) {
        snprintf(value, sizeof(value), "%d", 1000 + i);
        check(
            shard_catalog_amend(catalog, "align_000042", "failure_cost_seconds", value, "align_000042: amend", commit),
            "amend");
    }
}

/* The same with sed, git add and git commit in a work tree. */
static void amend_theirs(const char *file, int amendments)
{
    char command[1024];
    snprintf(
        command, sizeof(command),
        "cd work && for i in $(seq %d); do sed -i \"s/\\(failure_cost_seconds\\\": \\)[0-9]*/\\1$((999 + i))/\" %s && "
        "git add %s && git commit -q -m 'align_000042: amend' || exit 1; done",
        amendments, file, file);
    shell(command);
}

int main(int argc, char **argv)
{
    int tasks = argc > 1 ? atoi(argv[1]) : 100000, amendments = argc > 2 ? atoi(argv[2]) : 1000;
    char path[200], file[SHARD_CATALOG_PATH], commit[SHARD_COMMIT_TEXT], name[64];
    shard_context *context = NULL;
    shard_catalog *catalog = NULL;
    if (tasks < 100 || amendments < 1 || mkdtemp(directory) == NULL)
        return 1;
    check(shard_context_new(NULL, &context), "context");
    shard_workflow *workflow = make_workflow(context, tasks);
    snprintf(path, sizeof(path), "%s/ours", directory);
    const struct shard_catalog_config config = {.struct_size = sizeof(config), .path = path};
    check(shard_catalog_open(context, &config, &catalog), "open");
    double started = bench_wall_ns();
    check(shard_catalog_publish(catalog, workflow, NULL, commit), "publish");
    double published = (bench_wall_ns() - started) / 1e9, published_cpu = bench_cpu_ns() / 1e9;
    double before = packed_bytes("ours");
    shell("git clone -q --bare ours theirs && git clone -q theirs work");
    check(shard_catalog_task_path("align_000042", file), "path");
    shell("cd work && git config user.name x && git config user.email x@localhost && git config gc.auto 0");

    double cpu = bench_cpu_ns();
    started = bench_wall_ns();
    amend_ours(catalog, amendments);
    double ours_ms = (bench_wall_ns() - started) / 1e6 / amendments;
    double ours_cpu_ms = (bench_cpu_ns() - cpu) / 1e6 / amendments;
    double ours_bytes = (packed_bytes("ours") - before) / amendments;

    double theirs_before = packed_bytes("theirs");
    started = bench_wall_ns();
    int fewer = amendments < MOST_OF_PLAIN_GIT ? amendments : MOST_OF_PLAIN_GIT;
    cpu = children_cpu_ns();
    amend_theirs(file, fewer);
    double theirs_ms = (bench_wall_ns() - started) / 1e6 / fewer;
    double theirs_cpu_ms = (children_cpu_ns() - cpu) / 1e6 / fewer;
    shell("cd work && git push -q");
    double theirs_bytes = (packed_bytes("theirs") - theirs_before) / fewer;

    started = bench_wall_ns();
    shard_workflow *loaded = NULL;
    check(shard_catalog_load(catalog, NULL, NULL, &loaded), "load");
    double load_seconds = (bench_wall_ns() - started) / 1e9;
    bench_header("catalog", "plain git");
    snprintf(name, sizeof(name), "publish %d tasks", tasks);
    bench_row("catalog", name, published, NAN, "s", 1);
    bench_row("catalog", "CPU until then", published_cpu, NAN, "s", 1);
    snprintf(name, sizeof(name), "load %d tasks", tasks);
    bench_row("catalog", name, load_seconds, NAN, "s", 1);
    snprintf(name, sizeof(name), "amend one of %d", tasks);
    bench_row("catalog", name, ours_ms, theirs_ms, "ms", amendments);
    snprintf(name, sizeof(name), "CPU, amend one of %d", tasks);
    bench_row("catalog", name, ours_cpu_ms, theirs_cpu_ms, "ms", amendments);
    snprintf(name, sizeof(name), "growth, amend one of %d", tasks);
    bench_row("catalog", name, ours_bytes, theirs_bytes, "bytes", amendments);
    shard_workflow_unref(loaded);
    shard_workflow_unref(workflow);
    shard_catalog_close(catalog);
    shard_context_free(context);
    shell("git -C ours fsck --strict >/dev/null 2>&1 && rm -rf ours theirs work");
    rmdir(directory);
    return 0;
}
