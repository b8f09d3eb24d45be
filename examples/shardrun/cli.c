/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every subcommand shares: parsing of options, and errors told so that the user knows what to do next.
 */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/error.h>

#include "nearest.h"
#include "need.h"

int cli_error(int code, const char *format, ...)
{
    va_list args;
    fputs("shardrun: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

void cli_warning(const char *format, ...)
{
    va_list args;
    fputs("shardrun: warning: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int cli_exit_of(int library_code)
{
    switch (library_code) {
    case SHARD_OK:
        return CLI_DONE;
    case SHARD_ENOMEM:
    case SHARD_EIO:
    case SHARD_ENOSPC:
    case SHARD_ECORRUPT:
    case SHARD_EBUSY:
    case SHARD_ENOTSUP:
        return CLI_ENVIRONMENT;
    case SHARD_EFENCED:
    case SHARD_EHELD:
    case SHARD_ECONFLICT:
        return CLI_FENCED;
    default:
        return CLI_USAGE;
    }
}

const char *cli_advice(int library_code)
{
    switch (library_code) {
    case SHARD_EUNPLACEABLE:
        return "; use fewer or larger hosts (--hosts)";
    case SHARD_ENOSPC:
        return "; make room, then `shardrun resume` goes on";
    case SHARD_EHELD:
    case SHARD_EFENCED:
        return "; `shardrun status` shows it";
    case SHARD_EBUSY:
        return "; try again";
    default:
        return "";
    }
}

int cli_library_error(const char *what)
{
    struct shard_error error = {.struct_size = sizeof error};
    int code = shard_error_copy(&error);
    const char *message = error.message[0] != '\0' ? error.message : shard_code_text(code);
    return cli_error(cli_exit_of(code), "%s%s%s%s", what, what[0] != '\0' ? ": " : "", message, cli_advice(code));
}

/* The options of a command: table 0 its own, the others its children's; NULL: there is none more. */
static const struct argp_option *options_of(const struct argp *argp, int table)
{
    if (table == 0)
        return argp->options;
    for (int child = 0; argp->children != NULL && argp->children[child].argp != NULL; child++) {
        if (child == table - 1)
            return argp->children[child].argp->options;
    }
    return NULL;
}

static bool is_end(const struct argp_option *option)
{
    return option->name == NULL && option->key == 0 && option->doc == NULL;
}

/* Whether `name` (`length` bytes, after the dashes) is an option of argp's, or the beginning of one. */
static bool option_is_known(const struct argp *argp, const char *name, size_t length)
{
    static const char *const of_argp[] = {"help", "usage"};
    for (size_t i = 0; i < sizeof of_argp / sizeof of_argp[0]; i++) {
        if (strncmp(of_argp[i], name, length) == 0)
            return true;
    }
    const struct argp_option *options;
    for (int table = 0; (options = options_of(argp, table)) != NULL; table++) {
        for (const struct argp_option *o = options; !is_end(o); o++) {
            if (o->name != NULL && strncmp(o->name, name, length) == 0)
                return true;
        }
    }
    return false;
}

static void refuse_unknown_option(const struct argp *argp, const char *command, const char *argument)
{
    const char *name = argument + 2;
    size_t length = strcspn(name, "=");
    if (option_is_known(argp, name, length))
        return;
    char *wanted = need_printf("%.*s", (int)length, name);
    struct nearest nearest = nearest_begin(wanted);
    const struct argp_option *options;
    for (int table = 0; (options = options_of(argp, table)) != NULL; table++) {
        for (const struct argp_option *o = options; !is_end(o); o++) {
            if (o->name != NULL)
                nearest_try(&nearest, o->name);
        }
    }
    const char *guess = nearest_result(&nearest);
    if (guess != NULL)
        cli_error(CLI_USAGE, "there is no option '--%s'; did you mean '--%s'?", wanted, guess);
    else
        cli_error(CLI_USAGE, "there is no option '--%s'; `%s --help` lists them", wanted, command);
    free(wanted);
    exit(CLI_USAGE);
}

void cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    argp_err_exit_status = CLI_USAGE;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) == 0)
            refuse_unknown_option(argp, argv[0], argv[i]);
    }
    error_t status = argp_parse(argp, argc, argv, 0, NULL, input);
    if (status != 0)
        exit(cli_error(CLI_USAGE, "the command line could not be parsed: %s", strerror(status)));
}

double cli_number(struct argp_state *state, const char *option, const char *text, double min, double max)
{
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(value >= min && value <= max))
        argp_error(state, "--%s wants a number from %g to %g, not '%s'", option, min, max, text);
    return value;
}

long cli_integer(struct argp_state *state, const char *option, const char *text, long min, long max)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
        argp_error(state, "--%s wants a whole number from %ld to %ld, not '%s'", option, min, max, text);
    return value;
}
