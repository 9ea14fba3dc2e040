/* SPDX-License-Identifier: MIT */
/* Status codes and the text of the last error. Every function that can fail returns a dh_status
 * (0 or negative) or a pointer that is NULL on failure; the reason, one line, is kept per thread.
 */
#ifndef DEEPHEALTH_STATUS_H
#define DEEPHEALTH_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define DH_API
#elif defined(__GNUC__)
#define DH_API __attribute__((visibility("default")))
#else
#define DH_API
#endif

#if defined(__GNUC__)
#define DH_NODISCARD          __attribute__((warn_unused_result))
#define DH_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define DH_NODISCARD
#define DH_PRINTF(fmt, first)
#endif

/* In argument structs 0 means the default. This is the number 0 itself, for members of type float
 * and double whose default is another: dh_sgd(DH_ZERO), .beta1 = DH_ZERO. It is the negative zero.
 */
#define DH_ZERO (-0.0f)

#ifdef __cplusplus
extern "C" {
#endif

/* Numbered with gaps; a number, once given, keeps its meaning. */
typedef enum dh_status {
    DH_OK = 0,
    DH_EINVAL = -1,        /* an argument is out of its range, NULL, or contradicts another */
    DH_ESHAPE = -2,        /* shapes do not fit each other */
    DH_EDTYPE = -3,        /* a dtype that this function does not take */
    DH_ENAME = -4,         /* an unknown name; the text offers the near ones */
    DH_ENOMEM = -10,       /* an allocation failed */
    DH_EOVERFLOW = -11,    /* a size does not fit its type */
    DH_EIO = -20,          /* the operating system refused to read or write */
    DH_EFORMAT = -21,      /* a file is not what it says it is */
    DH_ENOTFOUND = -22,    /* a file, an entry, a layer is not there */
    DH_EDEVICE = -30,      /* a device failed */
    DH_EUNSUPPORTED = -31, /* not offered: by this device, this build, this file version */
    DH_EMISSING = -32,     /* an optional library is not installed; the text names its package */
    DH_ENUMERIC = -40,     /* NaN, infinity, a singular matrix */
    DH_ECANCELLED = -50,   /* a callback asked to stop */
    DH_ESTATE = -51,       /* a call out of order, such as fit before build */
    DH_EINTERNAL = -99     /* a defect of the library */
} dh_status;

/* The short name of a status, "DH_ESHAPE"; borrowed, static. */
DH_API const char *dh_status_name(dh_status status);

/* Text and status of the last failure on this thread; "" and DH_OK if there was none. The text is
 * borrowed and lives until the next failure on this thread. */
DH_API const char *dh_error_text(void);
DH_API dh_status dh_error_status(void);

/* Forgets the last failure of this thread. */
DH_API void dh_error_clear(void);

/* Logs "what: text of the last error" at level error; returns 1, so that main can `return
 * dh_perror("fit");`. what may be NULL. */
DH_API int dh_perror(const char *what);

#ifdef __cplusplus
}
#endif
#endif
