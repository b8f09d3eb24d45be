/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes as values, and saying where they are. */

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

#include "json.h"

uint32_t shard__json_member(const struct shard__json *json, uint32_t object, const char *key)
{
    const struct shard__json_node *nodes = json->nodes;
    for (uint32_t at = object + 1; at < nodes[object].next; at = nodes[at + 1].next)
        if (strcmp(shard__json_string(json, at), key) == 0)
            return at + 1;
    return 0;
}

/* Appends to a pointer of limited size; ~ and / are escaped as RFC 6901 says. */
static size_t put_step(char *out, size_t size, size_t length, const char *step)
{
    if (length + 1 < size)
        out[length++] = '/';
    for (; *step != '\0' && length + 2 < size; step++) {
        if (*step == '~' || *step == '/') {
            out[length++] = '~';
            out[length++] = *step == '~' ? '0' : '1';
        } else {
            out[length++] = *step;
        }
    }
    out[length] = '\0';
    return length;
}

/* The way from the root to a node (of an object's key: to its value); also while containers are open. */
static void find_pointer(const struct shard__json *json, uint32_t target, char *out, size_t size)
{
    const struct shard__json_node *nodes = json->nodes;
    uint32_t container = 0;
    size_t length = 0;
    out[0] = '\0';
    while (container < target && nodes[container].type >= SHARD__JSON_ARRAY) {
        int is_object = nodes[container].type == SHARD__JSON_OBJECT;
        uint32_t child = container + 1;
        for (uint32_t index = 0;; index++) {
            uint32_t value = is_object ? child + 1 : child;
            if (value >= json->count || nodes[value].next == 0 || nodes[value].next > target) {
                char number[16];
                snprintf(number, sizeof(number), "%u", index);
                length = put_step(out, size, length, is_object ? shard__json_string(json, child) : number);
                container = value;
                break;
            }
            child = nodes[value].next;
        }
    }
}

/* Fills in the report; returns what messages begin with. */
static void say_place(struct shard__json *json, size_t offset, uint32_t node, char *out, size_t size)
{
    struct shard_parse_report *report = json->report;
    report->line = 1;
    report->column = 1;
    for (size_t i = 0; i < offset && i < json->text_bytes; i++) {
        if (json->text[i] == '\n') {
            report->line++;
            report->column = 1;
        } else if (((unsigned char)json->text[i] & 0xc0) != 0x80) {
            report->column++;
        }
    }
    report->pointer[0] = '\0';
    if (json->count > 0)
        find_pointer(json, node, report->pointer, sizeof(report->pointer));
    size_t length = strlen(report->pointer);
    report->pointer[shard__utf8_prefix(report->pointer, length)] = '\0';
    snprintf(out, size, "%s:%d:%d: %s%s", json->source, report->line, report->column, report->pointer,
             report->pointer[0] == '\0' ? "" : ": ");
}

static size_t offset_of(const struct shard__json *json, uint32_t node)
{
    const struct shard__json_node *n = &json->nodes[node];
    return n->type == SHARD__JSON_STRING ? n->begin - 1 : n->begin;
}

__attribute__((format(printf, 5, 0))) static int fail_at(struct shard__json *json, size_t offset, uint32_t node,
                                                         int code, const char *format, va_list list)
{
    char place[768], message[512];
    vsnprintf(message, sizeof(message), format, list);
    say_place(json, offset, node, place, sizeof(place));
    return shard__fail(code, "%s%s", place, message);
}

int shard__json_fail_at(struct shard__json *json, size_t offset, uint32_t node, int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fail_at(json, offset, node, code, format, list);
    va_end(list);
    return code;
}

int shard__json_fail(struct shard__json *json, uint32_t node, int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fail_at(json, offset_of(json, node), node, code, format, list);
    va_end(list);
    return code;
}

int shard__json_within(struct shard__json *json, uint32_t node, int code)
{
    char place[768];
    say_place(json, offset_of(json, node), node, place, sizeof(place));
    return shard__fail_within(code, "%s", place);
}

int shard__json_expect(struct shard__json *json, uint32_t node, enum shard__json_type type)
{
    static const char *const names[] = {"null",     "true or false", "true or false", "a number",
                                        "a string", "an array",      "an object"};
    enum shard__json_type is = shard__json_type(json, node);
    if (is == type)
        return 0;
    return shard__json_fail(json, node, SHARD_EPARSE, "is %s, expected %s",
                            is == SHARD__JSON_TRUE    ? "true"
                            : is == SHARD__JSON_FALSE ? "false"
                                                      : names[is],
                            names[type]);
}

int shard__json_read_string(struct shard__json *json, uint32_t node, const char **ret_text)
{
    int status = shard__json_expect(json, node, SHARD__JSON_STRING);
    if (status == 0)
        *ret_text = shard__json_string(json, node);
    return status;
}

int shard__json_read_bool(struct shard__json *json, uint32_t node, int *ret_value)
{
    if (shard__json_type(json, node) != SHARD__JSON_FALSE) {
        int status = shard__json_expect(json, node, SHARD__JSON_TRUE);
        if (status < 0)
            return status;
    }
    *ret_value = shard__json_type(json, node) == SHARD__JSON_TRUE;
    return 0;
}

/*
 * strtod() would want the locale's decimal point. Moving the point into the exponent leaves it none to look for, and
 * is exact; beyond 780 digits no further one can change the nearest double (but for being there or not).
 */
static double slow_number(const char *text, size_t bytes)
{
    enum { MAX_DIGITS = 780 };
    char buffer[MAX_DIGITS + 40];
    size_t length = 0, digits = 0, i = 0;
    long long point = 0;
    int in_fraction = 0;
    if (text[0] == '-')
        buffer[length++] = text[i++];
    for (; i < bytes && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            in_fraction = 1;
            continue;
        }
        point -= in_fraction;
        if (digits == 0 && text[i] == '0')
            continue;
        if (digits++ < MAX_DIGITS) {
            buffer[length++] = text[i];
        } else {
            point++;
            if (text[i] != '0')
                buffer[length - 1] = '1';
        }
    }
    if (digits == 0)
        buffer[length++] = '0';
    long long exponent = 0;
    int is_negative = i + 1 < bytes && text[i + 1] == '-';
    /* Far beyond what any double has it no longer matters by how much. */
    for (i++; i < bytes && exponent < 1000000000000; i++)
        if (text[i] >= '0' && text[i] <= '9')
            exponent = exponent * 10 + (text[i] - '0');
    if (is_negative)
        exponent = -exponent;
    snprintf(buffer + length, sizeof(buffer) - length, "e%lld", exponent + point);
    return strtod(buffer, NULL);
}

double shard__json_number(const char *text, size_t bytes)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    uint64_t mantissa = 0;
    size_t i = text[0] == '-', digits = 0, fraction = 0;
    int seen_point = 0;
    for (; i < bytes; i++) {
        if (text[i] == '.') {
            seen_point = 1;
            continue;
        }
        if (text[i] < '0' || text[i] > '9')
            return slow_number(text, bytes);
        mantissa = mantissa * 10 + (uint64_t)(text[i] - '0');
        fraction += (size_t)seen_point;
        digits++;
    }
    /* Both are exact in a double, so their quotient is the nearest double (Clinger 1990). */
    if (digits > 15)
        return slow_number(text, bytes);
    double value = (double)mantissa / powers[fraction];
    return text[0] == '-' ? -value : value;
}

int shard__json_read_double(struct shard__json *json, uint32_t node, double *ret_value)
{
    int status = shard__json_expect(json, node, SHARD__JSON_NUMBER);
    if (status < 0)
        return status;
    const struct shard__json_node *n = &json->nodes[node];
    double value = shard__json_number(json->text + n->begin, n->end - n->begin);
    if (!isfinite(value))
        return shard__json_fail(json, node, SHARD_EINVAL, "is too large for a number (%.*s)",
                                (int)(n->end - n->begin < 40 ? n->end - n->begin : 40), json->text + n->begin);
    *ret_value = value;
    return 0;
}

/* Whole numbers as they stand; 1e3 and 2.0 are whole too. 0, or -1 when it is not whole or too large. */
static int whole_number(const char *text, size_t bytes, int64_t *ret_value)
{
    uint64_t value = 0;
    size_t i = text[0] == '-';
    for (; i < bytes && text[i] >= '0' && text[i] <= '9'; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > ((uint64_t)INT64_MAX - digit) / 10)
            return -1;
        value = value * 10 + digit;
    }
    if (i == bytes) {
        *ret_value = text[0] == '-' ? -(int64_t)value : (int64_t)value;
        return 0;
    }
    double number = shard__json_number(text, bytes);
    if (!(fabs(number) < 0x1p53) || number != floor(number))
        return -1;
    *ret_value = (int64_t)number;
    return 0;
}

int shard__json_read_int(struct shard__json *json, uint32_t node, int64_t min, int64_t max, int64_t *ret_value)
{
    int status = shard__json_expect(json, node, SHARD__JSON_NUMBER);
    if (status < 0)
        return status;
    const struct shard__json_node *n = &json->nodes[node];
    int64_t value;
    if (whole_number(json->text + n->begin, n->end - n->begin, &value) == 0 && value >= min && value <= max) {
        *ret_value = value;
        return 0;
    }
    int shown = (int)(n->end - n->begin < 40 ? n->end - n->begin : 40);
    return shard__json_fail(json, node, SHARD_EINVAL, "is %.*s, expected a whole number from %lld to %lld", shown,
                            json->text + n->begin, (long long)min, (long long)max);
}

/* "512 MB", "2 GiB", "1.5TB", "100 B", "100": the number, then its unit. -1 when it is none of these. */
static int parse_size(const char *text, int64_t *ret_bytes)
{
    static const char prefixes[] = "kMGTP";
    size_t digits = strspn(text, "0123456789"), length = digits;
    if (text[length] == '.')
        length += 1 + strspn(text + length + 1, "0123456789");
    if (digits == 0 || digits > 15 || length > 30 || text[length - 1] == '.')
        return -1;
    double value = shard__json_number(text, length), scale = 1;
    text += length;
    if (*text == ' ')
        text++;
    const char *prefix = *text == '\0' ? NULL : strchr(prefixes, *text == 'K' ? 'k' : *text);
    if (prefix != NULL) {
        text++;
        int binary = *text == 'i';
        text += binary;
        scale = pow(binary ? 1024 : 1000, (double)(prefix - prefixes + 1));
        if (*text != 'B')
            return -1;
    }
    if (strcmp(text, "B") != 0 && *text != '\0')
        return -1;
    if (value * scale >= 0x1p63)
        return -1;
    *ret_bytes = (int64_t)(value * scale);
    return 0;
}

int shard__json_read_size(struct shard__json *json, uint32_t node, int64_t *ret_bytes)
{
    if (shard__json_type(json, node) != SHARD__JSON_STRING)
        return shard__json_read_int(json, node, 0, INT64_MAX, ret_bytes);
    const char *text = shard__json_string(json, node);
    int64_t bytes;
    if (parse_size(text, &bytes) < 0)
        return shard__json_fail(json, node, SHARD_EINVAL,
                                "is '%.40s', expected bytes, or a number with a unit such as \"512 MB\" or \"2 GiB\"",
                                text);
    *ret_bytes = bytes;
    return 0;
}
