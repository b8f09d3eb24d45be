/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the native format: one task a line, what is a default left out, the same bytes for the same workflow. */

#include <math.h>

#include "base/base64.h"
#include "base/error.h"

#include "json.h"
#include "names.h"
#include "workflow.h"

/* A payload lies so deep inside the text. */
enum { LEVELS_AROUND_PAYLOAD = 3 };

static void put_key(struct shard__bytes *out, const char *key)
{
    shard__bytes_printf(out, ", \"%s\": ", key);
}

static void put_int(struct shard__bytes *out, const char *key, int64_t value, int64_t left_out)
{
    if (value == left_out)
        return;
    put_key(out, key);
    shard__bytes_printf(out, "%lld", (long long)value);
}

static void put_seconds(struct shard__bytes *out, const char *key, double value)
{
    if (value == 0)
        return;
    put_key(out, key);
    shard__json_put_double(out, value);
}

static void put_names(struct shard__bytes *out, const char *key, const struct shard__csr *csr, int32_t row,
                      const struct shard__names *names)
{
    int32_t count = shard__csr_count(csr, row);
    if (count == 0)
        return;
    put_key(out, key);
    for (int32_t i = 0; i < count; i++) {
        shard__bytes_text(out, i == 0 ? "[" : ", ");
        shard__json_put_string(out, shard__names_at(names, shard__csr_row(csr, row)[i]));
    }
    shard__bytes_text(out, "]");
}

static void put_payload(struct shard__bytes *out, const struct shard_workflow *workflow, int32_t task)
{
    size_t bytes;
    const void *payload = shard__workflow_payload(workflow, task, &bytes);
    if (payload == NULL)
        return;
    int is_line = shard__json_is_line(workflow->context, payload, bytes, SHARD__JSON_MAX_DEPTH - LEVELS_AROUND_PAYLOAD);
    if (is_line < 0) {
        out->status = is_line;
    } else if (is_line) {
        put_key(out, "payload");
        shard__bytes_append(out, payload, bytes);
    } else {
        put_key(out, "payload_base64");
        shard__bytes_text(out, "\"");
        shard__base64_put(out, payload, bytes);
        shard__bytes_text(out, "\"");
    }
}

static void put_task(struct shard__bytes *out, const struct shard_workflow *workflow, int32_t task)
{
    const struct shard__profile *profile = shard__workflow_profile(workflow, task);
    shard__bytes_text(out, "{\"name\": ");
    shard__json_put_string(out, shard__workflow_task_name(workflow, task));
    put_key(out, "kind");
    shard__json_put_string(out, shard__names_at(&workflow->kind_names, profile->kind));
    put_names(out, "after", &workflow->predecessors, task, &workflow->task_names);
    put_names(out, "inputs", &workflow->inputs, task, &workflow->data_names);
    put_names(out, "outputs", &workflow->outputs, task, &workflow->data_names);
    put_int(out, "cpu_millicores", profile->cpu_millicores, 0);
    put_int(out, "memory_bytes", profile->memory_bytes, 0);
    put_int(out, "disk_bytes", profile->disk_bytes, 0);
    if (!isnan(workflow->expected_seconds[task])) {
        put_key(out, "expected_seconds");
        shard__json_put_float(out, workflow->expected_seconds[task]);
    }
    put_seconds(out, "failure_cost_seconds", profile->failure_cost_seconds);
    put_seconds(out, "timeout_seconds", profile->timeout_seconds);
    put_int(out, "priority", profile->priority, 0);
    put_int(out, "max_attempts", profile->max_attempts, 0);
    put_int(out, "units", shard__workflow_units(workflow, task), 1);
    put_int(out, "min_units", profile->min_units, 1);
    put_int(out, "parts", profile->parts, 1);
    if (profile->has_merge)
        shard__bytes_text(out, ", \"has_merge\": true");
    put_payload(out, workflow, task);
    shard__bytes_text(out, "}");
}

static void put_data(struct shard__bytes *out, const struct shard_workflow *workflow, int32_t data)
{
    shard__bytes_text(out, "{\"name\": ");
    shard__json_put_string(out, shard__names_at(&workflow->data_names, data));
    put_int(out, "bytes", workflow->data_bytes[data], -1);
    shard__bytes_text(out, "}");
}

int shard_workflow_to_json(const shard_workflow *workflow, char **ret_text, size_t *ret_text_bytes)
{
    shard__clear_error();
    struct shard__bytes out;
    shard__bytes_init(&out, workflow->context);
    shard__bytes_text(&out, "{\"format\": \"libshard-workflow\", \"version\": 1, \"name\": ");
    shard__json_put_string(&out, workflow->name);
    if (workflow->edges_are_whole)
        shard__bytes_text(&out, ", \"edges_are_whole\": true");
    shard__bytes_text(&out, ",\n\"tasks\": [");
    for (int32_t task = 0; task < workflow->task_count && out.status == 0; task++) {
        shard__bytes_text(&out, task == 0 ? "\n" : ",\n");
        put_task(&out, workflow, task);
    }
    shard__bytes_text(&out, "],\n\"data\": [");
    for (int32_t data = 0; data < workflow->data_count && out.status == 0; data++) {
        shard__bytes_text(&out, data == 0 ? "\n" : ",\n");
        put_data(&out, workflow, data);
    }
    shard__bytes_text(&out, "]}\n");
    int status = shard__bytes_handout(&out, ret_text, ret_text_bytes);
    /* Looking whether payloads are JSON fails for those that are not. */
    if (status == 0)
        shard__clear_error();
    return status;
}
