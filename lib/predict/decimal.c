/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decimal text to float32, rounded to the nearest as XGBoost's own parser does, whatever the locale. Most numbers of a
 * model go through one exact multiplication or division in double (Clinger 1990); the rest go to strtof without a
 * decimal point, which is the only thing that a locale changes.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader_format.h"

enum { MAX_DIGITS = 100 };

static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* A number taken apart: digits * 10^exponent. */
struct decimal {
    int negative;
    uint64_t digits; /* the first 19 */
    int digit_count; /* without leading zeros */
    int exponent;    /* of the first 19 digits */
    int dropped;     /* digits beyond 19 */
};

static inline int is_digit(unsigned char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static inline const unsigned char *scan_digits(const unsigned char *at, const unsigned char *end,
                                               struct decimal *number, int behind_point)
{
    for (; at < end && is_digit(*at); at++) {
        if (number->digit_count >= 19) {
            number->dropped++;
            number->exponent += !behind_point;
            continue;
        }
        number->digits = number->digits * 10 + (uint64_t)(*at - '0');
        number->digit_count += number->digits != 0;
        number->exponent -= behind_point;
    }
    return at;
}

static const unsigned char *scan_exponent(const unsigned char *at, const unsigned char *end, struct decimal *number)
{
    int negative = 0, value = 0;
    at++;
    if (at < end && (*at == '-' || *at == '+'))
        negative = *at++ == '-';
    if (at == end || !is_digit(*at))
        return NULL;
    for (; at < end && is_digit(*at); at++)
        if (value < 10000)
            value = value * 10 + (*at - '0');
    number->exponent += negative ? -value : value;
    return at;
}

/* [-] digits [. digits] [e [sign] digits] */
static const unsigned char *scan_decimal(const unsigned char *at, const unsigned char *end, struct decimal *number)
{
    const unsigned char *digits;
    memset(number, 0, sizeof(*number));
    if (at < end && *at == '-') {
        number->negative = 1;
        at++;
    }
    digits = at;
    at = scan_digits(at, end, number, 0);
    if (at == digits)
        return NULL;
    if (at < end && *at == '.') {
        digits = ++at;
        at = scan_digits(at, end, number, 1);
        if (at == digits)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E'))
        at = scan_exponent(at, end, number);
    return at;
}

/* The exact way, for what the fast one cannot: all digits, as a whole number with an exponent. */
static int slow_float(const unsigned char *at, const unsigned char *end, const struct decimal *number, float *ret_value)
{
    char text[MAX_DIGITS + 16];
    int used = 0;
    for (; at < end && (is_digit(*at) || *at == '.'); at++) {
        if (*at == '.' || (used == 0 && *at == '0'))
            continue;
        if (used == MAX_DIGITS)
            return 0;
        text[used++] = (char)*at;
    }
    if (used == 0)
        text[used++] = '0';
    snprintf(text + used, sizeof(text) - (size_t)used, "e%d", number->exponent - number->dropped);
    float value = strtof(text, NULL);
    *ret_value = number->negative ? -value : value;
    return 1;
}

static int fast_float(const struct decimal *number, float *ret_value)
{
    if (number->dropped > 0 || number->digits > (UINT64_C(1) << 53) || number->exponent < -22 || number->exponent > 22)
        return 0;
    double value = (double)number->digits;
    if (number->exponent < 0)
        value /= powers_of_ten[-number->exponent];
    else
        value *= powers_of_ten[number->exponent];
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    /* Half way between two floats after one rounding already, or where floats get sparse: the exact way. */
    if ((bits & 0x1fffffff) == 0x10000000 || (value != 0 && (value < 0x1p-126 || value >= 0x1p127)))
        return 0;
    *ret_value = (float)(number->negative ? -value : value);
    return 1;
}

static const unsigned char *scan_word(const unsigned char *at, const unsigned char *end, const char *word)
{
    size_t size = strlen(word);
    return (size_t)(end - at) >= size && memcmp(at, word, size) == 0 ? at + size : NULL;
}

/* XGBoost writes NaN and Infinity, which JSON does not have. */
static const unsigned char *scan_special(const unsigned char *at, const unsigned char *end, float *ret_value)
{
    const unsigned char *after;
    if ((after = scan_word(at, end, "NaN")) != NULL)
        *ret_value = NAN;
    else if ((after = scan_word(at, end, "Infinity")) != NULL)
        *ret_value = INFINITY;
    else if ((after = scan_word(at, end, "-Infinity")) != NULL)
        *ret_value = -INFINITY;
    return after;
}

const unsigned char *shard__scan_float(const unsigned char *at, const unsigned char *end, float *ret_value)
{
    struct decimal number;
    const unsigned char *after = scan_decimal(at, end, &number);
    if (after == NULL)
        return scan_special(at, end, ret_value);
    if (fast_float(&number, ret_value))
        return after;
    return slow_float(at + number.negative, after, &number, ret_value) ? after : NULL;
}

const unsigned char *shard__scan_int(const unsigned char *at, const unsigned char *end, int64_t *ret_value)
{
    int negative = at < end && *at == '-';
    const unsigned char *digits = at += negative;
    int64_t value = 0;
    for (; at < end && is_digit(*at); at++) {
        if (at - digits >= 18)
            return NULL;
        value = value * 10 + (*at - '0');
    }
    if (at == digits)
        return NULL;
    *ret_value = negative ? -value : value;
    return at;
}

int shard__text_to_float(struct shard__text text, float *ret_value)
{
    const unsigned char *at = (const unsigned char *)text.data;
    const unsigned char *end = at + text.size;
    return shard__scan_float(at, end, ret_value) == end && text.size > 0;
}

int shard__text_to_int(struct shard__text text, int64_t *ret_value)
{
    const unsigned char *at = (const unsigned char *)text.data;
    const unsigned char *end = at + text.size;
    return shard__scan_int(at, end, ret_value) == end && text.size > 0;
}
