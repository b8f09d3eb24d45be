/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shardrun: runs workflow files on this machine, in containers or as plain processes. This file picks the subcommand;
 * what a subcommand does lives in its cmd_*.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/version.h>

#include "cli.h"
#include "nearest.h"
#include "need.h"

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
#define COMMAND(name, summary) {#name, summary, cmd_##name},
#include "commands.def"
#undef COMMAND
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fputs("usage: shardrun COMMAND [OPTION...]\n\ncommands:\n", out);
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-10s%s\n", commands[i].name, commands[i].summary);
    fputs("\n`shardrun COMMAND --help` lists the options of a command; shardrun(1) has the whole story.\n"
          "exit codes: 0 done, 1 a task failed, 2 bad usage or input, 3 this machine cannot, 4 suspended,\n"
          "            5 cancelled, 6 another process holds the run\n",
          out);
}

static int unknown_command(const char *name)
{
    struct nearest nearest = nearest_begin(name);
    for (int i = 0; i < COMMAND_COUNT; i++)
        nearest_try(&nearest, commands[i].name);
    const char *guess = nearest_result(&nearest);
    if (guess != NULL)
        return cli_error(CLI_USAGE, "there is no command '%s'; did you mean '%s'?", name, guess);
    return cli_error(CLI_USAGE, "there is no command '%s'; `shardrun --help` lists them", name);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return CLI_DONE;
    }
    const char *name = strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0 ? "version" : argv[1];
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        char *own_name = need_printf("shardrun %s", name);
        argv[1] = own_name;
        int code = commands[i].run(argc - 1, argv + 1);
        free(own_name);
        return code;
    }
    return unknown_command(name);
}
