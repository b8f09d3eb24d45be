/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shardrun-burn: acts one task of a replay. It gets a file of orders, each ended by NUL:
 *
 *   cpu SECONDS    burn so much CPU time, in as many processes as it takes within the wall time
 *   wall SECONDS   take so long in all, if burning is faster
 *   hold BYTES     hold so much memory meanwhile, every page touched
 *   read PATH      read the whole file
 *   write BYTES PATH
 *
 * One that is for several units ($SHARD_UNITS) does them one after the other, an equal share of the CPU time and of the
 * wall time each, tells its progress, and leaves off where it is told to: it keeps to what shardrun(1) says of
 * commands.
 *
 * It is linked statically, so that it runs in every root filesystem, and uses nothing of shardrun.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, BLOCK_BYTES = 1 << 16, MOST_BURNERS = 64 };

struct orders {
    double cpu_seconds;
    double wall_seconds;
    size_t hold_bytes;
};

static _Noreturn void fail(const char *doing, const char *path)
{
    fprintf(stderr, "shardrun-burn: cannot %s '%s': %s\n", doing, path, strerror(errno));
    exit(1);
}

static double clock_seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void read_file(const char *path)
{
    static char block[BLOCK_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0)
        got = read(fd, block, sizeof block);
    if (got < 0)
        fail("read", path);
    close(fd);
}

static void write_file(const char *path, long long bytes)
{
    static char block[BLOCK_BYTES];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        fail("write", path);
    while (bytes > 0) {
        ssize_t done = write(fd, block, bytes < BLOCK_BYTES ? (size_t)bytes : BLOCK_BYTES);
        if (done < 0)
            fail("write", path);
        bytes -= done;
    }
    if (close(fd) < 0)
        fail("write", path);
}

static void burn_cpu(double seconds)
{
    volatile double sink = 1;
    double end = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds;
    while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < end) {
        for (int i = 0; i < 20000; i++)
            sink = sink * 1.0000001 + 1e-9;
    }
}

static void burn_in_processes(const struct orders *orders)
{
    double wall = orders->wall_seconds > 0.001 ? orders->wall_seconds : orders->cpu_seconds;
    int burners = wall > 0 ? (int)ceil(orders->cpu_seconds / wall - 0.05) : 1;
    burners = burners < 1 ? 1 : burners > MOST_BURNERS ? MOST_BURNERS : burners;
    for (int i = 1; i < burners; i++) {
        pid_t child = fork();
        if (child == 0) {
            burn_cpu(orders->cpu_seconds / burners);
            _exit(0);
        }
    }
    burn_cpu(orders->cpu_seconds / burners);
    while (wait(NULL) > 0)
        ;
}

/* Memory with every page touched, to be freed by the caller. */
static void *hold_memory(size_t bytes)
{
    char *memory = malloc(bytes + 1);
    if (memory == NULL)
        fail("hold memory for", "a task");
    for (size_t i = 0; i < bytes; i += PAGE_BYTES)
        ((volatile char *)memory)[i] = 1;
    return memory;
}

static void sleep_until(double end)
{
    double left = end - clock_seconds(CLOCK_MONOTONIC);
    if (left <= 0)
        return;
    struct timespec rest = {(time_t)left, (long)((left - floor(left)) * 1e9)};
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        ;
}

/* How many units this is to be all; 0: that has not been said. */
static long long read_limit(const char *path)
{
    char text[32] = "";
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    return length > 0 ? strtoll(text, NULL, 10) : 0;
}

static void tell(const char *path, long long done, long long limit)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%lld %lld\n", done, limit);
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (fd < 0 || write(fd, line, (size_t)length) != length)
        fail("write", path != NULL ? path : "$SHARD_PROGRESS");
    close(fd);
}

/* Burns unit by unit. Returns how large a share was done: less than all when the rest was taken away. */
static double burn_units(const struct orders *orders, long long units)
{
    const char *progress = getenv("SHARD_PROGRESS"), *limit_path = getenv("SHARD_LIMIT");
    struct orders unit = {orders->cpu_seconds / (double)units, orders->wall_seconds / (double)units, 0};
    long long done = 0, limit = 0;
    for (;; done++) {
        long long seen = read_limit(limit_path);
        limit = seen > 0 ? seen : limit;
        tell(progress, done, limit);
        if (done >= units || (limit > 0 && done >= limit))
            return (double)done / (double)units;
        double began = clock_seconds(CLOCK_MONOTONIC);
        burn_in_processes(&unit);
        sleep_until(began + unit.wall_seconds);
    }
}

static char *load(const char *path, size_t *ret_length)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found) < 0)
        fail("read", path);
    char *bytes = calloc((size_t)found.st_size + 1, 1);
    if (bytes == NULL || read(fd, bytes, (size_t)found.st_size) != found.st_size)
        fail("read", path);
    close(fd);
    *ret_length = (size_t)found.st_size;
    return bytes;
}

/* Takes the numbers out of an order; reading and writing is done when its time has come. */
static void obey(const char *order, bool writing, double share, struct orders *orders)
{
    char *rest = NULL;
    if (strncmp(order, "cpu ", 4) == 0)
        orders->cpu_seconds = strtod(order + 4, NULL);
    else if (strncmp(order, "wall ", 5) == 0)
        orders->wall_seconds = strtod(order + 5, NULL);
    else if (strncmp(order, "hold ", 5) == 0)
        orders->hold_bytes = strtoull(order + 5, NULL, 10);
    else if (strncmp(order, "read ", 5) == 0 && !writing)
        read_file(order + 5);
    else if (strncmp(order, "write ", 6) == 0 && writing) {
        long long bytes = strtoll(order + 6, &rest, 10);
        write_file(rest + 1, (long long)(share * (double)bytes));
    }
}

int main(int argc, char **argv)
{
    double began = clock_seconds(CLOCK_MONOTONIC);
    struct orders orders = {0};
    size_t length = 0;
    if (argc != 2) {
        fputs("usage: shardrun-burn FILE\n", stderr);
        return 2;
    }
    char *bytes = load(argv[1], &length);
    for (size_t at = 0; at < length; at += strlen(bytes + at) + 1)
        obey(bytes + at, false, 1, &orders);
    void *held = hold_memory(orders.hold_bytes);
    const char *units = getenv("SHARD_UNITS");
    double share = 1;
    /* Where there is nothing to do there are no units to do it in: a merge step, a replay of the shape alone. */
    bool has_work = orders.cpu_seconds > 0 || orders.wall_seconds > 0;
    if (units != NULL && has_work && strtoll(units, NULL, 10) > 1) {
        share = burn_units(&orders, strtoll(units, NULL, 10));
    } else {
        burn_in_processes(&orders);
        sleep_until(began + orders.wall_seconds);
    }
    free(held);
    for (size_t at = 0; at < length; at += strlen(bytes + at) + 1)
        obey(bytes + at, true, share, &orders);
    free(bytes);
    return 0;
}
