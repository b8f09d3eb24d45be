/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training trees with XGBoost, through its C API and in the calling thread: with more threads OpenMP's workers spin
 * between the loops of a round and cost busy cores 8 to 13 times what they bring. No model file from outside gets here:
 * `continue_from` has been read by the forest before.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <shard/train.h>

#include "base/alloc.h"
#include "base/error.h"
#include "library.h"

enum { DEFAULT_PATIENCE = 20, NUMBER_SIZE = 40 };
static const double TIME_SPREAD = 0.3; /* of the logarithm of a time; XGBoost bounds what is squared of its inverse */

struct trainer {
    shard_context *context;
    struct shard__xgboost xgboost;
    int threads;
};

/* What one job holds of XGBoost. */
struct session {
    const struct shard__xgboost *xgboost;
    DMatrixHandle train;
    DMatrixHandle hold_out;
    BoosterHandle booster;
};

static int failed(const struct shard__xgboost *xgboost, const char *what)
{
    char line[512];
    snprintf(line, sizeof line, "%s", xgboost->XGBGetLastError());
    line[strcspn(line, "\n")] = '\0';
    return shard__fail(SHARD_EINVAL, "xgboost cannot %s: %s", what, line);
}

static int set_floats(const struct shard__xgboost *xgboost, DMatrixHandle matrix, const char *field,
                      const float *values, int64_t first, int64_t count)
{
    if (values == NULL)
        return 0;
    return xgboost->XGDMatrixSetFloatInfo(matrix, field, values + first, (bst_ulong)count) == 0
               ? 0
               : failed(xgboost, "take its columns");
}

static int make_matrix(const struct trainer *trainer, const struct shard_trees_job *job, int64_t first, int64_t count,
                       DMatrixHandle *ret_matrix)
{
    const struct shard__xgboost *xgboost = &trainer->xgboost;
    if (xgboost->XGDMatrixCreateFromMat_omp(job->values + first * job->columns, (bst_ulong)count,
                                            (bst_ulong)job->columns, NAN, ret_matrix, trainer->threads) != 0)
        return failed(xgboost, "take the rows");
    int status = set_floats(xgboost, *ret_matrix, job->uppers != NULL ? "label_lower_bound" : "label", job->labels,
                            first, count);
    if (status == 0)
        status = set_floats(xgboost, *ret_matrix, "label_upper_bound", job->uppers, first, count);
    if (status == 0)
        status = set_floats(xgboost, *ret_matrix, "weight", job->weights, first, count);
    if (status == 0)
        status = set_floats(xgboost, *ret_matrix, "base_margin", job->margins, first, count);
    if (status == 0 && job->names != NULL &&
        xgboost->XGDMatrixSetStrFeatureInfo(*ret_matrix, "feature_name", (const char **)(uintptr_t)job->names,
                                            (bst_ulong)job->columns) != 0)
        status = failed(xgboost, "take the names of the columns");
    return status;
}

static int set_text(const struct session *session, const char *name, const char *value)
{
    return session->xgboost->XGBoosterSetParam(session->booster, name, value) == 0
               ? 0
               : failed(session->xgboost, "be configured");
}

static int set_number(const struct session *session, const char *name, double value, double otherwise)
{
    char text[NUMBER_SIZE];
    snprintf(text, sizeof text, "%.9g", value > 0 ? value : otherwise);
    for (char *at = text; *at != '\0'; at++)
        *at = *at == ',' ? '.' : *at; /* whatever the locale says */
    return set_text(session, name, text);
}

static int set_signs(const struct trainer *trainer, const struct session *session, const struct shard_trees_job *job)
{
    if (job->monotone == NULL)
        return 0;
    size_t size = 3 * (size_t)job->columns + 3;
    char *text = shard__zalloc(trainer->context, size);
    if (text == NULL)
        return SHARD_ENOMEM;
    size_t at = 0;
    for (int32_t j = 0; j < job->columns; j++)
        at += (size_t)snprintf(text + at, size - at, "%c%d", j == 0 ? '(' : ',',
                               job->monotone[j] > 0   ? 1
                               : job->monotone[j] < 0 ? -1
                                                      : 0);
    memcpy(text + at, ")", 2);
    int status = set_text(session, "monotone_constraints", text);
    shard__release(trainer->context, text, size);
    return status;
}

/* Accelerated failure time: what had to be stopped took longer than that (Barnwal and others 2022). Margins are
   logarithms of times, and begin with that of 1. */
static int aim_at_times(const struct session *session)
{
    int status = set_text(session, "objective", "survival:aft");
    status = status < 0 ? status : set_text(session, "eval_metric", "aft-nloglik");
    status = status < 0 ? status : set_text(session, "aft_loss_distribution", "normal");
    status = status < 0 ? status : set_number(session, "aft_loss_distribution_scale", TIME_SPREAD, 1);
    return status < 0 ? status : set_text(session, "base_score", "1");
}

static int aim_at_labels(const struct session *session)
{
    int status = set_text(session, "objective", "binary:logistic");
    return status < 0 ? status : set_text(session, "eval_metric", "logloss");
}

static int configure(const struct trainer *trainer, const struct session *session, const struct shard_trees_job *job)
{
    double of_row = job->uppers != NULL ? 1 / (TIME_SPREAD * TIME_SPREAD) : 1; /* its weight for a child */
    int status = job->uppers != NULL ? aim_at_times(session) : aim_at_labels(session);
    status = status < 0 ? status : set_text(session, "tree_method", "hist");
    status = status < 0 ? status : set_text(session, "verbosity", "0");
    status = status < 0 ? status : set_text(session, "grow_policy", job->leaves > 0 ? "lossguide" : "depthwise");
    status = status < 0 ? status : set_number(session, "nthread", trainer->threads, 1);
    status = status < 0 ? status : set_number(session, "max_bin", 64, 64);
    status = status < 0 ? status : set_number(session, "max_depth", job->depth, 0);
    status = status < 0 ? status : set_number(session, "max_leaves", job->leaves, 0);
    status = status < 0 ? status : set_number(session, "eta", job->learning_rate, 0.1);
    status = status < 0 ? status : set_number(session, "min_child_weight", of_row * job->min_child_weight, of_row);
    status = status < 0 ? status : set_number(session, "subsample", job->row_share, 1);
    status = status < 0 ? status : set_number(session, "colsample_bytree", job->column_share, 1);
    status = status < 0 ? status : set_number(session, "scale_pos_weight", job->failure_weight, 1);
    status = status < 0 ? status : set_number(session, "seed", job->seed, 0);
    return status < 0 ? status : set_signs(trainer, session, job);
}

/* The loss of the hold-out, from XGBoost's line "[3]\thold-logloss:0.123". */
static int hold_out_loss(struct session *session, int round, double *ret_loss)
{
    const char *names[] = {"hold"};
    const char *line = NULL;
    if (session->xgboost->XGBoosterEvalOneIter(session->booster, round, &session->hold_out, names, 1, &line) != 0)
        return failed(session->xgboost, "score the hold-out");
    const char *colon = strrchr(line, ':');
    double value = NAN;
    if (colon == NULL || sscanf(colon + 1, "%lf", &value) != 1)
        return shard__fail(SHARD_EINVAL, "xgboost scores the hold-out with '%s', a number was expected", line);
    *ret_loss = value;
    return 0;
}

static int boost(struct session *session, const struct shard_trees_job *job)
{
    int patience = job->patience > 0 ? job->patience : DEFAULT_PATIENCE;
    int first = 0;
    int best = 0;
    double least = INFINITY;
    if (session->xgboost->XGBoosterBoostedRounds(session->booster, &first) != 0)
        return failed(session->xgboost, "count its rounds");
    for (int round = first; round < first + job->rounds; round++) {
        if (session->xgboost->XGBoosterUpdateOneIter(session->booster, round, session->train) != 0)
            return failed(session->xgboost, "train");
        if (session->hold_out == NULL)
            continue;
        double loss = NAN;
        int status = hold_out_loss(session, round, &loss);
        if (status < 0)
            return status;
        if (loss < least) {
            least = loss;
            best = round;
        }
        if (round - best >= patience)
            break;
    }
    if (session->hold_out == NULL)
        return 0;
    char text[NUMBER_SIZE];
    snprintf(text, sizeof text, "%d", best);
    return session->xgboost->XGBoosterSetAttr(session->booster, "best_iteration", text) == 0
               ? 0
               : failed(session->xgboost, "keep its best round");
}

static int run(const struct trainer *trainer, const struct shard_trees_job *job, struct session *session)
{
    int64_t count = job->count - job->hold_out;
    int status = make_matrix(trainer, job, 0, count, &session->train);
    if (status == 0 && job->hold_out > 0)
        status = make_matrix(trainer, job, count, job->hold_out, &session->hold_out);
    if (status < 0)
        return status;
    DMatrixHandle matrices[2] = {session->train, session->hold_out};
    if (session->xgboost->XGBoosterCreate(matrices, job->hold_out > 0 ? 2 : 1, &session->booster) != 0)
        return failed(session->xgboost, "begin");
    if (job->continue_from != NULL &&
        session->xgboost->XGBoosterLoadModelFromBuffer(session->booster, job->continue_from, job->continue_bytes) != 0)
        return failed(session->xgboost, "go on with the model");
    status = configure(trainer, session, job);
    return status < 0 ? status : boost(session, job);
}

static int check_job(const struct shard_trees_job *job)
{
    if (job->count <= 0 || job->columns <= 0 || job->rounds <= 0 || job->values == NULL || job->labels == NULL)
        return shard__fail(SHARD_EINVAL, "there must be rows, columns, labels and rounds");
    if (job->hold_out < 0 || job->hold_out >= job->count)
        return shard__fail(SHARD_EINVAL, "the hold-out has %lld of %lld rows: some must be left to train on",
                           (long long)job->hold_out, (long long)job->count);
    return 0;
}

static int trees_train(void *self, const struct shard_trees_job *given, void **ret_bytes, size_t *ret_size)
{
    const struct trainer *trainer = self;
    struct shard_trees_job job = {.struct_size = sizeof job};
    struct session session = {.xgboost = &trainer->xgboost};
    bst_ulong size = 0;
    const char *raw = NULL;
    int status = shard__take_struct(&job, sizeof job, given, "struct shard_trees_job");
    if (status == 0)
        status = check_job(&job);
    if (status == 0)
        status = run(trainer, &job, &session);
    if (status == 0 &&
        trainer->xgboost.XGBoosterSaveModelToBuffer(session.booster, "{\"format\": \"json\"}", &size, &raw) != 0)
        status = failed(&trainer->xgboost, "write the model");
    if (status == 0) {
        void *copy = shard__zalloc(trainer->context, size);
        if (copy == NULL) {
            status = SHARD_ENOMEM;
        } else {
            memcpy(copy, raw, size);
            *ret_bytes = copy;
            *ret_size = size;
        }
    }
    if (session.booster != NULL)
        trainer->xgboost.XGBoosterFree(session.booster);
    if (session.train != NULL)
        trainer->xgboost.XGDMatrixFree(session.train);
    if (session.hold_out != NULL)
        trainer->xgboost.XGDMatrixFree(session.hold_out);
    return status;
}

static void trees_release(void *self, void *bytes, size_t size)
{
    const struct trainer *trainer = self;
    shard__release(trainer->context, bytes, size);
}

static void trees_destroy(void *self)
{
    struct trainer *trainer = self;
    shard__release(trainer->context, trainer, sizeof *trainer);
}

int shard_xgboost_trees(shard_context *context, const struct shard_xgboost_config *config,
                        struct shard_trees_handle *ret_trees)
{
    static const struct shard_trees port = {.struct_size = sizeof port,
                                            .name = "xgboost",
                                            .train = trees_train,
                                            .release = trees_release,
                                            .destroy = trees_destroy};
    shard__clear_error();
    struct shard_xgboost_config ours = {.struct_size = sizeof ours};
    int status = config == NULL ? 0 : shard__take_struct(&ours, sizeof ours, config, "struct shard_xgboost_config");
    if (status < 0)
        return status;
    if (ours.threads < 0)
        return shard__fail(SHARD_EINVAL, "threads is %d, 0 or more was expected", (int)ours.threads);
    struct trainer *trainer = shard__zalloc(context, sizeof *trainer);
    if (trainer == NULL)
        return SHARD_ENOMEM;
    trainer->context = context;
    status = shard__xgboost_load(&trainer->xgboost);
    if (status < 0) {
        trees_destroy(trainer);
        return status;
    }
    trainer->threads = ours.threads > 0 ? ours.threads : 1;
    *ret_trees = (struct shard_trees_handle){.port = &port, .self = trainer};
    return 0;
}
