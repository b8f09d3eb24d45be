/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_LAUNCH_SHIM_H
#define SHARDRUN_LAUNCH_SHIM_H

/*
 * The shim: the small process that supervises one attempt, from before its command starts until all that the command
 * started is gone and the result is on disk. What its files share; nothing of the library side.
 */

#include "../internal.h"

/* One stream of the command: the first half of what is kept goes to the file at once, the last half into a ring. */
struct stream {
    int pipe_fd; /* -1 once it has ended */
    int file_fd;
    uint64_t head_bytes; /* still to come into the head */
    uint64_t ring_bytes;
    uint64_t tail_total; /* all that came after the head */
    char *ring;          /* made when first needed */
    uint64_t dropped;    /* bytes that are not in the file at the end */
};

/* Opens the file and the pipe; ret_write_fd is the command's end. */
int stream_open(struct stream *stream, int dir_fd, const char *name, uint64_t max_bytes, int *ret_write_fd);
/* Takes what the pipe holds now; never blocks. */
void stream_pump(struct stream *stream);
/* Takes what is left, writes the tail, closes. */
void stream_finish(struct stream *stream);

struct shim {
    int dir_fd;
    const char *dir;
    int signal_fd;
    int result_fd;
    int namespace_fd; /* mount namespace for the runtime, or -1 */
    struct launch__orders orders;
    struct stream out;
    struct stream err;
    pid_t runtime_pid; /* 0 when there is none (any more) */
    pid_t command_pid; /* 0 before the command runs, and for a container whose runtime stays */
    bool ended;
    bool term_wanted;       /* SIGTERM is due as soon as there is a command */
    uint64_t timeout_at_ns; /* 0: none; on the monotonic clock */
    uint64_t kill_at_ns;    /* SIGKILL for everything is due then; 0: not wanted */
    bool kill_sent;
    uint64_t began_ns;
    struct launch_result result;
};

/* command.c */

/* Starts the command or the runtime; on failure the result says why. */
int command_start(struct shim *shim);
/* The process that a runtime says is the container's first; 0 if it has not said. */
pid_t command_container_pid(const struct shim *shim);
/* Looks at who has died. */
void command_reap(struct shim *shim);

/* ending.c */

/* SIGTERM for the command (if it can take one), and SIGKILL after the grace. */
void ending_begin(struct shim *shim);
/* The SIGTERM itself. */
void ending_term(struct shim *shim);
/* SIGKILL for everything, now and again until it is gone. */
void ending_kill(struct shim *shim, uint64_t now_ns);
/* After the command has ended: nothing that it started survives. */
void ending_sweep(struct shim *shim);
/* Reads the counters, leaves the result on disk, cleans up. */
int ending_finish(struct shim *shim);

uint64_t monotonic_ns(void);

#endif
