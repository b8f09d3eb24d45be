/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the counters of the machine from /proc. What this kernel does not have is NaN.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "monitor.h"
#include "need.h"

enum { FILE_BYTES = 1 << 15 };

/* Reads a small file below `root` into `buffer`; "" when it is not there. */
static void slurp(const char *root, const char *path, char *buffer)
{
    char *whole = need_printf("%s%s", root, path);
    int fd = open(whole, O_RDONLY | O_CLOEXEC);
    ssize_t length = 0, got = fd < 0 ? 0 : 1;
    while (got > 0 && length < FILE_BYTES - 1) {
        got = read(fd, buffer + length, (size_t)(FILE_BYTES - 1 - length));
        length += got > 0 ? got : 0;
    }
    buffer[length] = '\0';
    if (fd >= 0)
        close(fd);
    free(whole);
}

/* The number after `key` in a text, NaN if there is none. */
static double number_after(const char *text, const char *key)
{
    const char *found = strstr(text, key);
    char *end = NULL;
    if (found == NULL)
        return NAN;
    double value = strtod(found + strlen(key), &end);
    return end == found + strlen(key) ? NAN : value;
}

static void read_cpu(const char *text, struct machine_counters *counters)
{
    /* user nice system idle iowait irq softirq steal */
    double ticks[8] = {0};
    counters->cpu_busy = counters->cpu_total = NAN;
    if (sscanf(text, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4],
               &ticks[5], &ticks[6], &ticks[7]) < 4)
        return;
    counters->cpu_total = 0;
    for (int i = 0; i < 8; i++)
        counters->cpu_total += ticks[i];
    counters->cpu_busy = counters->cpu_total - ticks[3] - ticks[4];
}

/* Received and sent bytes of all interfaces but the loop-back. */
static double network_bytes(const char *text)
{
    double total = 0;
    const char *line = strchr(text, ':');
    if (line == NULL)
        return NAN;
    for (; line != NULL; line = strchr(line + 1, ':')) {
        double received = 0, sent = 0;
        const char *name = line;
        while (name > text && name[-1] != ' ' && name[-1] != '\n')
            name--;
        if (strncmp(name, "lo:", 3) != 0 &&
            sscanf(line + 1, "%lf %*f %*f %*f %*f %*f %*f %*f %lf", &received, &sent) == 2)
            total += received + sent;
    }
    return total;
}

static double pressure(const char *root, const char *path, char *buffer)
{
    slurp(root, path, buffer);
    double some = number_after(buffer, "some avg10=");
    return some >= 0 && some <= 100 ? some / 100 : NAN;
}

static double disk_share(const char *path)
{
    struct statvfs disk;
    if (path == NULL || statvfs(path, &disk) < 0 || disk.f_blocks == 0)
        return NAN;
    return 1 - (double)disk.f_bavail / (double)disk.f_blocks;
}

void machine_counters_read(const char *root, const char *disk, struct machine_counters *ret_counters)
{
    char *buffer = need_zeroed(FILE_BYTES, 1);
    struct machine_counters counters = {0};
    slurp(root, "/proc/stat", buffer);
    read_cpu(buffer, &counters);
    slurp(root, "/proc/meminfo", buffer);
    counters.memory_share = 1 - number_after(buffer, "MemAvailable:") / number_after(buffer, "MemTotal:");
    slurp(root, "/proc/vmstat", buffer);
    counters.io_bytes = 1024 * (number_after(buffer, "pgpgin ") + number_after(buffer, "pgpgout "));
    slurp(root, "/proc/net/dev", buffer);
    counters.network_bytes = network_bytes(buffer);
    slurp(root, "/proc/loadavg", buffer);
    counters.load = buffer[0] != '\0' ? strtod(buffer, NULL) : NAN;
    slurp(root, "/sys/class/thermal/thermal_zone0/temp", buffer);
    counters.temperature_celsius = buffer[0] != '\0' ? strtod(buffer, NULL) / 1000 : NAN;
    counters.cpu_pressure = pressure(root, "/proc/pressure/cpu", buffer);
    counters.memory_pressure = pressure(root, "/proc/pressure/memory", buffer);
    counters.io_pressure = pressure(root, "/proc/pressure/io", buffer);
    counters.disk_share = disk_share(disk);
    free(buffer);
    *ret_counters = counters;
}
