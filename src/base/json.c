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

int dh__json_line(const dh__json *json, size_t at)
{
    int line = 1;
    for (size_t i = 0; i < at && i < json->size; i++) line += json->text[i] == '\n';
    return line;
}

dh_status dh__json_from(const dh__json *json, size_t at, dh_status status)
{
    if (status) dh_error_prefix("%s: line %d", json->who, dh__json_line(json, at));
    return status;
}

/* "offset 12", "line 1, column 13". */
static const char *place(char *buffer, size_t size, const dh__json *json, size_t at)
{
    size_t begin = at;
    while (begin > 0 && json->text[begin - 1] != '\n') begin--;
    if (json->lines)
        (void)dh__format(buffer, size, "line %d, column %zu", dh__json_line(json, at),
                         at - begin + 1);
    else
        (void)dh__format(buffer, size, "offset %zu", json->offset + at);
    return buffer;
}

#define NAMED "%s%s%s%s"
#define NAME(json)                                                            \
    (json)->who, (json)->what ? " \"" : "", (json)->what ? (json)->what : "", \
        (json)->what ? "\"" : ""

dh_status dh__json_fail(const dh__json *json, const char *wanted)
{
    char at[64];
    (void)place(at, sizeof at, json, json->at);
    if (json->at >= json->size)
        return dh_fail(DH_EFORMAT, NAMED ": the %s ends at %s, expected %s", NAME(json),
                       json->lines ? "text" : "header", at, wanted);
    uint8_t c = json->text[json->at];
    if (json->lines && c > ' ' && c < 0x7f)
        return dh_fail(DH_EFORMAT, NAMED ": %s has '%c', expected %s", NAME(json), at, c, wanted);
    return dh_fail(DH_EFORMAT, NAMED ": %s has byte %02x, expected %s", NAME(json), at, c, wanted);
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
    char at[64];
    DH_REQUIRE(dh__utf8_valid(to, length), DH_EFORMAT, NAMED ": the string at %s is no valid UTF-8",
               NAME(json), place(at, sizeof at, json, start));
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
    char at[64];
    DH_REQUIRE((digits[0] != '0' || length == 1) && dh__parse_int64(digits, length, &value),
               DH_EFORMAT, NAMED ": the integer %.*s at %s %s", NAME(json),
               (int)(length < 40 ? length : 40), digits, place(at, sizeof at, json, start),
               digits[0] == '0' ? "begins with 0" : "does not fit 63 bits");
    *out = (uint64_t)value;
    return DH_OK;
}

/* --- any value --- */

enum { MAX_DEPTH = 32 };

static bool digits(dh__json *json)
{
    size_t start = json->at;
    while (json->at < json->size && json->text[json->at] >= '0' && json->text[json->at] <= '9')
        json->at++;
    return json->at > start;
}

static bool next_is(const dh__json *json, const char *bytes)
{
    return json->at < json->size && json->text[json->at] && strchr(bytes, json->text[json->at]);
}

/* RFC 8259, section 6. */
static dh_status skip_number(dh__json *json)
{
    if (next_is(json, "-")) json->at++;
    bool zero = next_is(json, "0");
    if (zero) json->at++;
    if (!zero && !digits(json)) return dh__json_fail(json, "a value");
    if (next_is(json, ".")) {
        json->at++;
        if (!digits(json)) return dh__json_fail(json, "a digit");
    }
    if (next_is(json, "eE")) {
        json->at++;
        if (next_is(json, "+-")) json->at++;
        if (!digits(json)) return dh__json_fail(json, "a digit");
    }
    return DH_OK;
}

static dh_status skip_word(dh__json *json, dh__json_kind *kind)
{
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if (json->size - json->at < n || memcmp(json->text + json->at, words[i], n) != 0) continue;
        json->at += n;
        *kind = (dh__json_kind)(DH_JSON_TRUE + i);
        return DH_OK;
    }
    *kind = DH_JSON_NUMBER;
    return skip_number(json);
}

static dh_status skip(dh__json *json, dh__json_kind *kind, int depth)
{
    const char *key;
    dh__json_kind inner;
    if (depth > MAX_DEPTH) return dh__json_fail(json, "at most 32 levels");
    dh__json_blanks(json);
    if (next_is(json, "\"")) {
        *kind = DH_JSON_STRING;
        return dh__json_string(json, &key);
    }
    bool object = next_is(json, "{");
    if (!object && !next_is(json, "[")) return skip_word(json, kind);
    json->at++;
    *kind = object ? DH_JSON_OBJECT : DH_JSON_ARRAY;
    if (dh__json_take(json, object ? '}' : ']')) return DH_OK;
    do {
        if (object) {
            DH_TRY(dh__json_string(json, &key));
            if (!dh__json_take(json, ':')) return dh__json_fail(json, "\":\"");
        }
        DH_TRY(skip(json, &inner, depth + 1));
    } while (dh__json_take(json, ','));
    if (dh__json_take(json, object ? '}' : ']')) return DH_OK;
    return dh__json_fail(json, object ? "\",\" or \"}\"" : "\",\" or \"]\"");
}

dh_status dh__json_skip(dh__json *json, dh__json_kind *kind, size_t *begin)
{
    size_t strings = json->strings_used;
    dh__json_blanks(json);
    *begin = json->at;
    DH_TRY(skip(json, kind, 0));
    json->strings_used = strings; /* read again where they are wanted */
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
