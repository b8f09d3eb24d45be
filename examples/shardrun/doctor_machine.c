/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the machine: control groups, an OCI runtime, user namespaces, the clock, room on the disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"
#include "files.h"
#include "launch/launch.h"
#include "need.h"

/* An environment in a directory of its own, which close_env() removes again. */
struct trial {
    char directory[32];
    struct launch_env *env;
    struct launch_error error;
};

static int open_trial(struct trial *trial, const char *runtime, bool want_containers)
{
    *trial = (struct trial){.directory = "/tmp/shardrun-doctor.XXXXXX"};
    if (mkdtemp(trial->directory) == NULL) {
        snprintf(trial->error.text, sizeof trial->error.text, "cannot make a directory in /tmp: %s", strerror(errno));
        trial->directory[0] = '\0';
        return -1;
    }
    struct launch_env_options options = {
        .state_dir = trial->directory, .id = "doctor", .runtime = runtime, .want_containers = want_containers};
    return launch_env_open(&options, &trial->error, &trial->env);
}

static void close_trial(struct trial *trial)
{
    char *problem = NULL;
    launch_env_close(trial->env);
    if (trial->directory[0] != '\0')
        (void)directory_remove(trial->directory, &problem);
    free(problem);
}

void doctor_check_cgroups(struct doctor *doctor)
{
    static const char *const layouts[] = {"none can be made", "version 1", "hybrid", "version 2"};
    struct trial trial;
    if (open_trial(&trial, NULL, false) < 0) {
        doctor_tell(doctor, "cgroups", FINDING_FAILED, trial.error.text, "see `shardrun run --no-cgroup`");
        close_trial(&trial);
        return;
    }
    enum launch_layout layout = launch_env_layout(trial.env);
    const char *warning = launch_env_warning(trial.env);
    if (layout == LAUNCH_LAYOUT_NONE)
        doctor_tell(doctor, "cgroups", FINDING_WARNING, warning != NULL ? warning : layouts[layout],
                    "run as root or in a delegated unit (systemd-run --user --scope -p Delegate=yes); without, limits "
                    "are not enforced and running out of memory is not recognised");
    else
        doctor_tell(doctor, "cgroups", warning != NULL ? FINDING_WARNING : FINDING_OK,
                    warning != NULL ? warning : layouts[layout], "");
    close_trial(&trial);
}

void doctor_check_runtime(struct doctor *doctor, const char *runtime)
{
    struct trial trial;
    if (open_trial(&trial, runtime, true) < 0) {
        doctor_tell(doctor, "runtime", FINDING_FAILED, trial.error.text,
                    "install crun or runc, or name one with --runtime; `shardrun run --executor process` does without");
    } else {
        char *found = need_printf("%s ran a container", launch_env_runtime(trial.env));
        doctor_tell(doctor, "runtime", FINDING_OK, found, "");
        free(found);
    }
    close_trial(&trial);
}

/* The number in a file of /proc, -1 when it is not there. */
static long number_in(const char *path)
{
    long number = -1;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%ld", &number) != 1)
        number = -1;
    fclose(file);
    return number;
}

void doctor_check_namespaces(struct doctor *doctor)
{
    long most = number_in("/proc/sys/user/max_user_namespaces");
    long unprivileged = number_in("/proc/sys/kernel/unprivileged_userns_clone");
    long apparmor = number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
    if (geteuid() == 0)
        doctor_tell(doctor, "namespaces", FINDING_OK, "not needed: this is root", "");
    else if (access("/proc/self/ns/user", F_OK) < 0)
        doctor_tell(doctor, "namespaces", FINDING_FAILED, "the kernel has no user namespaces",
                    "run as root, or with --executor process");
    else if (most == 0)
        doctor_tell(doctor, "namespaces", FINDING_FAILED, "no user namespace may be made",
                    "sysctl user.max_user_namespaces=15000, as root");
    else if (unprivileged == 0)
        doctor_tell(doctor, "namespaces", FINDING_FAILED, "users may not make user namespaces",
                    "sysctl kernel.unprivileged_userns_clone=1, as root");
    else if (apparmor == 1)
        doctor_tell(doctor, "namespaces", FINDING_WARNING, "AppArmor keeps unconfined programs from user namespaces",
                    "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for the OCI runtime");
    else
        doctor_tell(doctor, "namespaces", FINDING_OK, "users may make user namespaces", "");
}

void doctor_check_clock(struct doctor *doctor)
{
    struct timex state = {.modes = 0};
    struct timespec now;
    int kind = adjtimex(&state);
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec < 1600000000)
        doctor_tell(doctor, "clock", FINDING_FAILED, "the clock is years behind",
                    "set it: timedatectl set-ntp true; samples in the past are not kept");
    else if (kind < 0)
        doctor_tell(doctor, "clock", FINDING_WARNING, strerror(errno), "the kernel does not say whether it is in step");
    else if (kind == TIME_ERROR || (state.status & STA_UNSYNC) != 0)
        doctor_tell(doctor, "clock", FINDING_WARNING, "no time server keeps the clock in step",
                    "timedatectl set-ntp true, or chrony; histories of several machines need it, leases do not");
    else
        doctor_tell(doctor, "clock", FINDING_OK, "a time server keeps the clock in step", "");
}

/* The nearest directory above that is there. */
static char *existing_above(const char *path)
{
    char *directory = path_directory(path);
    while (!path_exists(directory) && strcmp(directory, "/") != 0 && strcmp(directory, ".") != 0) {
        char *above = path_directory(directory);
        free(directory);
        directory = above;
    }
    return directory;
}

void doctor_check_disk(struct doctor *doctor, const struct place *place)
{
    char *directory = existing_above(place->runs);
    struct statvfs space;
    if (statvfs(directory, &space) < 0) {
        doctor_tell(doctor, "disk", FINDING_FAILED, strerror(errno),
                    "see to it that the place of the store is mounted");
    } else {
        double free_bytes = (double)space.f_bavail * (double)space.f_frsize;
        double share = space.f_blocks == 0 ? 1 : (double)space.f_bavail / (double)space.f_blocks;
        bool no_inodes = space.f_files > 0 && space.f_favail < 1000;
        char *found = need_printf("'%s' has %.1f GiB free, %.0f%%%s", directory, free_bytes / 1073741824, 100 * share,
                                  no_inodes ? ", and hardly any inodes" : "");
        bool may_write = access(directory, W_OK) == 0;
        enum finding finding = !may_write || free_bytes < 67108864 || no_inodes ? FINDING_FAILED
                               : free_bytes < 1073741824                        ? FINDING_WARNING
                                                                                : FINDING_OK;
        doctor_tell(doctor, "disk", finding, found,
                    finding == FINDING_OK ? ""
                    : !may_write          ? "it cannot be written: choose another place with --store"
                                          : "remove old runs beside the store, `shardrun compact`, or choose another "
                                            "place with --store");
        free(found);
    }
    free(directory);
}
