/* SPDX-License-Identifier: MIT */
/* What the files of base share with each other and with nobody else. */
#ifndef DH_BASE_IMPL_H
#define DH_BASE_IMPL_H

#include <signal.h>
#include <stdarg.h>

#include "base.h"

/* dh__format with its arguments as a list. */
int dh__vformat(char *buffer, size_t size, const char *format, va_list args) DH_PRINTF(3, 0);

/* Adds to a text what the list says. */
void dh__text_vadd(dh__text *text, const char *format, va_list args) DH_PRINTF(2, 0);

/* Text of an errno value, in English whatever the locale; borrowed, of this thread. */
const char *dh__errno_text(int number);

/* No SIGPIPE reaches this thread between the two; see sigpipe.c. */
typedef struct dh__sigpipe {
    bool active;
    sigset_t before;
} dh__sigpipe;
void dh__sigpipe_hold(dh__sigpipe *held);
void dh__sigpipe_release(const dh__sigpipe *held);

/* Processors' worth of time that the cgroups of this process grant, rounded up; 0: no limit. */
int dh__cpu_quota(void);

#endif
