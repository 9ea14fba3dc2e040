/* SPDX-License-Identifier: MIT */
/* Field tables: a struct of attributes or arguments described once. From a table come defaults,
 * range checks and their messages, reading by name from text, printing, ONNX attributes, YAML keys.
 */
#ifndef DEEPHEALTH_SYS_FIELD_H
#define DEEPHEALTH_SYS_FIELD_H

#include <deephealth/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DH_MAX_NDIM 8

/* A short list of integers: axes, a shape, pads. */
typedef struct dh_ints {
    int count;
    int64_t v[2 * DH_MAX_NDIM];
} dh_ints;

typedef enum dh_field_kind {
    DH_FIELD_BOOL = 1,
    DH_FIELD_INT,    /* int */
    DH_FIELD_INT64,  /* int64_t */
    DH_FIELD_FLOAT,  /* float */
    DH_FIELD_DOUBLE, /* double */
    DH_FIELD_STRING, /* const char *, borrowed */
    DH_FIELD_INTS,   /* dh_ints */
    DH_FIELD_CHOICE, /* int: the index of a name in choices */
    DH_FIELD_OPAQUE, /* anything else: never read, printed or checked */
    /* int[n], int64_t[n] of up to 2 DH_MAX_NDIM: a list that ends with its last number but 0 */
    DH_FIELD_INT_ARRAY,
    DH_FIELD_INT64_ARRAY
} dh_field_kind;

typedef struct dh_field {
    const char *name;
    const char *onnx; /* ONNX attribute name, NULL if there is none */
    dh_field_kind kind;
    size_t offset, size;
    double dflt, min, max; /* numbers; for lists the range of each element. dflt outside
                              [min, max] means that the field is required */
    const char *choices;   /* "same|valid" for choices, and optionally for strings */
    const char *help;      /* what it means, its unit */
} dh_field;

#ifndef __cplusplus
#define DH_KIND_OF(x) \
    _Generic((x),                                                                                  \
        bool: DH_FIELD_BOOL,                                                                       \
        int: DH_FIELD_INT,                                                                         \
        int64_t: DH_FIELD_INT64,                                                                   \
        float: DH_FIELD_FLOAT,                                                                     \
        double: DH_FIELD_DOUBLE,                                                                   \
        const char *: DH_FIELD_STRING,                                                             \
        dh_ints: DH_FIELD_INTS,                                                                    \
        default: DH_FIELD_OPAQUE)

/* One row of a table for struct type T and member f; a table ends with {0}. */
#define DH_FIELD(T, f, onnx_, dflt_, min_, max_, help_)                                         \
    {                                                                                           \
        .name = #f, .onnx = (onnx_), .kind = DH_KIND_OF(((T *)0)->f), .offset = offsetof(T, f), \
        .size = sizeof(((T *)0)->f), .dflt = (dflt_), .min = (min_), .max = (max_),             \
        .choices = NULL, .help = (help_)                                                        \
    }

/* An int member that holds the index of a name in "first|second|third"; index 0 is the default. */
#define DH_FIELD_NAMED(T, f, onnx_, choices_, help_)                                         \
    {                                                                                        \
        .name = #f, .onnx = (onnx_), .kind = DH_FIELD_CHOICE, .offset = offsetof(T, f),      \
        .size = sizeof(((T *)0)->f), .dflt = 0, .min = 0, .max = 1e9, .choices = (choices_), \
        .help = (help_)                                                                      \
    }

/* A member int[n] or int64_t[n] as a list: it ends with its last number but 0. */
#define DH_FIELD_ARRAY(T, f, onnx_, min_, max_, help_)                                             \
    {                                                                                              \
        .name = #f, .onnx = (onnx_),                                                             \
        .kind = _Generic(((T *)0)->f, int *: DH_FIELD_INT_ARRAY, default: DH_FIELD_INT64_ARRAY), \
        .offset = offsetof(T, f), .size = sizeof(((T *)0)->f), .dflt = 0, .min = (min_),         \
        .max = (max_), .choices = NULL, .help = (help_) \
    }
#endif

/* Looks a row up by name; NULL if there is none. */
DH_API const dh_field *dh_field_find(const dh_field *table, const char *name);

/* Whether the row has no default, so that a value must be given. */
DH_API bool dh_field_required(const dh_field *field);

/* Sets every member of data (of the table's struct type) to its default. Required ones become 0. */
DH_API void dh_field_defaults(const dh_field *table, void *data);

/* Replaces each member that is zero by its default: the rule of public argument structs. DH_ZERO
 * stays. */
DH_API void dh_field_fill(const dh_field *table, void *data);

/* Checks every member against its range or choices; who begins the message. NaN is refused. */
DH_API dh_status dh_field_check(const dh_field *table, const void *data, const char *who);

/* Sets one member from text ("0.5", "true", "same", "1,2,3" or "[1, 2]"), in any locale the same.
 * A string member borrows value. Unknown names get the near ones suggested. */
DH_API dh_status dh_field_set(const dh_field *table, void *data, const char *name,
                              const char *value, const char *who);

/* Writes "name=value, ..." of all members that differ from their default into buffer, always ended
 * by '\0'; returns the length it would have needed. */
DH_API size_t dh_field_print(const dh_field *table, const void *data, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif
#endif
