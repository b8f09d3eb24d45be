/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading WfFormat: text to a sealed workflow, against jansson's json_loadb() of the same text, which makes a tree and
 * knows nothing of workflows. Both in turn, A B A B, medians of CPU time; MB are 10^6 bytes. A ratio above 1 means that
 * ours is faster.
 * usage: import [RUNS [FILE...]]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include <shard/shard.h>

#define MOST_RUNS 1000

static const char *const files[] = {BENCH_DATA "/montage-chameleon-2mass-025d-001.json",
                                    BENCH_DATA "/soykb-chameleon-30fastq-20ch-001.json",
                                    BENCH_DATA "/epigenomics-chameleon-hep-4seq-50k-001.json"};

struct text {
    const char *name;
    char *bytes;
    size_t size;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "import: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct text read_text(const char *path)
{
    struct text text = {.name = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1};
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die(path, "cannot be opened");
    fseek(file, 0, SEEK_END);
    text.size = (size_t)ftell(file);
    rewind(file);
    text.bytes = malloc(text.size);
    if (text.bytes == NULL || fread(text.bytes, 1, text.size, file) != text.size)
        die(path, "cannot be read");
    fclose(file);
    return text;
}

static double run_ours(shard_context *context, const struct text *text)
{
    shard_workflow *workflow = NULL;
    double start = cpu_seconds();
    int status = shard_workflow_parse(context, text->bytes, text->size, text->name, SHARD_FORMAT_AUTO, NULL, &workflow);
    shard_workflow_unref(workflow);
    double spent = cpu_seconds() - start;
    struct shard_error error = {.struct_size = sizeof error};
    shard_error_copy(&error);
    if (status < 0)
        die(text->name, error.message);
    return spent;
}

static double run_peer(const struct text *text)
{
    json_error_t error;
    double start = cpu_seconds();
    json_t *tree = json_loadb(text->bytes, text->size, 0, &error);
    json_decref(tree);
    double spent = cpu_seconds() - start;
    if (tree == NULL)
        die(text->name, error.text);
    return spent;
}

static int by_size(const void *one, const void *other)
{
    double a = *(const double *)one;
    double b = *(const double *)other;
    return (a > b) - (a < b);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void compare(shard_context *context, const char *path, int runs)
{
    static double ours[MOST_RUNS];
    static double theirs[MOST_RUNS];
    struct text text = read_text(path);

    run_ours(context, &text); /* warm, both */
    run_peer(&text);
    for (int i = 0; i < runs; i++) {
        ours[i] = run_ours(context, &text);
        theirs[i] = run_peer(&text);
    }
    double a = (double)text.size / median(ours, runs) / 1e6;
    double b = (double)text.size / median(theirs, runs) / 1e6;
    fprintf(stderr, "%-48s %8.0f MB/s %8.0f MB/s %7.2f\n", text.name, a, b, a / b);
    printf("{\"bench\":\"import\",\"case\":\"%s\",\"ours\":%.1f,\"peer\":%.1f,\"ratio\":%.3f,\"unit\":\"MB/s\","
           "\"runs\":%d}\n",
           text.name, a, b, a / b, runs);
    fflush(stdout);
    free(text.bytes);
}

int main(int argc, char **argv)
{
    int runs = argc > 1 ? atoi(argv[1]) : 51;
    shard_context *context = NULL;

    if (runs < 1 || runs > MOST_RUNS)
        die(argv[1], "expected 1 to 1000 runs");
    if (shard_context_new(NULL, &context) < 0)
        die("context", "no memory");
    fprintf(stderr, "%-48s %13s %13s %7s\n", "text to workflow", "libshard", "jansson", "ratio");
    for (int i = 2; i < argc; i++)
        compare(context, argv[i], runs);
    for (size_t i = 0; argc < 3 && i < sizeof files / sizeof files[0]; i++)
        compare(context, files[i], runs);
    shard_context_free(context);
    return EXIT_SUCCESS;
}
