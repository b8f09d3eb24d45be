/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tells apart how control groups are mounted: v1, hybrid (v1 with a v2 tree beside it) or v2, and where our own cgroup
 * is in each hierarchy. A function of files below a prefix, so that recorded layouts of other machines can be tested.
 * Nothing here makes or changes a cgroup.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROC_FILE_MAX ((size_t)4 << 20)

static const struct {
    const char *name;
    unsigned controller;
} known[] = {{"memory", LAUNCH__MEMORY}, {"cpu", LAUNCH__CPU}, {"cpuacct", LAUNCH__CPUACCT}, {"pids", LAUNCH__PIDS}};

static unsigned controller_named(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) == length && memcmp(known[i].name, name, length) == 0)
            return known[i].controller;
    }
    return 0;
}

/* The controllers that a list such as "rw,cpu,cpuacct" or "cpu io memory" names. */
static unsigned controllers_in(const char *list)
{
    unsigned found = 0;
    while (*list != '\0') {
        size_t length = strcspn(list, ", \n");
        found |= controller_named(list, length);
        list += length;
        list += strspn(list, ", \n");
    }
    return found;
}

/* mountinfo writes space, tab, newline and backslash as three octal digits. */
static void decode_octal(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] != '\0' && from[3] != '\0') {
            *to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

struct mount_line {
    char *root;
    char *point;
    char *type;
    char *options; /* of the super block: the v1 controllers */
};

/* Fields: id parent device root point options [tags...] - type source options; see proc(5). Cuts line up. */
static bool parse_mount_line(char *line, struct mount_line *ret_mount)
{
    char *rest = strstr(line, " - ");
    if (rest == NULL)
        return false;
    *rest = '\0';
    rest += 3;
    char *save = NULL;
    char *field[5] = {NULL};
    char *token = strtok_r(line, " ", &save);
    for (size_t i = 0; i < 5 && token != NULL; i++, token = strtok_r(NULL, " ", &save))
        field[i] = token;
    if (field[4] == NULL)
        return false;
    ret_mount->root = field[3];
    ret_mount->point = field[4];
    ret_mount->type = strtok_r(rest, " ", &save);
    if (ret_mount->type == NULL || strtok_r(NULL, " ", &save) == NULL)
        return false;
    ret_mount->options = strtok_r(NULL, " ", &save);
    if (ret_mount->options == NULL)
        return false;
    decode_octal(ret_mount->root);
    decode_octal(ret_mount->point);
    return true;
}

/* True if a line "id:controllers:path" of /proc/self/cgroup speaks of this hierarchy. */
static bool cgroup_line_matches(const char *controllers, size_t length, const struct mount_line *mount, bool v2)
{
    if (v2 || length == 0)
        return v2 && length == 0;
    const char *first = controllers;
    size_t first_length = strcspn(first, ",:");
    for (const char *at = mount->options; *at != '\0';) {
        size_t option = strcspn(at, ",");
        if (option == first_length && memcmp(at, first, option) == 0)
            return true;
        at += option;
        at += *at == ',';
    }
    return false;
}

/* The path of our own cgroup below the mount's root, "" for the root itself; the buffer is cgroups'. */
static char *own_path(const char *cgroups, const struct mount_line *mount, bool v2)
{
    for (const char *line = cgroups; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *controllers = strchr(line, ':');
        const char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (path == NULL)
            break;
        controllers++;
        if (!cgroup_line_matches(controllers, (size_t)(path - controllers), mount, v2))
            continue;
        path++;
        size_t length = strcspn(path, "\n");
        size_t root = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
        /* A container without a cgroup namespace sees a mount root that is (or is above) its own path. */
        if (root > length || strncmp(path, mount->root, root) != 0)
            return strdup("");
        path += root;
        length -= root;
        return strndup(path, length == 1 ? 0 : length);
    }
    return strdup("");
}

static int add_hierarchy(struct launch__layout *layout, const char *prefix, const char *cgroups,
                         const struct mount_line *mount)
{
    bool v2 = strcmp(mount->type, "cgroup2") == 0;
    if ((!v2 && strcmp(mount->type, "cgroup") != 0) || layout->count == LAUNCH__HIERARCHIES)
        return 0;
    struct launch__hierarchy *hierarchy = &layout->hierarchy[layout->count];
    char *own = own_path(cgroups, mount, v2);
    hierarchy->v2 = v2;
    hierarchy->controllers = v2 ? 0 : controllers_in(mount->options);
    hierarchy->mount = launch__format("%s%s", prefix, mount->point);
    hierarchy->own = own == NULL ? NULL : launch__format("%s%s%s", prefix, mount->point, own);
    free(own);
    layout->count++;
    return hierarchy->mount == NULL || hierarchy->own == NULL ? -ENOMEM : 0;
}

unsigned launch__layout_offered(const char *directory)
{
    char *path = launch__format("%s/cgroup.controllers", directory);
    char *text = NULL;
    size_t size = 0;
    unsigned found = 0;
    if (path != NULL && launch__read_file(AT_FDCWD, path, PROC_FILE_MAX, &text, &size) == 0)
        found = controllers_in(text) | LAUNCH__CPUACCT;
    free(text);
    free(path);
    return found;
}

/* Each controller belongs to one hierarchy: the first mount that has it; v1 before v2, as the kernel has it. */
static void decide(struct launch__layout *layout)
{
    unsigned taken = 0;
    bool any_v1 = false;
    bool any_v2 = false;
    for (size_t i = 0; i < layout->count; i++) {
        struct launch__hierarchy *hierarchy = &layout->hierarchy[i];
        hierarchy->controllers &= ~taken;
        taken |= hierarchy->controllers;
        any_v1 = any_v1 || hierarchy->controllers != 0;
    }
    for (size_t i = 0; i < layout->count; i++) {
        struct launch__hierarchy *hierarchy = &layout->hierarchy[i];
        if (!hierarchy->v2)
            continue;
        any_v2 = true;
        hierarchy->controllers = launch__layout_offered(hierarchy->own) & ~taken;
        taken |= hierarchy->controllers;
    }
    if (any_v1)
        layout->kind = any_v2 ? LAUNCH_LAYOUT_HYBRID : LAUNCH_LAYOUT_V1;
    else
        layout->kind = any_v2 ? LAUNCH_LAYOUT_V2 : LAUNCH_LAYOUT_NONE;
}

static int read_proc(const char *prefix, const char *name, struct launch_error *error, char **ret_text)
{
    char *path = launch__format("%s/proc/self/%s", prefix, name);
    size_t size = 0;
    int result = path == NULL ? -ENOMEM : launch__read_file(AT_FDCWD, path, PROC_FILE_MAX, ret_text, &size);
    if (result < 0)
        launch__fail(error, result, "cannot read %s/proc/self/%s: %s", prefix, name, strerror(-result));
    free(path);
    return result;
}

int launch__layout_read(const char *prefix, struct launch_error *error, struct launch__layout *ret_layout)
{
    struct launch__layout layout = {.kind = LAUNCH_LAYOUT_NONE};
    char *mounts = NULL;
    char *cgroups = NULL;
    int result = read_proc(prefix, "mountinfo", error, &mounts);
    if (result == 0)
        result = read_proc(prefix, "cgroup", error, &cgroups);
    char *save = NULL;
    for (char *line = result < 0 ? NULL : strtok_r(mounts, "\n", &save); line != NULL && result == 0;
         line = strtok_r(NULL, "\n", &save)) {
        struct mount_line mount;
        if (parse_mount_line(line, &mount))
            result = add_hierarchy(&layout, prefix, cgroups, &mount);
    }
    free(mounts);
    free(cgroups);
    if (result < 0) {
        launch__layout_clear(&layout);
        return result;
    }
    decide(&layout);
    *ret_layout = layout;
    return 0;
}

void launch__layout_clear(struct launch__layout *layout)
{
    for (size_t i = 0; i < layout->count; i++) {
        free(layout->hierarchy[i].mount);
        free(layout->hierarchy[i].own);
    }
    *layout = (struct launch__layout){.kind = LAUNCH_LAYOUT_NONE};
}
