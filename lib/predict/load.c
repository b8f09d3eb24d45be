/* SPDX-License-Identifier: Apache-2.0 */
/* Loading and saving a model: options, file, checksum, then the layouts; and what a loaded forest says of itself. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/blake2b.h"
#include "base/error.h"
#include "base/file.h"
#include "fold.h"
#include "forest.h"
#include "ranks.h"

enum { MAX_MODEL_BYTES = 1 << 30 };

static int take_options(const struct shard_forest_options *options, struct shard_forest_options *ret_options)
{
    memset(ret_options, 0, sizeof(*ret_options));
    if (options == NULL)
        return 0;
    int status = shard__take_struct(ret_options, sizeof(*ret_options), options, "forest options");
    if (status == 0 && ((int)ret_options->checksum < 0 || ret_options->checksum > SHARD_CHECKSUM_IGNORED))
        status = shard__fail(SHARD_EINVAL, "forest options: unknown checksum rule %d", (int)ret_options->checksum);
    if (status == 0 && ((int)ret_options->path < 0 || ret_options->path > SHARD_FOREST_PATH_AVX2))
        status = shard__fail(SHARD_EINVAL, "forest options: unknown path %d", (int)ret_options->path);
    if (status == 0 && ret_options->rounds < -1)
        status = shard__fail(SHARD_EINVAL, "forest options: %d rounds", ret_options->rounds);
    return status;
}

static int machine_has_avx512(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw");
#else
    return 0;
#endif
}

static int machine_has_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
#else
    return 0;
#endif
}

static int machine_has_vbmi(void)
{
#if defined(__x86_64__)
    return machine_has_avx512() && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("popcnt");
#else
    return 0;
#endif
}

/* What compares bytes: jumps, or else the fold. */
static int build_ranked(shard_forest *forest, const struct shard__splits *splits, enum shard_forest_path path)
{
    struct shard__ranks ranks;
    int use_avx2 = path != SHARD_FOREST_PATH_PORTABLE && machine_has_avx2();
    if (splits->count == 0 || forest->max_leaves > SHARD__FOLD_LEAVES)
        return 0;
    int status = shard__ranks_make(forest, splits, &ranks);
    if (status == 0 && path == SHARD_FOREST_PATH_BEST && machine_has_vbmi())
        status = shard__forest_build_jumps(forest, &ranks);
    if (status == 0 && forest->jumps.nodes == NULL && SHARD__HAS_FOLD)
        status = shard__forest_build_fold(forest, &ranks, use_avx2);
    if (status == 0 && (forest->jumps.nodes != NULL || forest->fold.nodes != NULL))
        status = shard__forest_build_ranks(forest, splits, &ranks);
    shard__ranks_free(&ranks);
    return status;
}

/* What wants sorted splits. */
static int build_sorted(shard_forest *forest, enum shard_forest_path path)
{
    struct shard__splits splits;
    int status = shard__splits_sort(forest, &splits);
    if (status < 0)
        return status;
    status = shard__forest_build_masks(forest, &splits);
    if (status == 0)
        status = build_ranked(forest, &splits, path);
    shard__release(forest->context, splits.items, splits.bytes);
    return status;
}

static int build(shard_forest *forest, enum shard_forest_path path)
{
    forest->plain = path == SHARD_FOREST_PATH_PLAIN;
    if (forest->plain)
        return 0;
    forest->use_avx512 = path == SHARD_FOREST_PATH_BEST && machine_has_avx512();
    forest->lead_high = forest->use_avx512;
    int status = shard__forest_build_walk(forest);
    return status < 0 ? status : build_sorted(forest, path);
}

static int check_digest(shard_forest *forest, const void *bytes, size_t size, const char *wanted, const char *source)
{
    shard__blake2b_text(bytes, size, forest->digest);
    if (wanted != NULL && strcmp(wanted, forest->digest) != 0)
        return shard__fail(SHARD_ECORRUPT, "%s: its BLAKE2b-256 is %s, expected %.64s", source, forest->digest, wanted);
    return 0;
}

static int load(shard_context *context, const void *bytes, size_t size, const char *source,
                const struct shard_forest_options *options, shard_forest **ret_forest)
{
    if (source == NULL)
        source = "model";
    if (bytes == NULL || size > MAX_MODEL_BYTES)
        return shard__fail(bytes == NULL ? SHARD_EINVAL : SHARD_ELIMIT, "%s: no bytes, or more than %d", source,
                           MAX_MODEL_BYTES);
    shard_forest *forest = shard__zalloc(context, sizeof(*forest));
    if (forest == NULL)
        return SHARD_ENOMEM;
    forest->context = context;
    int status = check_digest(forest, bytes, size, options->digest, source);
    if (status == 0)
        status = shard__forest_parse(forest, bytes, size, source, options->rounds);
    if (status == 0 && options->columns != 0 && options->columns != forest->feature_count)
        status = shard__fail(SHARD_EINVAL, "%s: has %d features, expected %d", source, forest->feature_count,
                             options->columns);
    if (status == 0)
        status = build(forest, options->path);
    if (status < 0) {
        shard_forest_free(forest);
        return status;
    }
    *ret_forest = forest;
    return 0;
}

int shard_forest_load_buffer(shard_context *context, const void *bytes, size_t size, const char *source,
                             const struct shard_forest_options *options, shard_forest **ret_forest)
{
    struct shard_forest_options taken;
    shard__clear_error();
    int status = take_options(options, &taken);
    return status < 0 ? status : load(context, bytes, size, source, &taken, ret_forest);
}

static char *beside(const shard_context *context, const char *path)
{
    size_t size = strlen(path) + sizeof(".b2");
    char *text = shard__realloc(context, NULL, 0, size);
    if (text != NULL)
        snprintf(text, size, "%s.b2", path);
    return text;
}

/* The digest in the file beside a model: the first 64 characters, as b2sum writes them. "" when it is not there. */
static int read_digest(const shard_context *context, const char *path, enum shard_checksum_rule rule, char digest[65])
{
    struct shard__bytes bytes;
    char *name = beside(context, path);
    if (name == NULL)
        return SHARD_ENOMEM;
    int status = shard__file_read(context, name, 8192, &bytes);
    if (status == 0) {
        if (bytes.size < 66 || bytes.data[64] != ' ' || strspn(bytes.data, "0123456789abcdef") != 64)
            status =
                shard__fail(SHARD_ECORRUPT, "%s: expected 64 hex digits and a file name, as b2sum -l 256 writes", name);
        else
            memcpy(digest, bytes.data, 64);
        digest[64] = '\0';
        shard__bytes_free(&bytes);
    } else if (status == SHARD_ENOENT && rule == SHARD_CHECKSUM_IF_THERE) {
        shard__clear_error();
        digest[0] = '\0';
        status = 0;
    }
    shard__strfree(context, name);
    return status;
}

int shard_forest_load_file(shard_context *context, const char *path, const struct shard_forest_options *options,
                           shard_forest **ret_forest)
{
    struct shard_forest_options taken;
    struct shard__bytes bytes;
    char digest[65] = "";
    shard__clear_error();
    int status = take_options(options, &taken);
    if (status < 0)
        return status;
    if (path == NULL)
        return shard__fail(SHARD_EINVAL, "a model's path is missing");
    if (taken.checksum != SHARD_CHECKSUM_IGNORED && taken.digest == NULL) {
        if ((status = read_digest(context, path, taken.checksum, digest)) < 0)
            return status;
        taken.digest = digest[0] != '\0' ? digest : NULL;
    }
    if ((status = shard__file_read(context, path, MAX_MODEL_BYTES, &bytes)) < 0)
        return status;
    status = load(context, bytes.data, bytes.size, path, &taken, ret_forest);
    shard__bytes_free(&bytes);
    return status;
}

int shard_model_save(shard_context *context, const char *path, const void *bytes, size_t size)
{
    struct shard_forest_options options = {.rounds = -1, .path = SHARD_FOREST_PATH_PLAIN};
    shard_forest *forest = NULL;
    char *name = NULL;
    shard__clear_error();
    int status = load(context, bytes, size, path, &options, &forest);
    if (status < 0)
        return status;
    const char *slash = strrchr(path, '/');
    struct shard__bytes line;
    shard__bytes_init(&line, context);
    shard__bytes_printf(&line, "%s  %s\n", forest->digest, slash != NULL ? slash + 1 : path);
    name = beside(context, path);
    status = name == NULL ? SHARD_ENOMEM : line.status;
    if (status == 0)
        status = shard__file_replace(context, path, bytes, size);
    if (status == 0)
        status = shard__file_replace(context, name, line.data, line.size);
    shard__strfree(context, name);
    shard__bytes_free(&line);
    shard_forest_free(forest);
    return status;
}
