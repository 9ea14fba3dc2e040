/* SPDX-License-Identifier: MIT */
/* Text: formatting and number parsing that no locale changes, and a string that grows. */
#include "base_impl.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

/* --- the locale of the library --- */

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static locale_t get_locale(void)
{
    int saved = errno;
    pthread_once(&locale_once, make_locale);
    errno = saved;
    return c_locale;
}

int dh__vformat(char *buffer, size_t size, const char *format, va_list args)
{
    locale_t c = get_locale();
    if (c == (locale_t)0) return vsnprintf(buffer, size, format, args);
    locale_t before = uselocale(c);
    int length = vsnprintf(buffer, size, format, args);
    (void)uselocale(before);
    return length;
}

int dh__format(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = dh__vformat(buffer, size, format, args);
    va_end(args);
    return length;
}

const char *dh__errno_text(int number)
{
    locale_t c = get_locale();
    return c == (locale_t)0 ? "input/output error" : strerror_l(number, c);
}

/* --- a growing string --- */

/* Makes room for extra more bytes and the end mark. */
static bool reserve(dh__text *text, size_t extra)
{
    if (text->failed) return false;
    if (text->capacity - text->length > extra) return true;
    size_t needed, capacity = text->capacity ? text->capacity : 64;
    if (__builtin_add_overflow(text->length + 1, extra, &needed)) needed = SIZE_MAX;
    while (capacity < needed && dh__mul_size(capacity, 2, &capacity)) continue;
    if (capacity < needed) capacity = needed;
    char *grown = dh__grow(text->data, text->length, capacity);
    if (!grown) {
        text->failed = true;
        return false;
    }
    text->data = grown;
    text->capacity = capacity;
    return true;
}

void dh__text_add_bytes(dh__text *text, const void *bytes, size_t size)
{
    if (!text || (!bytes && size) || !reserve(text, size)) return;
    if (size) memcpy(text->data + text->length, bytes, size);
    text->length += size;
    text->data[text->length] = '\0';
}

void dh__text_vadd(dh__text *text, const char *format, va_list args)
{
    char local[256];
    va_list again;
    va_copy(again, args);
    int length = dh__vformat(local, sizeof local, format, args);
    if (length < 0) {
        text->failed = true;
    } else if ((size_t)length < sizeof local) {
        dh__text_add_bytes(text, local, (size_t)length);
    } else if (reserve(text, (size_t)length)) {
        (void)dh__vformat(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void dh__text_add(dh__text *text, const char *format, ...)
{
    if (!text || !format) return;
    va_list args;
    va_start(args, format);
    dh__text_vadd(text, format, args);
    va_end(args);
}

dh_status dh__text_status(const dh__text *text)
{
    if (!text->failed) return DH_OK;
    /* the allocator has recorded the size it refused; another error may have come since */
    if (dh_error_status() == DH_ENOMEM) return DH_ENOMEM;
    return dh_fail(DH_ENOMEM, "text: no memory beyond %zu bytes", text->length);
}

void dh__text_free(dh__text *text)
{
    if (!text) return;
    dh__free(text->data);
    *text = (dh__text){0};
}

/* --- numbers --- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **text, size_t *length)
{
    while (*length && is_blank(**text)) (*text)++, (*length)--;
    while (*length && is_blank((*text)[*length - 1])) (*length)--;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Matches nan, inf and infinity with a sign and in any case. */
static bool parse_special(const char *text, size_t length, double *out)
{
    bool negative = *text == '-';
    if (negative || *text == '+') text++, length--;
    double value;
    if (length == 3 && strncasecmp(text, "nan", 3) == 0)
        value = (double)NAN;
    else if ((length == 3 && strncasecmp(text, "inf", 3) == 0) ||
             (length == 8 && strncasecmp(text, "infinity", 8) == 0))
        value = (double)INFINITY;
    else
        return false;
    *out = negative ? -value : value;
    return true;
}

bool dh__parse_double(const char *text, size_t length, double *out)
{
    if (!text || !out) return false;
    trim(&text, &length);
    /* a decimal that names a double exactly has at most 767 digits and its exponent */
    char copy[1024];
    if (length == 0 || length >= sizeof copy) return false;
    if (parse_special(text, length, out)) return true;
    for (size_t i = 0; i < length; i++)
        if (!is_digit(text[i]) && !memchr("+-.eE", text[i], 5)) return false;
    memcpy(copy, text, length);
    copy[length] = '\0';

    locale_t c = get_locale();
    if (c == (locale_t)0) return false;
    int saved = errno;
    char *end;
    locale_t before = uselocale(c);
    double value = strtod(copy, &end);
    (void)uselocale(before);
    errno = saved;
    if (end != copy + length || isinf(value)) return false;
    *out = value;
    return true;
}

bool dh__parse_int64(const char *text, size_t length, int64_t *out)
{
    if (!text || !out) return false;
    trim(&text, &length);
    bool negative = length && *text == '-';
    if (length && (*text == '-' || *text == '+')) text++, length--;
    if (length == 0) return false;
    int64_t value = 0; /* runs on the negative side, which reaches one further */
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(text[i])) return false;
        if (__builtin_mul_overflow(value, (int64_t)10, &value)) return false;
        if (__builtin_sub_overflow(value, (int64_t)(text[i] - '0'), &value)) return false;
    }
    if (!negative && value == INT64_MIN) return false;
    *out = negative ? value : -value;
    return true;
}
