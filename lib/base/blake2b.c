/* SPDX-License-Identifier: Apache-2.0 */
/* BLAKE2b after RFC 7693, for data that is in memory as a whole. */

#include "blake2b.h"

#include <stdint.h>
#include <string.h>

static const uint64_t initial[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

static const unsigned char order[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint64_t rotate(uint64_t x, int by)
{
    return x >> by | x << (64 - by);
}

static inline void mix(uint64_t *v, int a, int b, int c, int d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 63);
}

static inline uint64_t little_endian(const unsigned char *at)
{
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24 |
           (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40 | (uint64_t)at[6] << 48 | (uint64_t)at[7] << 56;
}

static void compress(uint64_t state[8], const unsigned char block[128], uint64_t count, int last)
{
    uint64_t v[16], m[16];
    for (int i = 0; i < 16; i++)
        m[i] = little_endian(block + 8 * i);
    memcpy(v, state, 64);
    memcpy(v + 8, initial, 64);
    v[12] ^= count;
    if (last)
        v[14] = ~v[14];
        /* Unrolled, so that the order is known to the compiler and costs nothing. */
#pragma GCC unroll 12
    for (int round = 0; round < 12; round++) {
        const unsigned char *s = order[round % 10];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (int i = 0; i < 8; i++)
        state[i] ^= v[i] ^ v[i + 8];
}

void shard__blake2b(const void *data, size_t size, unsigned char ret_digest[SHARD__DIGEST_BYTES])
{
    const unsigned char *bytes = data;
    unsigned char tail[128] = {0};
    uint64_t state[8];
    size_t at = 0;
    memcpy(state, initial, sizeof(state));
    state[0] ^= 0x01010000u ^ SHARD__DIGEST_BYTES; /* digest size, no key, one lane */
    for (; size - at > 128; at += 128)
        compress(state, bytes + at, at + 128, 0);
    if (size > at)
        memcpy(tail, bytes + at, size - at);
    compress(state, tail, size, 1);
    for (int i = 0; i < SHARD__DIGEST_BYTES; i++)
        ret_digest[i] = (unsigned char)(state[i / 8] >> (8 * (i % 8)));
}

void shard__blake2b_text(const void *data, size_t size, char ret_text[SHARD__DIGEST_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[SHARD__DIGEST_BYTES];
    shard__blake2b(data, size, digest);
    for (int i = 0; i < SHARD__DIGEST_BYTES; i++) {
        ret_text[2 * i] = hex[digest[i] >> 4];
        ret_text[2 * i + 1] = hex[digest[i] & 15];
    }
    ret_text[2 * SHARD__DIGEST_BYTES] = '\0';
}
