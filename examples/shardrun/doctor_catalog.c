/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `shardrun doctor` finds out of a catalog. What is asked of the remote changes nothing there.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "doctor.h"
#include "need.h"

static void tell_error(struct doctor *doctor)
{
    struct shard_error error = {.struct_size = sizeof error};
    shard_error_copy(&error);
    doctor_tell(doctor, "catalog", FINDING_FAILED, error.message, catalog_fix(error.message));
}

/* Every file of the branch is read, and the hashes of what is read are checked. */
static void check_content(struct doctor *doctor, shard_context *context, shard_catalog *catalog)
{
    const struct shard_catalog_request request = {.struct_size = sizeof request, .keep_rest = 1};
    struct shard_catalog_report report = {.struct_size = sizeof report};
    shard_workflow *workflow = NULL;
    int status = shard_catalog_load(catalog, &request, &report, &workflow);
    if (status == SHARD_ENOENT) {
        doctor_tell(doctor, "catalog", FINDING_OK, "works, and has no workflow yet; the first run publishes one", "");
    } else if (status < 0) {
        tell_error(doctor);
    } else if (report.bad > 0) {
        char *found = need_printf("%d files are no tasks: %.*s", report.bad, (int)strcspn(report.problems, "\n"),
                                  report.problems);
        doctor_tell(doctor, "catalog", FINDING_WARNING, found, "correct the files, with a commit that is pushed");
        free(found);
    } else {
        struct shard_workflow_info info = {.struct_size = sizeof info};
        shard_workflow_describe(workflow, &info);
        char *found = need_printf("works and has %d tasks at commit %.12s", info.task_count, report.commit);
        doctor_tell(doctor, "catalog", FINDING_OK, found, "");
        free(found);
    }
    shard_free(context, report.problems);
    shard_workflow_unref(workflow);
}

void doctor_check_catalog(struct doctor *doctor, const struct run_options *options, const struct place *place)
{
    struct catalog catalog = {0};
    shard_context *context = NULL;
    if (shard_context_new(NULL, &context) < 0 || catalog_try(&catalog, context, options, place->state) < 0 ||
        shard_catalog_check(catalog.handle) < 0)
        tell_error(doctor);
    else
        check_content(doctor, context, catalog.handle);
    shard_catalog_close(catalog.handle);
    shard_context_free(context);
}
