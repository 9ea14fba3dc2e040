/* SPDX-License-Identifier: MIT */
/* The last error of each thread: one fixed record, so that reporting a failed allocation allocates
 * nothing. */
#include "base_impl.h"

#include <deephealth/version.h>

#include <errno.h>
#include <string.h>

enum { TEXT_SIZE = DH_ERROR_TEXT_SIZE };

static _Thread_local dh__error last_error;

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

const char *dh_version(void)
{
    return TEXT_OF(DH_VERSION_MAJOR) "." TEXT_OF(DH_VERSION_MINOR) "." TEXT_OF(DH_VERSION_PATCH);
}

const char *dh_status_name(dh_status status)
{
    switch (status) {
    case DH_OK: return "DH_OK";
    case DH_EINVAL: return "DH_EINVAL";
    case DH_ESHAPE: return "DH_ESHAPE";
    case DH_EDTYPE: return "DH_EDTYPE";
    case DH_ENAME: return "DH_ENAME";
    case DH_ENOMEM: return "DH_ENOMEM";
    case DH_EOVERFLOW: return "DH_EOVERFLOW";
    case DH_EIO: return "DH_EIO";
    case DH_EFORMAT: return "DH_EFORMAT";
    case DH_ENOTFOUND: return "DH_ENOTFOUND";
    case DH_EDEVICE: return "DH_EDEVICE";
    case DH_EUNSUPPORTED: return "DH_EUNSUPPORTED";
    case DH_EMISSING: return "DH_EMISSING";
    case DH_ENUMERIC: return "DH_ENUMERIC";
    case DH_ECANCELLED: return "DH_ECANCELLED";
    case DH_ESTATE: return "DH_ESTATE";
    case DH_EINTERNAL: return "DH_EINTERNAL";
    }
    return "unknown status";
}

static _Thread_local uint64_t error_count;

uint64_t dh__error_count(void)
{
    return error_count;
}

/* Stores text as one line: names out of hostile files may hold newlines and terminal escapes.
 * needed is the length before truncation. */
static void store_text(const char *text, int needed)
{
    size_t i = 0;
    for (; text[i] != '\0' && i < TEXT_SIZE - 1; i++) {
        unsigned char c = (unsigned char)text[i];
        last_error.text[i] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
    }
    last_error.text[i] = '\0';
    if (needed >= TEXT_SIZE) {
        size_t cut = TEXT_SIZE - 4;
        /* never through the middle of a UTF-8 sequence */
        while (cut > 0 && ((unsigned char)last_error.text[cut] & 0xc0) == 0x80) cut--;
        memcpy(last_error.text + cut, "...", 4);
    }
}

dh_status dh_fail(dh_status status, const char *format, ...)
{
    int saved = errno;
    char text[TEXT_SIZE]; /* the arguments may point into the record */
    va_list args;
    va_start(args, format);
    int needed = format ? dh__vformat(text, sizeof text, format, args) : -1;
    va_end(args);
    if (needed < 0) {
        static const char fallback[] = "the text of this error could not be formatted";
        memcpy(text, fallback, sizeof fallback);
    }
    if (status >= DH_OK) status = DH_EINTERNAL;
    last_error.status = status;
    error_count++;
    store_text(text, needed);
    errno = saved;
    return status;
}

void dh_error_prefix(const char *format, ...)
{
    if (last_error.status == DH_OK || !format) return;
    int saved = errno;
    char text[2 * TEXT_SIZE + 2]; /* prefix, ": ", the old text */
    va_list args;
    va_start(args, format);
    int length = dh__vformat(text, TEXT_SIZE, format, args);
    va_end(args);
    errno = saved;
    if (length <= 0) return;
    if (length >= TEXT_SIZE) length = TEXT_SIZE - 1;

    /* callers on the way up may know the same name: it is said once */
    size_t size = (size_t)length;
    if (strncmp(last_error.text, text, size) == 0 &&
        (last_error.text[size] == ':' || last_error.text[size] == '\0'))
        return;
    size_t rest = strlen(last_error.text);
    memcpy(text + size, ": ", 2);
    memcpy(text + size + 2, last_error.text, rest + 1);
    store_text(text, (int)(size + 2 + rest));
}

void dh__error_save(dh__error *out)
{
    out->status = last_error.status;
    memcpy(out->text, last_error.text, strlen(last_error.text) + 1);
}

void dh__error_restore(const dh__error *saved)
{
    last_error.status = saved->status;
    memcpy(last_error.text, saved->text, strlen(saved->text) + 1);
}

dh_status dh__from(const char *who, dh_status status)
{
    if (status) dh_error_prefix("%s", who);
    return status;
}

dh_status dh__named(dh_status status, const char *from, const char *to)
{
    size_t size = strlen(from);
    if (status == DH_OK || strncmp(last_error.text, from, size) != 0) return status;
    if (last_error.text[size] != ':' && last_error.text[size] != ' ') return status;
    char rest[TEXT_SIZE];
    memcpy(rest, last_error.text + size, strlen(last_error.text + size) + 1);
    return dh_fail(last_error.status, "%s%s", to, rest);
}

const char *dh_error_text(void)
{
    return last_error.text;
}

dh_status dh_error_status(void)
{
    return last_error.status;
}

void dh_error_clear(void)
{
    last_error.status = DH_OK;
    last_error.text[0] = '\0';
}

int dh_perror(const char *what)
{
    const char *text = last_error.status == DH_OK ? "no error was recorded" : last_error.text;
    if (what && what[0] != '\0')
        dh__log(DH_LOG_ERROR, "%s: %s", what, text);
    else
        dh__log(DH_LOG_ERROR, "%s", text);
    return 1;
}
