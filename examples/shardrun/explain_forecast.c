/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forecasts of a task's attempts, from the rows that the store keeps, and why: by the model that was asked then, or by
 * the prior if there was none.
 */
#include "explain_forecast.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shard/champion.h>
#include <shard/history.h>

#include "cli.h"
#include "files.h"
#include "need.h"
#include "run_models.h"

enum { MOST_COLUMNS_TOLD = 6 };

/* Who forecasts. */
struct forecaster {
    shard_champion *champion;
    char *bytes; /* of its model; NULL: it is the prior */
    size_t size;
};

struct telling {
    shard_context *context;
    const char *source; /* of the model, for messages */
    const char *run;
    const char *models; /* of the run */
    shard_task_id task;
    struct forecaster now; /* with the model that was learned last */
    int code;
};

/* Takes `bytes`; of a model that is damaged the prior is left, told. */
static int open_forecaster(const struct telling *telling, char *bytes, size_t size, struct forecaster *ret_forecaster)
{
    shard_model *model = NULL;
    *ret_forecaster = (struct forecaster){.bytes = bytes, .size = size};
    if (shard_champion_new(telling->context, NULL, &ret_forecaster->champion) < 0)
        return cli_library_error("");
    if (bytes == NULL)
        return CLI_DONE;
    if (shard_model_from_bytes(telling->context, bytes, size, telling->source, &model) < 0 ||
        shard_champion_take(ret_forecaster->champion, model) < 0) {
        shard_model_free(model);
        return cli_library_error(telling->source);
    }
    return CLI_DONE;
}

static void close_forecaster(struct forecaster *forecaster)
{
    shard_champion_free(forecaster->champion);
    free(forecaster->bytes);
}

static int tell_why(const struct telling *telling, const struct forecaster *asked,
                    const struct shard_outcome_row *outcome)
{
    char *text = NULL;
    double *added = need_zeroed((size_t)outcome->columns + 1, sizeof *added);
    int status =
        shard_contributions(shard_champion_predictor(asked->champion), outcome->values, outcome->columns, added);
    if (status == 0)
        status = shard_contributions_text(telling->context, shard_history_schema(), outcome->values, added,
                                          MOST_COLUMNS_TOLD, &text);
    printf("  why, by %s:\n", asked->bytes == NULL ? "the prior" : "the model that was in use");
    for (char *line = text; line != NULL && *line != '\0';) {
        size_t size = strcspn(line, "\n");
        printf("    %.*s\n", (int)size, line);
        line += size + (line[size] == '\n');
    }
    shard_free(telling->context, text);
    free(added);
    return status < 0 ? cli_library_error("") : CLI_DONE;
}

/* What the model that was learned since would have said. */
static int tell_now(const struct telling *telling, const struct forecaster *asked,
                    const struct shard_outcome_row *outcome)
{
    const struct forecaster *now = &telling->now;
    double p_fail;
    struct shard_matrix row = {.values = outcome->values, .rows = 1};
    struct shard_forecasts ret = {.p_fail = &p_fail};
    if (now->bytes == NULL || (now->size == asked->size && memcmp(now->bytes, asked->bytes, now->size) == 0))
        return CLI_DONE;
    if (shard_predict(shard_champion_predictor(now->champion), &row, outcome->columns, &ret) < 0)
        return cli_library_error("");
    printf("  the model that was learned since says %.4f\n", p_fail);
    return CLI_DONE;
}

static int tell_forecast(const struct telling *telling, const struct shard_outcome_row *outcome)
{
    struct forecaster asked = {0};
    char *bytes = NULL, *problem = NULL;
    size_t size = 0;
    if (run_models_at(telling->models, outcome->start_ns, &bytes, &size, &problem) < 0) {
        int code = cli_error(CLI_ENVIRONMENT, "%s", problem);
        free(problem);
        return code;
    }
    int code = open_forecaster(telling, bytes, size, &asked);
    if (code == CLI_DONE)
        code = tell_why(telling, &asked, outcome);
    if (code == CLI_DONE)
        code = tell_now(telling, &asked, outcome);
    close_forecaster(&asked);
    return code;
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
    if (outcome->schema_hash == shard_schema_hash(shard_history_schema()))
        telling->code = tell_forecast(telling, outcome);
    return telling->code != CLI_DONE;
}

/* A model that is damaged is told, and left out. */
static int open_now(struct telling *telling, const char *path)
{
    char *bytes = NULL, *problem = NULL;
    size_t size = 0;
    if (path_exists(path) && file_read(path, &bytes, &size, &problem) < 0)
        cli_warning("%s", problem);
    free(problem);
    if (open_forecaster(telling, bytes, size, &telling->now) == CLI_DONE)
        return CLI_DONE;
    close_forecaster(&telling->now);
    return open_forecaster(telling, NULL, 0, &telling->now);
}

int explain_forecasts(const struct shard_store_handle *store, shard_context *context, const struct place *place,
                      const char *run, shard_task_id task)
{
    struct run_place files;
    struct telling telling = {.context = context, .source = place->model, .run = run, .task = task};
    if (store->port->each_outcome == NULL)
        return CLI_DONE;
    run_place_init(&files, place, run);
    telling.models = files.models;
    int code = open_now(&telling, place->model);
    if (code == CLI_DONE && store->port->each_outcome(store->self, tell, &telling) < 0)
        code = cli_library_error(place->text);
    close_forecaster(&telling.now);
    run_place_clear(&files);
    return code == CLI_DONE ? telling.code : code;
}
