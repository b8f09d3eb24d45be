/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Feeds each file of a corpus directory to a fuzz target once, as a normal test without libFuzzer. Reports TAP, one
 * test a file; a finding is a crash or a sanitizer's report.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/** Reads a file whole. The buffer has its exact size, so that a sanitizer sees each read beyond the end. */
static int read_file(const char *path, uint8_t **ret_data, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long size = -1;
    int result = -1;

    if (file == NULL)
        return -1;
    if (fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size < 0 || fseek(file, 0, SEEK_SET) != 0)
        goto out;
    data = malloc(size > 0 ? (size_t)size : 1);
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size)
        goto out;
    *ret_data = data;
    *ret_size = (size_t)size;
    data = NULL;
    result = 0;
out:
    free(data);
    fclose(file);
    return result;
}

static int replay(const char *directory, const char *name)
{
    char path[4096];
    uint8_t *data;
    size_t size;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (read_file(path, &data, &size) != 0)
        return -1;
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    int count, failed = 0;

    if (argc != 2 || (count = scandir(argv[1], &entries, is_input, alphasort)) <= 0) {
        fprintf(stderr, "usage: %s CORPUS (a directory with at least one file)\n", argv[0]);
        return EXIT_FAILURE;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        int result = replay(argv[1], entries[i]->d_name);

        printf("%s %d - %s\n", result == 0 ? "ok" : "not ok", i + 1, entries[i]->d_name);
        fflush(stdout);
        failed |= result;
        free(entries[i]);
    }
    free(entries);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
