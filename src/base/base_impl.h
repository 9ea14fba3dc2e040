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

/* A member of whatever kind of a field table, at offset 0. */
typedef union dh__field_value {
    uint8_t boolean; /* not bool: a byte of the caller's may hold anything */
    int i;
    int64_t i64;
    float f;
    double d;
    const char *s;
    dh_ints ints;
    int array[2 * DH_MAX_NDIM];
    int64_t array64[2 * DH_MAX_NDIM];
} dh__field_value;

/* False for what is opaque. */
bool dh__field_load(dh__field_value *out, const dh_field *field, const void *data);
/* An array as a list, up to its last number but 0; and back. False where it does not fit. */
dh_ints dh__field_list(const dh_field *field, const dh__field_value *value);
bool dh__field_array(dh__field_value *out, const dh_field *field, const dh_ints *list);

/* Processors' worth of time that the cgroups of this process grant, rounded up; 0: no limit. */
int dh__cpu_quota(void);

#endif
