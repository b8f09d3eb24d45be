/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hosts of a run, as the user asked for them.
 */
#include "hosts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "nearest.h"
#include "need.h"

enum { MOST_HOSTS = 4096 };

static const char *const keys[] = {"name",
                                   "cpu_millicores",
                                   "cpu_limit_millicores",
                                   "memory_bytes",
                                   "memory_limit_bytes",
                                   "disk_bytes",
                                   "tmp_bytes",
                                   "slowed_after_seconds",
                                   "slowed_millicores",
                                   "slots",
                                   "speed",
                                   "volume",
                                   "labels"};

/* Where in the JSON we are, for messages. */
struct where {
    const char *source;
    size_t index;
    char **ret_problem;
};

static int refuse(const struct where *where, const char *key, const char *expected)
{
    *where->ret_problem =
        need_printf("%s: /hosts/%zu%s%s %s", where->source, where->index, key[0] != '\0' ? "/" : "", key, expected);
    return -1;
}

static int read_whole(const struct where *where, const json_t *host, const char *key, int64_t min, int64_t max,
                      int64_t *value)
{
    const json_t *found = json_object_get(host, key);
    if (found == NULL)
        return 0;
    if (!json_is_integer(found) || json_integer_value(found) < min || json_integer_value(found) > max) {
        char *expected = need_printf("is not a whole number from %lld to %lld", (long long)min, (long long)max);
        refuse(where, key, expected);
        free(expected);
        return -1;
    }
    *value = json_integer_value(found);
    return 0;
}

/* What makes a host sick from some time on: both keys or none. */
static int read_slowdown(const struct where *where, const json_t *host, struct host_plan *plan)
{
    const json_t *after = json_object_get(host, "slowed_after_seconds");
    if (after != NULL && !(json_is_number(after) && json_number_value(after) > 0 && json_number_value(after) <= 1e9))
        return refuse(where, "slowed_after_seconds", "is not a number above 0");
    if (read_whole(where, host, "slowed_millicores", 1, 1000000000, &plan->slowed_limit) < 0)
        return -1;
    plan->slowed_after = after != NULL ? json_number_value(after) : 0;
    if ((plan->slowed_after > 0) != (plan->slowed_limit > 0))
        return refuse(where, plan->slowed_after > 0 ? "slowed_millicores" : "slowed_after_seconds",
                      "is missing: when a host is slowed and how much it is left with go together");
    return 0;
}

static int read_numbers(const struct where *where, const json_t *host, struct host_plan *plan)
{
    static const int64_t most_bytes = INT64_C(1) << 60;
    const json_t *speed = json_object_get(host, "speed");
    int64_t slots = 0;
    if (json_object_get(host, "cpu_millicores") == NULL)
        return refuse(where, "cpu_millicores", "is missing; 1000 is one core");
    if (read_whole(where, host, "cpu_millicores", 1, 1000000000, &plan->cpu_millicores) < 0)
        return -1;
    plan->cpu_limit = plan->cpu_millicores;
    if (read_whole(where, host, "cpu_limit_millicores", 1, 1000000000, &plan->cpu_limit) < 0 ||
        read_whole(where, host, "memory_bytes", 0, most_bytes, &plan->memory_bytes) < 0)
        return -1;
    plan->memory_limit_bytes = plan->memory_bytes;
    if (read_whole(where, host, "memory_limit_bytes", 0, most_bytes, &plan->memory_limit_bytes) < 0 ||
        read_whole(where, host, "disk_bytes", 0, most_bytes, &plan->disk_bytes) < 0 ||
        read_whole(where, host, "tmp_bytes", 0, most_bytes, &plan->tmp_bytes) < 0 ||
        read_slowdown(where, host, plan) < 0 || read_whole(where, host, "slots", 1, 1000000, &slots) < 0)
        return -1;
    plan->slots = (int32_t)slots;
    if (speed != NULL && !(json_is_number(speed) && json_number_value(speed) > 0 && json_number_value(speed) <= 1e6))
        return refuse(where, "speed", "is not a number above 0");
    plan->speed = speed != NULL ? json_number_value(speed) : 0;
    return 0;
}

static int read_labels(const struct where *where, const json_t *host, struct host_plan *plan)
{
    json_t *labels = json_object_get(host, "labels"), *value;
    const char *key;
    struct text text = {0};
    if (labels == NULL)
        return 0;
    if (!json_is_object(labels))
        return refuse(where, "labels", "is not an object of names and texts");
    json_object_foreach(labels, key, value)
    {
        if (!json_is_string(value) || strpbrk(key, "=,") != NULL || strpbrk(json_string_value(value), "=,") != NULL) {
            text_clear(&text);
            return refuse(where, "labels", "has something other than a text, or a text with '=' or ','");
        }
        text_printf(&text, "%s%s=%s", text.length > 0 ? "," : "", key, json_string_value(value));
    }
    plan->labels = text_take(&text);
    return 0;
}

static int check_keys(const struct where *where, json_t *host)
{
    const char *key;
    json_t *value;
    json_object_foreach(host, key, value)
    {
        struct nearest nearest = nearest_begin(key);
        bool known = false;
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            known = known || strcmp(key, keys[i]) == 0;
            nearest_try(&nearest, keys[i]);
        }
        if (known)
            continue;
        const char *guess = nearest_result(&nearest);
        char *expected = need_printf("is not known%s%s%s", guess != NULL ? "; did you mean '" : "",
                                     guess != NULL ? guess : "", guess != NULL ? "'?" : "");
        refuse(where, key, expected);
        free(expected);
        return -1;
    }
    return 0;
}

static int read_host(const struct where *where, json_t *host, struct host_plan *plan)
{
    if (!json_is_object(host))
        return refuse(where, "", "is not an object");
    if (check_keys(where, host) < 0)
        return -1;
    const char *name = json_string_value(json_object_get(host, "name"));
    if (name == NULL || name[0] == '\0')
        return refuse(where, "name", "is missing, or is not a text");
    plan->name = need_copy(name);
    const json_t *volume = json_object_get(host, "volume");
    const char *volume_text = json_string_value(volume);
    if (volume != NULL &&
        (volume_text == NULL || (strcmp(volume_text, "common") != 0 && strcmp(volume_text, "own") != 0)))
        return refuse(where, "volume", "is neither \"common\" nor \"own\"");
    plan->own_volume = volume_text != NULL && strcmp(volume_text, "own") == 0;
    if (plan->own_volume && strcmp(name, "common") == 0)
        return refuse(where, "name", "is that of the common volume; a host with a volume of its own needs another");
    if (read_numbers(where, host, plan) < 0)
        return -1;
    return read_labels(where, host, plan);
}

int host_list_from_json(json_t *root, const char *source, struct host_list *ret_hosts, char **ret_problem)
{
    struct where where = {source, 0, ret_problem};
    struct host_list hosts = {0};
    const json_t *array = json_object_get(root, "hosts");
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (strcmp(key, "hosts") != 0 && strcmp(key, "$schema") != 0) {
            *ret_problem = need_printf("%s: /%s is not known; a file of hosts has one key, 'hosts'", source, key);
            return -1;
        }
    }
    if (!json_is_array(array) || json_array_size(array) == 0 || json_array_size(array) > MOST_HOSTS) {
        *ret_problem =
            need_printf("%s: /hosts is not a list of 1 to %d hosts; a run needs at least one", source, MOST_HOSTS);
        return -1;
    }
    hosts.items = need_zeroed(json_array_size(array), sizeof *hosts.items);
    for (where.index = 0; where.index < json_array_size(array); where.index++) {
        struct host_plan *plan = &hosts.items[hosts.count++];
        int status = read_host(&where, json_array_get(array, where.index), plan);
        for (int i = 0; status == 0 && i < hosts.count - 1; i++) {
            if (strcmp(hosts.items[i].name, plan->name) == 0)
                status = refuse(&where, "name", "is the name of a host before it");
        }
        if (status < 0) {
            host_list_clear(&hosts);
            return -1;
        }
    }
    *ret_hosts = hosts;
    return 0;
}

static json_t *labels_to_json(const char *labels)
{
    json_t *object = json_object();
    char *copy = need_copy(labels), *rest = copy;
    for (char *pair; (pair = strsep(&rest, ",")) != NULL;) {
        char *value = strchr(pair, '=');
        if (value == NULL)
            continue;
        *value = '\0';
        json_object_set_new(object, pair, json_string(value + 1));
    }
    free(copy);
    return object;
}

json_t *host_list_to_json(const struct host_list *hosts)
{
    json_t *array = json_array();
    for (int i = 0; i < hosts->count; i++) {
        const struct host_plan *plan = &hosts->items[i];
        json_t *host = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:s}", "name", plan->name, "cpu_millicores",
                                 (json_int_t)plan->cpu_millicores, "cpu_limit_millicores", (json_int_t)plan->cpu_limit,
                                 "memory_bytes", (json_int_t)plan->memory_bytes, "memory_limit_bytes",
                                 (json_int_t)plan->memory_limit_bytes, "disk_bytes", (json_int_t)plan->disk_bytes,
                                 "volume", plan->own_volume ? "own" : "common");
        if (plan->tmp_bytes > 0)
            json_object_set_new(host, "tmp_bytes", json_integer(plan->tmp_bytes));
        if (plan->slowed_after > 0) {
            json_object_set_new(host, "slowed_after_seconds", json_real(plan->slowed_after));
            json_object_set_new(host, "slowed_millicores", json_integer(plan->slowed_limit));
        }
        if (plan->slots > 0)
            json_object_set_new(host, "slots", json_integer(plan->slots));
        if (plan->speed > 0)
            json_object_set_new(host, "speed", json_real(plan->speed));
        if (plan->labels != NULL)
            json_object_set_new(host, "labels", labels_to_json(plan->labels));
        json_array_append_new(array, host);
    }
    return json_pack("{s:o}", "hosts", array);
}

/* Equal shares of this machine. A share below one core still takes one task that asks for a core: its cgroup slows it
 * down, which is better than a run that cannot start. */
static void share_machine(int count, struct host_list *ret_hosts)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t memory = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t millicores = (cores > 0 ? cores : 1) * INT64_C(1000) / count;
    ret_hosts->items = need_zeroed((size_t)count, sizeof *ret_hosts->items);
    ret_hosts->count = count;
    for (int i = 0; i < count; i++) {
        struct host_plan *plan = &ret_hosts->items[i];
        plan->name = need_printf("host-%d", i + 1);
        plan->cpu_millicores = millicores < 1000 ? 1000 : millicores;
        plan->cpu_limit = millicores < 10 ? 10 : millicores;
        plan->memory_bytes = memory / count;
        plan->memory_limit_bytes = plan->memory_bytes;
    }
}

static int read_file(const char *path, struct host_list *ret_hosts, char **ret_problem)
{
    char *bytes = NULL;
    size_t length = 0;
    json_error_t error;
    if (file_read(path, &bytes, &length, ret_problem) < 0)
        return -1;
    json_t *root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
    free(bytes);
    if (!json_is_object(root)) {
        *ret_problem = root == NULL ? need_printf("%s:%d:%d: %s", path, error.line, error.column, error.text)
                                    : need_printf("%s: it is not an object with the key 'hosts'", path);
        json_decref(root);
        return -1;
    }
    int status = host_list_from_json(root, path, ret_hosts, ret_problem);
    json_decref(root);
    return status;
}

int host_list_read(const char *text, struct host_list *ret_hosts, char **ret_problem)
{
    if (text == NULL) {
        share_machine(1, ret_hosts);
        return 0;
    }
    char *end = NULL;
    errno = 0;
    long count = strtol(text, &end, 10);
    if (end == text || *end != '\0')
        return read_file(text, ret_hosts, ret_problem);
    if (errno != 0 || count < 1 || count > MOST_HOSTS) {
        *ret_problem = need_printf("--hosts wants a number from 1 to %d or a file, not '%s'", MOST_HOSTS, text);
        return -1;
    }
    share_machine((int)count, ret_hosts);
    return 0;
}

void host_list_clear(struct host_list *hosts)
{
    for (int i = 0; i < hosts->count; i++) {
        free(hosts->items[i].name);
        free(hosts->items[i].labels);
    }
    free(hosts->items);
    *hosts = (struct host_list){0};
}

int host_list_find(const struct host_list *hosts, const char *name)
{
    for (int i = 0; i < hosts->count; i++) {
        if (strcmp(hosts->items[i].name, name) == 0)
            return i;
    }
    return -1;
}
