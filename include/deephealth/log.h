/* SPDX-License-Identifier: MIT */
/* The library prints only through one callback. The default writes progress and warnings to stderr;
 * DEEPHEALTH_LOG=error|warning|info|debug|off sets its level at start. */
#ifndef DEEPHEALTH_LOG_H
#define DEEPHEALTH_LOG_H

#include <deephealth/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dh_log_level {
    DH_LOG_OFF = 0,
    DH_LOG_ERROR = 1,
    DH_LOG_WARNING = 2,
    DH_LOG_PROGRESS = 3, /* the line of fit, redrawn; text without a newline, "" ends the line */
    DH_LOG_INFO = 4,
    DH_LOG_DEBUG = 5
} dh_log_level;

/* May be called from several threads at once; text is one line without a newline. */
typedef void (*dh_log_fn)(dh_log_level level, const char *text, void *payload);

/* Sets the callback; NULL restores the default. payload is borrowed. */
DH_API void dh_set_log(dh_log_fn fn, void *payload);

/* Messages above this level are dropped before they are formatted. Default DH_LOG_INFO. */
DH_API void dh_set_log_level(dh_log_level level);
DH_API dh_log_level dh_get_log_level(void);

#ifdef __cplusplus
}
#endif
#endif
