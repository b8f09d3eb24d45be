/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writes the config.json of an attempt's OCI bundle (runtime-spec 1.0): which walls the container has. Everything
 * about limits is in the cgroup that the shim makes, so nothing of that is here.
 */
#include "env.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOSTNAME_MAX 63

/* Length of the UTF-8 sequence at text, 0 if it is none; as RFC 3629 has it (no overlong forms, no surrogates). */
static size_t utf8_length(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool beyond = (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f);
    return overlong || beyond ? 0 : length;
}

static bool is_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t length = utf8_length(at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

static void put_escaped(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(file, "\\u%04x", c);
        else
            fputc(c, file);
    }
}

static void put_string(FILE *file, const char *text)
{
    fputc('"', file);
    put_escaped(file, text);
    fputc('"', file);
}

/* "NAME=value" */
static void put_assignment(FILE *file, const char *name, const char *value)
{
    fprintf(file, "\"%s=", name);
    put_escaped(file, value);
    fputc('"', file);
}

static void put_list(FILE *file, const char *const *list, bool after_another)
{
    for (; *list != NULL; list++) {
        if (after_another)
            fputc(',', file);
        put_string(file, *list);
        after_another = true;
    }
}

static void put_process(FILE *file, const struct launch_spec *spec)
{
    static const char *const default_env[] = {LAUNCH__DEFAULT_PATH, NULL};
    const char *const *env = spec->env;
    if (env == NULL)
        env = spec->rootfs->env != NULL ? (const char *const *)spec->rootfs->env : default_env;
    fputs("\"process\":{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},\"args\":[", file);
    put_list(file, spec->argv, false);
    fputs("],\"env\":[", file);
    put_assignment(file, LAUNCH__MARK, spec->dir);
    put_list(file, env, true);
    fputs("],\"cwd\":", file);
    put_string(file, spec->cwd == NULL ? "/" : spec->cwd);
    fputs(",\"capabilities\":{\"bounding\":[],\"effective\":[],\"inheritable\":[],\"permitted\":[],\"ambient\":[]},"
          "\"noNewPrivileges\":true}",
          file);
}

static void put_bind(FILE *file, const char *source, const char *target, bool read_only)
{
    fputs(",{\"type\":\"bind\",\"source\":", file);
    put_string(file, source);
    fputs(",\"destination\":", file);
    put_string(file, target);
    fprintf(file, ",\"options\":[\"rbind\",\"nosuid\",\"nodev\",\"%s\"]}", read_only ? "ro" : "rw");
}

/* Of /tmp, where the host does not say. */
static const uint64_t default_tmp_bytes = UINT64_C(64) << 20;

static void put_mounts(FILE *file, const struct launch_spec *spec, bool rootless)
{
    fputs("\"mounts\":["
          "{\"type\":\"proc\",\"source\":\"proc\",\"destination\":\"/"
          "proc\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
          "{\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"destination\":\"/dev\","
          "\"options\":[\"nosuid\",\"noexec\",\"strictatime\",\"mode=755\",\"size=64k\"]},"
          "{\"type\":\"tmpfs\",\"source\":\"shm\",\"destination\":\"/dev/shm\","
          "\"options\":[\"nosuid\",\"nodev\",\"noexec\",\"mode=1777\",\"size=64m\"]},"
          "{\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"destination\":\"/tmp\","
          "\"options\":[\"nosuid\",\"nodev\",\"mode=1777\"",
          file);
    fprintf(file, ",\"size=%" PRIu64 "\"]}", spec->tmp_bytes > 0 ? spec->tmp_bytes : default_tmp_bytes);
    /* sysfs shows the network namespace; the kernel lets only its owner mount it. */
    if (rootless && spec->network)
        put_bind(file, "/sys", "/sys", true);
    else
        fputs(",{\"type\":\"sysfs\",\"source\":\"sysfs\",\"destination\":\"/sys\","
              "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]}",
              file);
    size_t count = 0;
    const char *const *assembled = launch__assembled_binds(&count);
    for (size_t i = 0; spec->rootfs->assembled && i < count; i++) {
        if (access(assembled[i], F_OK) == 0)
            put_bind(file, assembled[i], assembled[i], true);
    }
    for (size_t i = 0; i < spec->bind_count; i++)
        put_bind(file, spec->binds[i].source, spec->binds[i].target, spec->binds[i].read_only);
    fputc(']', file);
}

static void put_linux(FILE *file, const struct launch_spec *spec, const char *cgroups_path, bool rootless)
{
    fputs("\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},"
          "{\"type\":\"cgroup\"}",
          file);
    if (!spec->network)
        fputs(",{\"type\":\"network\"}", file);
    if (rootless)
        fprintf(file,
                ",{\"type\":\"user\"}],\"uidMappings\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}],"
                "\"gidMappings\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}]",
                (unsigned)geteuid(), (unsigned)getegid());
    else
        fputc(']', file);
    if (cgroups_path != NULL) {
        fputs(",\"cgroupsPath\":", file);
        put_string(file, cgroups_path);
    }
    fputs(",\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\","
          "\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\",\"/proc/scsi\",\"/sys/firmware\","
          "\"/sys/devices/virtual/powercap\"],"
          "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]}",
          file);
}

/* A host name as the kernel and other programs take it: letters, digits and hyphens. */
static void put_hostname(FILE *file, const char *host)
{
    char name[HOSTNAME_MAX + 1];
    size_t length = 0;
    for (; length < HOSTNAME_MAX && host[length] != '\0'; length++) {
        char c = host[length];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
        name[length] = plain ? c : '-';
    }
    name[length] = '\0';
    fprintf(file, "\"hostname\":\"%s\"", length == 0 ? "host" : name);
}

static int check_text(const char *what, const char *text, struct launch_error *error)
{
    if (is_utf8(text))
        return 0;
    return launch__fail(error, -EILSEQ, "%s is not UTF-8 text, which a container's configuration must be", what);
}

static int check_spec(const struct launch_spec *spec, struct launch_error *error)
{
    int result = check_text("the attempt directory", spec->dir, error);
    for (size_t i = 0; result == 0 && spec->argv[i] != NULL; i++)
        result = check_text(i == 0 ? "the command" : "an argument of the command", spec->argv[i], error);
    for (size_t i = 0; result == 0 && spec->env != NULL && spec->env[i] != NULL; i++)
        result = check_text("a variable of the environment", spec->env[i], error);
    for (size_t i = 0; result == 0 && i < spec->bind_count; i++) {
        result = check_text("the source of a bind mount", spec->binds[i].source, error);
        if (result == 0)
            result = check_text("the target of a bind mount", spec->binds[i].target, error);
    }
    if (result == 0 && spec->cwd != NULL)
        result = check_text("the working directory", spec->cwd, error);
    return result;
}

int launch__oci_config_write(int dir_fd, const struct launch_spec *spec, const char *cgroups_path,
                             struct launch_error *error)
{
    int result = check_spec(spec, error);
    if (result < 0)
        return result;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        return launch__fail(error, -ENOMEM, "no memory for the container's configuration");
    bool rootless = geteuid() != 0;
    fputs("{\"ociVersion\":\"1.0.0\",", file);
    put_process(file, spec);
    fputs(",\"root\":{\"readonly\":true,\"path\":", file);
    put_string(file, spec->rootfs->path);
    fputs("},", file);
    put_hostname(file, spec->host);
    fputc(',', file);
    put_mounts(file, spec, rootless);
    fputc(',', file);
    put_linux(file, spec, cgroups_path, rootless);
    fputs("}\n", file);
    result = fclose(file) != 0 ? -ENOMEM : launch__write_file(dir_fd, LAUNCH__FILE_CONFIG, text, size);
    free(text);
    if (result < 0)
        launch__fail(error, result, "cannot write %s/" LAUNCH__FILE_CONFIG ": %s", spec->dir, strerror(-result));
    return result;
}
