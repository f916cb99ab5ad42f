/* MD5 (RFC 1321) of a text, in hexadecimal: all that Digest authentication asks of a client. */
#ifndef MD5_H
#define MD5_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MD5_HEX_SIZE = 33, MD5_LONGEST = 1015 };

static uint32_t md5_constants[64];

static void md5_block(uint32_t state[4], const unsigned char *block)
{
    static const unsigned char shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];

    memcpy(words, block, sizeof words); /* little-endian machines only, which is what there is */
    for (int i = 0; i < 64; i++) {
        uint32_t mixed;
        int word;
        switch (i / 16) {
        case 0: mixed = (b & c) | (~b & d); word = i; break;
        case 1: mixed = (d & b) | (~d & c); word = (5 * i + 1) % 16; break;
        case 2: mixed = b ^ c ^ d; word = (3 * i + 5) % 16; break;
        default: mixed = c ^ (b | ~d); word = 7 * i % 16; break;
        }
        uint32_t sum = a + mixed + md5_constants[i] + words[word];
        int shift = shifts[i / 16][i % 4];
        a = d;
        d = c;
        c = b;
        b += sum << shift | sum >> (32 - shift);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

/* The text is of at most MD5_LONGEST octets; what is longer is cut. */
static void md5_hex(const char *text, char hex[MD5_HEX_SIZE])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    unsigned char padded[1088] = {0};
    size_t length = strnlen(text, MD5_LONGEST), total = (length + 8) / 64 * 64 + 64;
    uint64_t bits = 8 * (uint64_t)length;

    if (md5_constants[0] == 0)
        for (int i = 0; i < 64; i++)
            md5_constants[i] = (uint32_t)(int64_t)(4294967296.0 * fabs(sin(i + 1)));
    memcpy(padded, text, length);
    padded[length] = 0x80;
    memcpy(padded + total - 8, &bits, sizeof bits);
    for (size_t at = 0; at < total; at += 64)
        md5_block(state, padded + at);
    for (int i = 0; i < 16; i++)
        sprintf(hex + 2 * i, "%02x", state[i / 4] >> (8 * (i % 4)) & 0xff);
}

#endif
