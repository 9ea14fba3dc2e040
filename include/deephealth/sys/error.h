/* SPDX-License-Identifier: MIT */
/* For those who extend the library: how a failure is reported. The text is written where the error
 * is born, names function, argument and both values, and is not overwritten on the way up. */
#ifndef DEEPHEALTH_SYS_ERROR_H
#define DEEPHEALTH_SYS_ERROR_H

#include <deephealth/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Records the text and returns status. A status of DH_OK is recorded as DH_EINTERNAL. */
DH_API dh_status dh_fail(dh_status status, const char *format, ...) DH_PRINTF(2, 3);

/* Puts "prefix: " in front of the last error's text, once, to say where in a model it arose. */
DH_API void dh_error_prefix(const char *format, ...) DH_PRINTF(1, 2);

#define DH_TRY(expr)                                      \
    do {                                                  \
        dh_status dh_try_status = (expr);                 \
        if (dh_try_status != DH_OK) return dh_try_status; \
    } while (0)

#define DH_REQUIRE(cond, status, ...)                       \
    do {                                                    \
        if (!(cond)) return dh_fail((status), __VA_ARGS__); \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
