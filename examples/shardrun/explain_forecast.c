/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forecasts of a task's attempts, from the rows that the store keeps, and why: by the model that was learned since, or
 * by the prior before there is one.
 */
#include "explain_forecast.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/history.h>
#include <shard/train.h>

#include "cli.h"
#include "learner.h"
#include "need.h"

enum { MOST_COLUMNS_TOLD = 6 };

struct telling {
    shard_context *context;
    struct shard_predictor_handle predictor;
    const char *by; /* who explains */
    const char *run;
    shard_task_id task;
    int failed;
};

static int tell_why(const struct telling *telling, const struct shard_outcome_row *outcome)
{
    char *text = NULL;
    double *added = need_zeroed((size_t)outcome->columns + 1, sizeof *added);
    int status = shard_contributions(telling->predictor, outcome->values, outcome->columns, added);
    if (status == 0)
        status = shard_contributions_text(telling->context, shard_history_schema(), outcome->values, added,
                                          MOST_COLUMNS_TOLD, &text);
    for (char *line = text; line != NULL && *line != '\0';) {
        size_t size = strcspn(line, "\n");
        printf("    %.*s\n", (int)size, line);
        line += size + (line[size] == '\n');
    }
    shard_free(telling->context, text);
    free(added);
    return status;
}

static int tell(void *self, const struct shard_outcome_row *outcome)
{
    struct telling *telling = self;
    if (outcome->task != telling->task || strcmp(outcome->run, telling->run) != 0)
        return 0;
    printf("attempt %d on %s", outcome->attempt, outcome->host);
    if (isnan(outcome->p_fail))
        fputs(": no forecast", stdout);
    else
        printf(": was forecast to fail with %.4f", outcome->p_fail);
    printf(", ended %s\n", shard_outcome_text(outcome->outcome));
    if (outcome->schema_hash != shard_schema_hash(shard_history_schema()))
        return 0;
    printf("  why, by %s:\n", telling->by);
    telling->failed = tell_why(telling, outcome) < 0;
    return telling->failed;
}

int explain_forecasts(const struct shard_store_handle *store, shard_context *context, const struct place *place,
                      const char *run, shard_task_id task)
{
    struct learner learner = {0};
    struct shard_champion_info info = {.struct_size = sizeof info};
    if (store->port->each_outcome == NULL)
        return CLI_DONE;
    struct catalog none = {0};
    int code = learner_open(&learner, context, place, store, &none, true);
    if (code == CLI_DONE) {
        shard_champion_describe(learner.champion, &info);
        struct telling telling = {.context = context,
                                  .predictor = shard_champion_predictor(learner.champion),
                                  .by = info.state == SHARD_CHAMPION_NONE ? "the prior"
                                                                          : "the model that was learned since",
                                  .run = run,
                                  .task = task};
        if (store->port->each_outcome(store->self, tell, &telling) < 0 || telling.failed)
            code = cli_library_error(place->text);
    }
    learner_close(&learner);
    return code;
}
