/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_WORKFLOW_JSON_H
#define SHARD_WORKFLOW_JSON_H

/*
 * JSON (RFC 8259) as an array of nodes in the order of the text, with the place of each: so that whatever is wrong, in
 * syntax or in meaning, can be said with its line and JSON pointer. Memory comes from the context; there is no
 * recursion, and depth is bounded. What the keys mean is the business of the formats.
 *
 * Stricter than the RFC allows: keys of an object are different, text is UTF-8, strings have no NUL.
 */

#include <stddef.h>
#include <stdint.h>

#include <shard/workflow.h>

#include "base/bytes.h"

enum shard__json_type {
    SHARD__JSON_NULL,
    SHARD__JSON_FALSE,
    SHARD__JSON_TRUE,
    SHARD__JSON_NUMBER,
    SHARD__JSON_STRING,
    SHARD__JSON_ARRAY,
    SHARD__JSON_OBJECT
};

enum { SHARD__JSON_MAX_DEPTH = 256 };

/* The node after the value at i is nodes[i].next; a container's first child is i + 1. In objects keys and values take
   turns. */
struct shard__json_node {
    uint32_t begin; /* offset of the first character, of a string: after its quote */
    uint32_t end;   /* offset behind the last one, of a string: of its closing quote */
    uint32_t next;  /* 0 while a container is open */
    uint32_t type : 3;
    uint32_t count : 29; /* elements or members */
};

struct shard__json {
    const shard_context *context;
    const char *source; /* names the text in messages */
    const char *text;
    size_t text_bytes;
    char *copy; /* the text with its strings decoded in place, NUL-terminated */
    struct shard__json_node *nodes;
    size_t count;
    size_t capacity;
    struct shard_parse_report *report; /* place of the first error */
};

/* Reads a text, which must stay. 0, SHARD_EPARSE, SHARD_ELIMIT or SHARD_ENOMEM; to be freed in any case. */
int shard__json_parse(struct shard__json *json, const shard_context *context, const char *text, size_t text_bytes,
                      const char *source, struct shard_parse_report *report);
void shard__json_free(struct shard__json *json);

/* Whether bytes are one JSON value, at most `max_depth` deep, without white space around it or line breaks: 1, 0, or
   SHARD_ENOMEM. */
int shard__json_is_line(const shard_context *context, const void *bytes, size_t size, int max_depth);

/* Decodes the escape behind the backslash before *p to *out; moves both on. NULL, or what is wrong. */
const char *shard__json_decode_escape(char **p, char **out);

static inline enum shard__json_type shard__json_type(const struct shard__json *json, uint32_t node)
{
    return (enum shard__json_type)json->nodes[node].type;
}

/* A string's text, NUL-terminated, as long as the json. */
static inline const char *shard__json_string(const struct shard__json *json, uint32_t node)
{
    return json->copy + json->nodes[node].begin;
}

/* The value of a key, 0 when the object does not have it. */
uint32_t shard__json_member(const struct shard__json *json, uint32_t object, const char *key);

/* Fails about a node: message is "source:line:column: /json/pointer: ..."; the report gets the place. */
int shard__json_fail(struct shard__json *json, uint32_t node, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with the message of the failure just made. */
int shard__json_within(struct shard__json *json, uint32_t node, int code);
/* Fails about an offset of the text, inside the container `node`. */
int shard__json_fail_at(struct shard__json *json, size_t offset, uint32_t node, int code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Each checks the type; 0, SHARD_EPARSE (type) or SHARD_EINVAL (value), with the node's place. */
int shard__json_expect(struct shard__json *json, uint32_t node, enum shard__json_type type);
int shard__json_read_string(struct shard__json *json, uint32_t node, const char **ret_text);
int shard__json_read_double(struct shard__json *json, uint32_t node, double *ret_value);
int shard__json_read_int(struct shard__json *json, uint32_t node, int64_t min, int64_t max, int64_t *ret_value);
/* Bytes as a number, or as text with a unit: "512 MB", "2 GiB". */
int shard__json_read_size(struct shard__json *json, uint32_t node, int64_t *ret_bytes);
int shard__json_read_bool(struct shard__json *json, uint32_t node, int *ret_value);
/* A number that is finite, as text without regard for the locale; used on what follows the grammar of JSON. */
double shard__json_number(const char *text, size_t bytes);

/* Writing: quoted and escaped; numbers as short as they can be read back. */
void shard__json_put_string(struct shard__bytes *out, const char *text);
void shard__json_put_double(struct shard__bytes *out, double value);
void shard__json_put_float(struct shard__bytes *out, float value);
/* A value as in the text; one that spans lines loses the white space between its tokens. */
void shard__json_put_value(struct shard__bytes *out, const struct shard__json *json, uint32_t node);

#endif
