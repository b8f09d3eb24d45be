/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads times and spans of time.
 */
#include "when.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double most_seconds = 9e9;

bool when_parse_span(const char *text, int64_t *ret_ns)
{
    static const char units[] = "smhd";
    static const double seconds[] = {1, 60, 3600, 86400};
    char *end = NULL;
    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return false;
    double value = strtod(text, &end);
    if (*end != '\0') {
        const char *unit = strchr(units, *end);
        if (unit == NULL || end[1] != '\0')
            return false;
        value *= seconds[unit - units];
    }
    if (!isfinite(value) || value < 1e-6 || value > most_seconds)
        return false;
    *ret_ns = (int64_t)llround(value * 1e9);
    return true;
}

/* Whether a text is a pattern to its end, and a time that is one. */
static bool parse_as(const char *text, const char *pattern, const struct tm *start, int64_t *ret_ns)
{
    struct tm local = *start;
    const char *end = strptime(text, pattern, &local);
    if (end == NULL || *end != '\0')
        return false;
    local.tm_isdst = -1;
    time_t seconds = mktime(&local);
    if (seconds == (time_t)-1)
        return false;
    *ret_ns = (int64_t)seconds * 1000000000;
    return true;
}

bool when_parse(const char *text, int64_t now_ns, int64_t *ret_ns)
{
    static const char *const patterns[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
                                           "%Y-%m-%d",          "%H:%M:%S",          "%H:%M"};
    time_t now = (time_t)(now_ns / 1000000000);
    struct tm midnight;
    int64_t span_ns;
    if (text[0] == '@') {
        char *end = NULL;
        double seconds = strtod(text + 1, &end);
        if (end == text + 1 || *end != '\0' || !(seconds >= 0 && seconds < most_seconds))
            return false;
        *ret_ns = (int64_t)llround(seconds * 1e9);
        return true;
    }
    if (when_parse_span(text, &span_ns)) {
        *ret_ns = span_ns < now_ns ? now_ns - span_ns : 0;
        return true;
    }
    if (localtime_r(&now, &midnight) == NULL)
        return false;
    midnight.tm_hour = midnight.tm_min = midnight.tm_sec = 0;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        if (parse_as(text, patterns[i], &midnight, ret_ns))
            return *ret_ns >= 0;
    return false;
}

void when_text(int64_t time_ns, char ret_text[32])
{
    time_t seconds = (time_t)(time_ns / 1000000000);
    struct tm local;
    if (localtime_r(&seconds, &local) == NULL || strftime(ret_text, 32, "%Y-%m-%d %H:%M:%S", &local) == 0)
        snprintf(ret_text, 32, "?");
}
