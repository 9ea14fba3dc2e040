/* SPDX-License-Identifier: MIT */
/* JSON (RFC 8259) read strictly: objects and arrays are walked by the caller, so that depth is what
 * the caller's code has and no input can exceed it. */
#ifndef DH_JSON_H
#define DH_JSON_H

#include "base.h"

typedef struct dh__json {
    const char *who, *what; /* for messages; what: the file, or NULL */
    const uint8_t *text;
    size_t size, at;
    size_t offset; /* of text in the file, for messages */
    bool lines;    /* messages tell lines and columns instead */
    char *strings; /* where decoded strings go: size bytes are always enough */
    size_t strings_used;
} dh__json;

void dh__json_blanks(dh__json *json);
/* True and past it where the next byte that is no blank is c. */
bool dh__json_take(dh__json *json, char c);
/* The line of a place in the text, from 1. */
int dh__json_line(const dh__json *json, size_t at);
/* Puts who and the line of a place in front of the last error's text; nothing where status is
 * DH_OK.
 */
dh_status dh__json_from(const dh__json *json, size_t at, dh_status status);
/* DH_EFORMAT naming the offset, what is there and what was wanted. */
dh_status dh__json_fail(const dh__json *json, const char *wanted);
/* A string, decoded, valid UTF-8 without zero bytes, ended by '\0'. */
dh_status dh__json_string(dh__json *json, const char **out);
/* An integer from 0 to INT64_MAX, written without sign, point, exponent or leading zeros. */
dh_status dh__json_uint(dh__json *json, uint64_t *out);

typedef enum dh__json_kind {
    DH_JSON_STRING,
    DH_JSON_NUMBER,
    DH_JSON_TRUE,
    DH_JSON_FALSE,
    DH_JSON_NULL,
    DH_JSON_ARRAY,
    DH_JSON_OBJECT
} dh__json_kind;
/* Goes past any value, nested up to 32 deep, and tells its kind; its text is from *begin to at. */
dh_status dh__json_skip(dh__json *json, dh__json_kind *kind, size_t *begin);

bool dh__utf8_valid(const char *text, size_t size);
/* Adds text as a JSON string with its quotes. */
void dh__json_add_string(dh__text *out, const char *text);

#endif
