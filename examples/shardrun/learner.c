/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer of a run: when it is started, and what becomes of the model that it leaves. */
#include "learner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <shard/train.h>

#include "cli.h"
#include "files.h"
#include "need.h"
#include "run_models.h"

/* As many attempts as `train` can validate on. */
enum { ENOUGH = 200, LOWEST_PRIORITY = 19 };

/* A model that is damaged or of other columns is told, and the run goes on without it. */
static bool take_model(struct learner *learner)
{
    bool taken = false;
    char *bytes = NULL, *problem = NULL;
    size_t size = 0;
    shard_model *model = NULL;
    if (!path_exists(learner->model))
        return false;
    if (file_read(learner->model, &bytes, &size, &problem) < 0) {
        cli_warning("%s; the prior forecasts", problem);
    } else if (shard_model_from_bytes(learner->context, bytes, size, learner->model, &model) < 0 ||
               shard_champion_take(learner->champion, model) < 0) {
        struct shard_error error = {.struct_size = sizeof error};
        shard_error_copy(&error);
        cli_warning("the model that was learned is left out: %s", error.message);
        shard_model_free(model);
    } else {
        learner->demoted = false;
        run_models_note(learner->models, bytes, size);
        struct shard_model_info info = {.struct_size = sizeof info};
        shard_model_describe(model, &info);
        learner->next = info.train_rows + info.train_rows / 2;
        taken = true;
    }
    free(bytes);
    free(problem);
    return taken;
}

struct counting {
    int64_t count, enough;
};

static int count_one(void *self, const struct shard_outcome_row *outcome)
{
    struct counting *counting = self;
    (void)outcome;
    return ++counting->count >= counting->enough;
}

int learner_open(struct learner *learner, shard_context *context, const struct place *place,
                 const struct run_place *run, const struct shard_store_handle *store, struct catalog *catalog,
                 bool learns)
{
    learner->catalog = catalog;
    learner->context = context;
    learner->models = need_copy(run->models);
    learner->next = ENOUGH;
    if (shard_champion_new(context, NULL, &learner->champion) < 0)
        return cli_library_error("");
    run_models_note(learner->models, NULL, 0); /* until one is taken */
    if (!learns || place->store == NULL || store->port->each_outcome == NULL)
        return CLI_DONE;
    learner->store_text = need_copy(place->store);
    learner->model = need_copy(place->model);
    if (!path_exists(learner->model))
        (void)catalog_get_model(catalog, learner->model); /* without it, the prior forecasts */
    (void)take_model(learner);
    struct counting counting = {.enough = learner->next};
    if (store->port->each_outcome(store->self, count_one, &counting) < 0)
        return cli_library_error(place->text);
    learner->known = counting.count;
    return CLI_DONE;
}

static void begin(struct learner *learner);

/* The handle can be used again. */
static void on_closed(uv_handle_t *process)
{
    struct learner *learner = process->data;
    learner->training = false;
    begin(learner);
}

static void on_trained(uv_process_t *process, int64_t code, int signal)
{
    struct learner *learner = process->data;
    if (code == 0 && signal == 0 && !learner->stopped)
        learner->has_learned |= take_model(learner);
    /* Of what was known, whatever part of it could be trained on: or it would train without end. */
    learner->next = learner->asked + learner->asked / 2;
    uv_close((uv_handle_t *)process, on_closed);
}

/*
 * In a process of its own: training takes seconds to minutes, and OpenMP's threads of XGBoost would spin on the cores
 * of the tasks. It has the lowest priority, and says nothing: a history of one class is no error here.
 */
static void begin(struct learner *learner)
{
    char shardrun[] = "/proc/self/exe", train[] = "train", store[] = "--store", output[] = "--output";
    char *arguments[] = {shardrun, train, store, learner->store_text, output, learner->model, NULL};
    uv_process_options_t options = {.file = shardrun, .args = arguments, .exit_cb = on_trained};
    if (learner->store_text == NULL || learner->loop == NULL || learner->training || learner->stopped ||
        learner->known < learner->next)
        return;
    learner->trainer.data = learner;
    learner->asked = learner->known;
    learner->training = true;
    if (uv_spawn(learner->loop, &learner->trainer, &options) < 0) {
        learner->next = learner->asked + learner->asked / 2;
        uv_close((uv_handle_t *)&learner->trainer, on_closed);
        return;
    }
    (void)setpriority(PRIO_PROCESS, (id_t)uv_process_get_pid(&learner->trainer), LOWEST_PRIORITY);
}

void learner_start(struct learner *learner, uv_loop_t *loop)
{
    learner->loop = loop;
    begin(learner);
}

void learner_ended(struct learner *learner)
{
    struct shard_champion_info info = {.struct_size = sizeof info};
    shard_champion_describe(learner->champion, &info);
    if (info.state == SHARD_CHAMPION_DEMOTED && !learner->demoted)
        run_models_note(learner->models, NULL, 0);
    learner->demoted = info.state == SHARD_CHAMPION_DEMOTED;
    learner->known++;
    begin(learner);
}

void learner_stop(struct learner *learner)
{
    learner->stopped = true;
    if (learner->training && !uv_is_closing((uv_handle_t *)&learner->trainer))
        uv_process_kill(&learner->trainer, SIGTERM);
}

void learner_close(struct learner *learner)
{
    if (learner->has_learned)
        (void)catalog_put_model(learner->catalog, learner->model);
    shard_champion_free(learner->champion);
    free(learner->store_text);
    free(learner->model);
    free(learner->models);
}
