/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_PREDICT_UBJSON_NUMBER_H
#define SHARD_PREDICT_UBJSON_NUMBER_H

/* UBJSON's numbers: big endian, each type by its letter. The bytes must be there. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t big_endian(const unsigned char *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

static inline uint32_t big_endian4(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline int is_whole(unsigned char type)
{
    return type == 'i' || type == 'U' || type == 'I' || type == 'l' || type == 'L';
}

/* Bytes of a number of a type; 0: the type is no number. */
static inline size_t number_size(unsigned char type)
{
    switch (type) {
    case 'i':
    case 'U':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return 0;
    }
}

static inline int64_t decode_whole(unsigned char type, const unsigned char *at)
{
    switch (type) {
    case 'i':
        return (int8_t)at[0];
    case 'U':
        return at[0];
    case 'I':
        return (int16_t)big_endian(at, 2);
    case 'l':
        return (int32_t)big_endian4(at);
    default:
        return (int64_t)big_endian(at, 8);
    }
}

static inline float decode_float(unsigned char type, const unsigned char *at)
{
    float value;
    double wide;
    uint32_t bits;
    uint64_t wide_bits;
    switch (type) {
    case 'd':
        bits = big_endian4(at);
        memcpy(&value, &bits, sizeof(value));
        return value;
    case 'D':
        wide_bits = big_endian(at, 8);
        memcpy(&wide, &wide_bits, sizeof(wide));
        return (float)wide;
    default:
        return (float)decode_whole(type, at);
    }
}

#endif
