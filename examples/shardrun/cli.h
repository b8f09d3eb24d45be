/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_CLI_H
#define SHARDRUN_CLI_H

/*
 * What every subcommand shares: exit codes, the way options are parsed, and how errors are told. Nothing of workflows
 * or engines belongs here.
 */

#include <argp.h>
#include <stdarg.h>
#include <stdbool.h>

/* Exit codes are a contract with scripts; shardrun(1) has the same table. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,      /* a task failed for good */
    CLI_USAGE = 2,       /* bad command line or bad input; nothing was changed */
    CLI_ENVIRONMENT = 3, /* this machine cannot do it: no OCI runtime, a store that does not work, a full disk */
    CLI_SUSPENDED = 4,   /* stopped in good order; `shardrun resume` goes on */
    CLI_CANCELLED = 5,
    CLI_FENCED = 6 /* another process holds the run */
};

#define COMMAND(name, summary) int cmd_##name(int argc, char **argv);
#include "commands.def"
#undef COMMAND

/*
 * Parses options with argp of the C library. An option that is not known is answered with the nearest one that is.
 * Leaves the process with CLI_USAGE on a bad command line, and with 0 after --help.
 */
void cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/* Parsers of option values: leave the process with CLI_USAGE and a message that names the option. */
double cli_number(struct argp_state *state, const char *option, const char *text, double min, double max);
long cli_integer(struct argp_state *state, const char *option, const char *text, long min, long max);

/* One line on stderr, after "shardrun: ". `cli_error` returns its `code`, so that commands can end with it. */
int cli_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tells the library's last error of this thread, after `what`, with what to do next; returns the exit code it calls
 * for. */
int cli_library_error(const char *what);
/* The exit code that an error code of the library calls for. */
int cli_exit_of(int library_code);
/* What a user can do about an error code of the library; "" when the message says all. */
const char *cli_advice(int library_code);

#endif
