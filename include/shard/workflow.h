/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_WORKFLOW_H
#define SHARD_WORKFLOW_H

/*
 * Workflows: a builder collects tasks, edges and data; sealing checks the whole and gives an immutable workflow that
 * any number of runs and threads may share. Text formats (the native JSON, WfFormat) go through the same builder.
 *
 * Task and data ids count from 0 in the order of adding, and are the same in the sealed workflow.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/context.h>

SHARD_BEGIN

typedef struct shard_builder shard_builder;
typedef struct shard_workflow shard_workflow;

typedef int32_t shard_task_id; /* index of a task in its run; -1: none */
typedef int32_t shard_data_id; /* index of a piece of data (a file) in its workflow; -1: none */

/** Limits of the formats and the builder; what exceeds one is refused with SHARD_ELIMIT. */
enum shard_workflow_limits {
    SHARD_MAX_NAME_BYTES = 1024,       /* of a task, kind, data, host, volume or run name */
    SHARD_MAX_PAYLOAD_BYTES = 1 << 24, /* of one task */
    SHARD_MAX_TASKS = 100000000,
    SHARD_MAX_EDGES = 1000000000
};

/**
 * A task as the builder takes it. Zero is the default of each field; sizes and seconds may not be negative or infinite.
 *
 * Names are UTF-8 without control characters; a task's name is unique in its workflow. The payload is opaque: the
 * executor alone knows what it means.
 */
struct shard_task_spec {
    size_t struct_size;
    const char *name;    /* copied; NULL or "" gives "t<id>" */
    const char *kind;    /* category that shares history; NULL or "" gives "task" */
    const void *payload; /* copied */
    size_t payload_bytes;
    int64_t cpu_millicores;      /* asked for; 0: one slot of the host, no share */
    int64_t memory_bytes;        /* asked for; 0: not known */
    int64_t disk_bytes;          /* asked for; 0: not known */
    double expected_seconds;     /* NaN, or 0 without zero_seconds_known: not known. Kept to 7 digits */
    double failure_cost_seconds; /* what a failure costs beyond the time lost, in seconds-equivalent */
    double timeout_seconds;      /* wall clock of one attempt; 0: none */
    int32_t priority;            /* larger goes first, before every rank */
    int32_t max_attempts;        /* 0: the engine's budgets alone decide */
    int64_t units;               /* size of the divisible work, [0, units); 0 or 1: atomic */
    int64_t min_units;           /* no subtask gets fewer; 0: 1 */
    int32_t parts;               /* subtasks wanted from the start; 0 or 1: whole. Never more than units / min_units */
    int32_t has_merge;           /* non-zero: once the subtasks are done, the task itself runs as their merge step */
    int32_t zero_seconds_known;  /* non-zero: an expected_seconds of 0 is a fact, not the default */
};

/**
 * Starts an empty workflow.
 *
 * `name` NULL or "" gives "workflow". A builder belongs to one thread at a time.
 *
 * Returns 0 and the builder, which shard_builder_free() ends.
 * Errors: SHARD_ENOMEM, SHARD_EINVAL (name).
 */
SHARD_API int shard_builder_new(shard_context *context, const char *name, shard_builder **ret_builder);

/**
 * Ends a builder, sealed or not. NULL is fine.
 */
SHARD_API void shard_builder_free(shard_builder *builder);

/**
 * Adds a task.
 *
 * Returns its id.
 * Errors: SHARD_ENOMEM, SHARD_EINVAL (which field and why), SHARD_EEXIST (name is taken), SHARD_ELIMIT,
 * SHARD_EVERSION. The builder is unchanged then.
 */
SHARD_API shard_task_id shard_builder_add_task(shard_builder *builder, const struct shard_task_spec *spec);

/**
 * Says that `to` starts only after `from` is done. The same edge twice counts once.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM, SHARD_ENOENT (no such task), SHARD_ECYCLE (from and to are the same), SHARD_ELIMIT.
 */
SHARD_API int shard_builder_add_edge(shard_builder *builder, shard_task_id from, shard_task_id to);

/**
 * Adds a piece of data, usually a file; `bytes` below 0 means that the size is not known.
 *
 * Returns its id.
 * Errors: SHARD_ENOMEM, SHARD_EINVAL, SHARD_EEXIST, SHARD_ELIMIT.
 */
SHARD_API shard_data_id shard_builder_add_data(shard_builder *builder, const char *name, int64_t bytes);

/**
 * Says that a task reads (or writes) a piece of data. Data has at most one producer. Reading what another task writes
 * makes an edge between the two when the workflow is sealed. The same line twice counts once.
 *
 * Returns 0.
 * Errors: SHARD_ENOMEM, SHARD_ENOENT, SHARD_EEXIST (another task writes it already; output only).
 */
SHARD_API int shard_builder_add_input(shard_builder *builder, shard_task_id task, shard_data_id data);
SHARD_API int shard_builder_add_output(shard_builder *builder, shard_task_id task, shard_data_id data);

/**
 * Looks a name up in an open builder.
 *
 * Returns the id.
 * Errors: SHARD_ENOENT.
 */
SHARD_API shard_task_id shard_builder_find_task(const shard_builder *builder, const char *name);
SHARD_API shard_data_id shard_builder_find_data(const shard_builder *builder, const char *name);

/**
 * Checks the whole and makes the workflow: no cycle, successor and predecessor lists, critical-path ranks.
 *
 * The builder is empty afterwards and only good for shard_builder_free(); on failure it is unchanged.
 *
 * Returns 0 and the workflow, with one reference for the caller.
 * Errors: SHARD_ECYCLE (the message names the path, "a -> b -> a"), SHARD_ENOMEM, SHARD_ELIMIT.
 */
SHARD_API int shard_builder_seal(shard_builder *builder, shard_workflow **ret_workflow);

/**
 * Takes another reference to a workflow. Any thread.
 *
 * Returns its argument.
 */
SHARD_API shard_workflow *shard_workflow_ref(shard_workflow *workflow);

/**
 * Gives a reference back; the last one frees the workflow. NULL is fine. Any thread.
 */
SHARD_API void shard_workflow_unref(shard_workflow *workflow);

/** What a workflow says of a task. Pointers live as long as the workflow. */
struct shard_task_info {
    size_t struct_size;
    const char *name;
    const char *kind;
    const void *payload;
    size_t payload_bytes;
    int64_t cpu_millicores;
    int64_t memory_bytes;
    int64_t disk_bytes;
    double expected_seconds; /* NaN: not known */
    double failure_cost_seconds;
    double timeout_seconds;
    int32_t priority;
    int32_t max_attempts;
    int64_t units;
    int64_t min_units;
    int32_t parts;
    int32_t has_merge;
    double rank_seconds; /* from its start to the end of the workflow along the longest path of expected seconds, where
                            a task whose seconds are not known counts as the mean of the others (1 if none is known) */
    int32_t kind_id;     /* small dense number of the kind */
    int32_t predecessor_count;
    int32_t successor_count;
    int32_t input_count;
    int32_t output_count;
};

/**
 * Describes a workflow's task. `ret_info->struct_size` must be set.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_EVERSION.
 */
SHARD_API int shard_workflow_task(const shard_workflow *workflow, shard_task_id task, struct shard_task_info *ret_info);

/**
 * Copies the ids of a task's direct predecessors, successors, inputs or outputs.
 *
 * At most `capacity` ids are written to `ret_ids`, which may be NULL when capacity is 0.
 *
 * Returns how many there are in all.
 * Errors: SHARD_ENOENT.
 */
SHARD_API int32_t shard_workflow_predecessors(const shard_workflow *workflow, shard_task_id task,
                                              shard_task_id *ret_ids, int32_t capacity);
SHARD_API int32_t shard_workflow_successors(const shard_workflow *workflow, shard_task_id task, shard_task_id *ret_ids,
                                            int32_t capacity);
SHARD_API int32_t shard_workflow_inputs(const shard_workflow *workflow, shard_task_id task, shard_data_id *ret_ids,
                                        int32_t capacity);
SHARD_API int32_t shard_workflow_outputs(const shard_workflow *workflow, shard_task_id task, shard_data_id *ret_ids,
                                         int32_t capacity);

/** What a workflow says of a piece of data. */
struct shard_data_info {
    size_t struct_size;
    const char *name;
    int64_t bytes;          /* -1: not known */
    shard_task_id producer; /* -1: it is there from the start */
    int32_t consumer_count;
};

/**
 * Describes a piece of data. `ret_info->struct_size` must be set.
 *
 * Returns 0.
 * Errors: SHARD_ENOENT, SHARD_EVERSION.
 */
SHARD_API int shard_workflow_data(const shard_workflow *workflow, shard_data_id data, struct shard_data_info *ret_info);

/** The whole in numbers. */
struct shard_workflow_info {
    size_t struct_size;
    const char *name;
    int32_t task_count;
    int32_t data_count;
    int32_t kind_count;
    int64_t edge_count;
    double critical_path_seconds; /* tasks without expected seconds count as 0 */
    double total_seconds;
    size_t memory_bytes; /* what this workflow holds */
};

/**
 * Describes a workflow. `ret_info->struct_size` must be set.
 *
 * Returns 0.
 * Errors: SHARD_EVERSION.
 */
SHARD_API int shard_workflow_describe(const shard_workflow *workflow, struct shard_workflow_info *ret_info);

/**
 * Looks a task, data or kind up.
 *
 * Returns the id, or the kind's name.
 * Errors: SHARD_ENOENT; NULL for a kind that is not there.
 */
SHARD_API shard_task_id shard_workflow_find_task(const shard_workflow *workflow, const char *name);
SHARD_API shard_data_id shard_workflow_find_data(const shard_workflow *workflow, const char *name);
SHARD_API const char *shard_workflow_kind_name(const shard_workflow *workflow, int32_t kind_id);

/**
 * Text formats. AUTO looks at the text itself.
 *
 * NATIVE is what workflow.schema.json describes (installed to share/libshard). WFFORMAT is the WfCommons record of a
 * run, versions 1.2 to 1.5: a task's name is its id (before 1.5 its name), the kind its category, its program, or its
 * name without the number; expected_seconds is the recorded runtime, where 0 is known; requests stay 0, because what
 * was used is not what was asked for. The payload is JSON for a replay, without what was not recorded:
 * {"replay": {"runtime_seconds", "cpu_percent", "cores", "memory_bytes", "read_bytes", "written_bytes"}, "program",
 * "arguments"}. Its edges are the parents and children that it lists, and no others; the first task that lists a file
 * as output is its producer; what a task reads of another that is not among its ancestors is left out, with a warning
 * in the log.
 */
enum shard_format { SHARD_FORMAT_AUTO = 0, SHARD_FORMAT_NATIVE = 1, SHARD_FORMAT_WFFORMAT = 2 };

/** What reading a text found, also when it failed. */
struct shard_parse_report {
    size_t struct_size;
    enum shard_format format; /* AUTO when it could not be told */
    char version[16];         /* "1", "1.5"; empty when not known */
    int line;                 /* 1-based place of the first error, 0: not known */
    int column;
    char pointer[512];  /* JSON pointer of the first error, "" for the whole */
    int64_t file_count; /* different pieces of data, wherever the format lists them */
};

/**
 * Reads a workflow from JSON text.
 *
 * `source` names the text in messages (a path) and may be NULL; messages are "source:line:column: /json/pointer: what
 * is wrong, what was expected". `ret_report` may be NULL; it is the one output that is written on failure too. Text is
 * UTF-8, less than 1 GiB, at most 256 deep; a key that an object has twice is an error, in the native format also one
 * that is not known.
 *
 * Returns 0 and a workflow.
 * Errors: SHARD_EPARSE and SHARD_EINVAL (message has source, line or JSON pointer, and what was expected),
 * SHARD_EVERSION, SHARD_ECYCLE, SHARD_EEXIST, SHARD_ENOENT, SHARD_ELIMIT, SHARD_ENOMEM.
 */
SHARD_API int shard_workflow_parse(shard_context *context, const char *text, size_t text_bytes, const char *source,
                                   enum shard_format format, struct shard_parse_report *ret_report,
                                   shard_workflow **ret_workflow);

/**
 * Reads one task alone: the JSON of an element of the native format's `tasks`, with a name.
 *
 * The result is a workflow in which it is task 0. Those that it comes after are tasks of their names and nothing else,
 * in the order in which it names them; what it reads and writes is data of unknown size. Messages are as those of
 * shard_workflow_parse().
 *
 * Returns 0 and a workflow.
 * Errors: SHARD_EPARSE, SHARD_EINVAL, SHARD_ECYCLE, SHARD_EEXIST, SHARD_ELIMIT, SHARD_ENOMEM.
 */
SHARD_API int shard_workflow_parse_task(shard_context *context, const char *text, size_t text_bytes, const char *source,
                                        struct shard_parse_report *ret_report, shard_workflow **ret_workflow);

/**
 * Writes a workflow as native JSON, one task a line; what shard_workflow_parse() reads back is the same workflow.
 *
 * A payload that is JSON text without line breaks stands as it is, any other as base64.
 *
 * Returns 0, a NUL-terminated text to be freed with shard_free(), and its length without the NUL.
 * Errors: SHARD_ENOMEM.
 */
SHARD_API int shard_workflow_to_json(const shard_workflow *workflow, char **ret_text, size_t *ret_text_bytes);

SHARD_END

#endif
