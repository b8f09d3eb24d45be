/* SPDX-License-Identifier: Apache-2.0 */
/* From text to nodes. One pass, no recursion; strings are decoded where they stand in a copy of the text. */

#include <string.h>

#include "base/error.h"
#include "base/map.h"
#include "base/utf8.h"

#include "json.h"

/* Objects with more keys than this look for repeated ones in a hash table. */
enum { FEW_KEYS = 16 };

/* So that offsets fit a node, and the number of a container's elements too. */
enum { MAX_TEXT_BYTES = 1 << 30 };

struct parser {
    struct shard__json *json;
    char *p; /* where we are in the copy */
    int max_depth;
    int depth;
    uint32_t open[SHARD__JSON_MAX_DEPTH]; /* the containers around p */
};

static int fail(struct parser *parser, const char *at, const char *problem)
{
    struct shard__json *json = parser->json;
    uint32_t container = parser->depth == 0 ? 0 : parser->open[parser->depth - 1];
    size_t offset = (size_t)(at - json->copy);
    return shard__json_fail_at(json, offset, container, SHARD_EPARSE, "%s%s",
                               offset == json->text_bytes ? "the text ends here, " : "", problem);
}

static char *skip_space(char *p)
{
    while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')
        p++;
    return p;
}

/* Room was made for one node. */
static int add_node(struct parser *parser, enum shard__json_type type, const char *begin, const char *end)
{
    struct shard__json *json = parser->json;
    if (json->count == json->capacity &&
        shard__grow(json->context, &json->nodes, &json->capacity, json->count + 1, sizeof(*json->nodes)) < 0)
        return SHARD_ENOMEM;
    uint32_t at = (uint32_t)json->count++;
    json->nodes[at] = (struct shard__json_node){.begin = (uint32_t)(begin - json->copy),
                                                .end = (uint32_t)(end - json->copy),
                                                .next = at + 1,
                                                .type = (uint32_t)type & 7u};
    return 0;
}

static inline int is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

/* A string, whose opening quote is at p. */
static int parse_string(struct parser *parser)
{
    char *begin = parser->p + 1, *p = begin;
    while (is_plain(*p))
        p++;
    char *out = p;
    while (*p != '"') {
        if (*p == '\\') {
            char *escape = p++;
            const char *problem = shard__json_decode_escape(&p, &out);
            if (problem != NULL)
                return fail(parser, escape, problem);
        } else if (is_plain(*p)) {
            *out++ = *p++;
        } else if ((size_t)(p - parser->json->copy) == parser->json->text_bytes) {
            return fail(parser, p, "expected '\"' after the string");
        } else {
            return fail(parser, p, "a string has a control character, expected it escaped");
        }
    }
    /* The closing quote, or what decoding left over. */
    *out = '\0';
    parser->p = p + 1;
    return add_node(parser, SHARD__JSON_STRING, begin, p);
}

static char *skip_digits(char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

static int parse_number(struct parser *parser)
{
    char *begin = parser->p, *p = begin;
    if (*p == '-')
        p++;
    char *digits = p;
    p = skip_digits(p);
    if (p == digits)
        return fail(parser, p, "expected a digit");
    if (*digits == '0' && p > digits + 1)
        return fail(parser, digits, "a number begins with 0, expected no zeros in front");
    if (*p == '.') {
        digits = ++p;
        p = skip_digits(p);
        if (p == digits)
            return fail(parser, p, "expected a digit after the point");
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-')
            p++;
        digits = p;
        p = skip_digits(p);
        if (p == digits)
            return fail(parser, p, "expected a digit in the exponent");
    }
    parser->p = p;
    return add_node(parser, SHARD__JSON_NUMBER, begin, p);
}

static int parse_word(struct parser *parser, const char *word, enum shard__json_type type)
{
    size_t length = strlen(word);
    if (strncmp(parser->p, word, length) != 0)
        return fail(parser, parser->p,
                    "expected a value: null, true, false, a number, a string, an array or an object");
    parser->p += length;
    return add_node(parser, type, parser->p - length, parser->p);
}

static const char *key_of(const void *owner, int32_t node, size_t *ret_bytes)
{
    const char *key = shard__json_string(owner, (uint32_t)node);
    *ret_bytes = strlen(key);
    return key;
}

static int fail_repeated(struct parser *parser, uint32_t key)
{
    return shard__json_fail(parser->json, key, SHARD_EPARSE, "the key '%.64s' is there twice, expected once",
                            shard__json_string(parser->json, key));
}

/* Refuses a key that an object has twice. */
static int check_keys(struct parser *parser, uint32_t object)
{
    struct shard__json *json = parser->json;
    const struct shard__json_node *nodes = json->nodes;
    uint32_t end = (uint32_t)json->count;
    if (nodes[object].count <= FEW_KEYS) {
        for (uint32_t key = object + 1; key < end; key = nodes[key + 1].next)
            for (uint32_t other = object + 1; other < key; other = nodes[other + 1].next)
                if (strcmp(shard__json_string(json, key), shard__json_string(json, other)) == 0)
                    return fail_repeated(parser, key);
        return 0;
    }
    struct shard__namemap map = {0};
    int status = 0;
    for (uint32_t key = object + 1; status == 0 && key < end; key = nodes[key + 1].next) {
        size_t bytes;
        const char *text = key_of(json, (int32_t)key, &bytes);
        if (shard__namemap_find(&map, text, bytes, key_of, json) >= 0)
            status = fail_repeated(parser, key);
        else
            status = shard__namemap_add(json->context, &map, (int32_t)key, key_of, json);
    }
    shard__namemap_free(json->context, &map);
    return status;
}

/* `"key" :` */
static int parse_key(struct parser *parser)
{
    parser->p = skip_space(parser->p);
    if (*parser->p != '"')
        return fail(parser, parser->p, "expected a key in quotes");
    int status = parse_string(parser);
    if (status < 0)
        return status;
    parser->p = skip_space(parser->p);
    if (*parser->p != ':')
        return fail(parser, parser->p, "expected ':' after the key");
    parser->p++;
    return 0;
}

/* Opens a container. */
static int parse_open(struct parser *parser, enum shard__json_type type)
{
    if (parser->depth == parser->max_depth)
        return shard__json_fail_at(parser->json, (size_t)(parser->p - parser->json->copy), 0, SHARD_ELIMIT,
                                   "nested more than %d deep", parser->max_depth);
    int status = add_node(parser, type, parser->p, parser->p);
    if (status < 0)
        return status;
    uint32_t node = (uint32_t)parser->json->count - 1;
    parser->json->nodes[node].next = 0;
    parser->open[parser->depth++] = node;
    parser->p++;
    return 0;
}

/* A value, or the opening of one. */
static int parse_value(struct parser *parser)
{
    parser->p = skip_space(parser->p);
    if (parser->depth > 0)
        parser->json->nodes[parser->open[parser->depth - 1]].count++;
    switch (*parser->p) {
    case '{':
        return parse_open(parser, SHARD__JSON_OBJECT);
    case '[':
        return parse_open(parser, SHARD__JSON_ARRAY);
    case '"':
        return parse_string(parser);
    case 't':
        return parse_word(parser, "true", SHARD__JSON_TRUE);
    case 'f':
        return parse_word(parser, "false", SHARD__JSON_FALSE);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return parse_number(parser);
    default:
        return parse_word(parser, "null", SHARD__JSON_NULL);
    }
}

static int parse_close(struct parser *parser)
{
    struct shard__json *json = parser->json;
    uint32_t node = parser->open[parser->depth - 1];
    int status = json->nodes[node].type == SHARD__JSON_OBJECT ? check_keys(parser, node) : 0;
    if (status < 0)
        return status;
    parser->p++;
    parser->depth--;
    json->nodes[node].end = (uint32_t)(parser->p - json->copy);
    json->nodes[node].next = (uint32_t)json->count;
    return 0;
}

/* Goes on to where the next value begins; 1 when there is one, 0 at the end of the outermost. */
static int advance(struct parser *parser)
{
    while (parser->depth > 0) {
        const struct shard__json_node *node = &parser->json->nodes[parser->open[parser->depth - 1]];
        int is_object = node->type == SHARD__JSON_OBJECT;
        parser->p = skip_space(parser->p);
        int status;
        if (*parser->p == (is_object ? '}' : ']')) {
            status = parse_close(parser);
            if (status < 0)
                return status;
            continue;
        }
        if (node->count > 0) {
            if (*parser->p != ',')
                return fail(parser, parser->p, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
            parser->p++;
        }
        status = is_object ? parse_key(parser) : 0;
        return status < 0 ? status : 1;
    }
    return 0;
}

static int parse_text(struct shard__json *json, int max_depth)
{
    struct parser parser = {.json = json, .p = json->copy, .max_depth = max_depth};
    int status;
    do {
        status = parse_value(&parser);
        if (status == 0)
            status = advance(&parser);
    } while (status > 0);
    if (status < 0)
        return status;
    parser.p = skip_space(parser.p);
    if ((size_t)(parser.p - json->copy) < json->text_bytes)
        return fail(&parser, parser.p, "expected the end of the text");
    return 0;
}

static int parse(struct shard__json *json, int max_depth)
{
    if (json->text_bytes >= MAX_TEXT_BYTES)
        return shard__fail(SHARD_ELIMIT, "%s: has %zu bytes, expected less than 1 GiB", json->source, json->text_bytes);
    json->copy = shard__realloc(json->context, NULL, 0, json->text_bytes + 1);
    if (json->copy == NULL)
        return SHARD_ENOMEM;
    memcpy(json->copy, json->text, json->text_bytes);
    json->copy[json->text_bytes] = '\0';
    size_t good = shard__utf8_prefix(json->text, json->text_bytes);
    if (good < json->text_bytes)
        return shard__json_fail_at(json, good, 0, SHARD_EPARSE, "the text is not UTF-8 here");
    return parse_text(json, max_depth);
}

int shard__json_parse(struct shard__json *json, const shard_context *context, const char *text, size_t text_bytes,
                      const char *source, struct shard_parse_report *report)
{
    *json = (struct shard__json){
        .context = context, .source = source, .text = text, .text_bytes = text_bytes, .report = report};
    return parse(json, SHARD__JSON_MAX_DEPTH);
}

int shard__json_is_line(const shard_context *context, const void *bytes, size_t size, int max_depth)
{
    const char *text = bytes;
    if (size == 0 || strchr(" \t\r", text[0]) != NULL || strchr(" \t\r", text[size - 1]) != NULL ||
        memchr(text, '\n', size) != NULL)
        return 0;
    struct shard_parse_report report;
    struct shard__json json = {
        .context = context, .source = "payload", .text = text, .text_bytes = size, .report = &report};
    int status = parse(&json, max_depth);
    shard__json_free(&json);
    return status == 0 ? 1 : status == SHARD_ENOMEM ? status : 0;
}

void shard__json_free(struct shard__json *json)
{
    if (json->copy != NULL)
        shard__release(json->context, json->copy, json->text_bytes + 1);
    shard__release(json->context, json->nodes, json->capacity * sizeof(*json->nodes));
    json->copy = NULL;
    json->nodes = NULL;
}
