/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <string.h>

void dh__json_blanks(dh__json *json)
{
    while (json->at < json->size && memchr(" \t\r\n", json->text[json->at], 4)) json->at++;
}

bool dh__json_take(dh__json *json, char c)
{
    dh__json_blanks(json);
    if (json->at >= json->size || json->text[json->at] != (uint8_t)c) return false;
    json->at++;
    return true;
}

dh_status dh__json_fail(const dh__json *json, const char *wanted)
{
    if (json->at >= json->size)
        return dh_fail(DH_EFORMAT, "%s \"%s\": the header ends at offset %zu, expected %s",
                       json->who, json->what, json->offset + json->at, wanted);
    return dh_fail(DH_EFORMAT, "%s \"%s\": offset %zu has byte %02x, expected %s", json->who,
                   json->what, json->offset + json->at, json->text[json->at], wanted);
}

static bool read_hex4(dh__json *json, uint32_t *out)
{
    if (json->size - json->at < 4) return false;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t c = json->text[json->at + (size_t)i];
        uint32_t digit = c >= '0' && c <= '9'   ? c - '0'
                         : c >= 'a' && c <= 'f' ? c - 'a' + 10u
                         : c >= 'A' && c <= 'F' ? c - 'A' + 10u
                                                : 16u;
        if (digit > 15) return false;
        value = value << 4 | digit;
    }
    json->at += 4;
    *out = value;
    return true;
}

/* At most 4 bytes, never more than the escape took. */
static size_t encode_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

/* What follows "\u"; surrogates come in pairs (RFC 8259, section 7). */
static dh_status read_unicode(dh__json *json, char *out, size_t *length)
{
    uint32_t c, low;
    if (!read_hex4(json, &c)) return dh__json_fail(json, "four hex digits");
    if (c == 0) return dh__json_fail(json, "a character other than U+0000 before");
    if (c >= 0xdc00 && c <= 0xdfff) return dh__json_fail(json, "a high surrogate before");
    if (c >= 0xd800 && c <= 0xdbff) {
        if (json->size - json->at < 2 || memcmp(json->text + json->at, "\\u", 2) != 0)
            return dh__json_fail(json, "a low surrogate");
        json->at += 2;
        if (!read_hex4(json, &low) || low < 0xdc00 || low > 0xdfff)
            return dh__json_fail(json, "a low surrogate before");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    *length += encode_utf8(out + *length, c);
    return DH_OK;
}

static dh_status read_escape(dh__json *json, char *out, size_t *length)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (json->at >= json->size) return dh__json_fail(json, "an escape");
    uint8_t c = json->text[json->at];
    if (c == 'u') {
        json->at++;
        return read_unicode(json, out, length);
    }
    const char *found = c ? strchr(from, c) : NULL;
    if (!found) return dh__json_fail(json, "one of \"\\/bfnrtu after a backslash");
    out[(*length)++] = to[found - from];
    json->at++;
    return DH_OK;
}

dh_status dh__json_string(dh__json *json, const char **out)
{
    if (!dh__json_take(json, '"')) return dh__json_fail(json, "a string");
    char *to = json->strings + json->strings_used;
    size_t length = 0, start = json->at;
    while (json->at < json->size && json->text[json->at] != '"') {
        uint8_t c = json->text[json->at];
        if (c < 0x20) return dh__json_fail(json, "no control character in a string");
        if (c != '\\') {
            to[length++] = (char)c;
            json->at++;
            continue;
        }
        json->at++;
        DH_TRY(read_escape(json, to, &length));
    }
    if (json->at >= json->size) return dh__json_fail(json, "the end of a string");
    json->at++;
    DH_REQUIRE(dh__utf8_valid(to, length), DH_EFORMAT,
               "%s \"%s\": the string at offset %zu is no valid UTF-8", json->who, json->what,
               json->offset + start);
    to[length] = '\0'; /* in the place of a quote */
    json->strings_used += length + 1;
    *out = to;
    return DH_OK;
}

dh_status dh__json_uint(dh__json *json, uint64_t *out)
{
    dh__json_blanks(json);
    size_t start = json->at;
    while (json->at < json->size && json->text[json->at] >= '0' && json->text[json->at] <= '9')
        json->at++;
    size_t length = json->at - start;
    if (length == 0) return dh__json_fail(json, "an integer from 0 on");
    const char *digits = (const char *)json->text + start;
    int64_t value;
    DH_REQUIRE((digits[0] != '0' || length == 1) && dh__parse_int64(digits, length, &value),
               DH_EFORMAT, "%s \"%s\": the integer %.*s at offset %zu %s", json->who, json->what,
               (int)(length < 40 ? length : 40), digits, json->offset + start,
               digits[0] == '0' ? "begins with 0" : "does not fit 63 bits");
    *out = (uint64_t)value;
    return DH_OK;
}

/* Well-formed as the Unicode standard has it (table 3-7): no overlong forms, no surrogates. */
bool dh__utf8_valid(const char *text, size_t size)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + size;
    while (p < end) {
        uint8_t c = *p++;
        if (c < 0x80) continue;
        int more = c >= 0xc2 && c <= 0xdf   ? 1
                   : c >= 0xe0 && c <= 0xef ? 2
                   : c >= 0xf0 && c <= 0xf4 ? 3
                                            : 0;
        if (!more || end - p < more) return false;
        uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        for (; more > 0; more--, low = 0x80, high = 0xbf) {
            if (*p < low || *p > high) return false;
            p++;
        }
    }
    return true;
}

void dh__json_add_string(dh__text *out, const char *text)
{
    dh__text_add_bytes(out, "\"", 1);
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            dh__text_add(out, "\\%c", c);
        else if (c < 0x20)
            dh__text_add(out, "\\u%04x", c);
        else
            dh__text_add_bytes(out, p, 1);
    }
    dh__text_add_bytes(out, "\"", 1);
}
