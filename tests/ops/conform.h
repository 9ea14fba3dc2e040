/* SPDX-License-Identifier: MIT */
/* What the files of the conformance driver share. conform.c has main and the options; a mode takes
 * a subject (one case at one dtype) and reports through conform_ok and conform_fail. */
#ifndef DH_TEST_CONFORM_H
#define DH_TEST_CONFORM_H

#include "case.h"
#include "on_device.h"
#include "part.h"
#include "ref.h"
#include "tensor_impl.h"

typedef struct family {
    const char *name;
    const op_case *cases;
    const ref_entry *refs;
} family;

/* How an operand lies in memory. */
typedef enum layout {
    PACKED,        /* row-major, aligned to 64 bytes */
    REVERSED,      /* axes in the opposite order: a transposed view */
    STEP_2,        /* every second element of the last axis, rows of a wider buffer */
    NEGATIVE,      /* every axis runs backwards */
    OFFSET,        /* row-major, one element past an aligned address */
    BROADCAST,     /* stride 0 along axes of length 1, the others packed */
    REPEATED,      /* stride 0 along axis 0: its rows are one and the same */
    CHANNELS_LAST, /* [N, C, ...] with axis 1 innermost; of fewer axes packed */
    LAYOUT_COUNT
} layout;

/* An operand between two rows of so many sentinel bytes. */
#define OPERAND_GUARD 128

typedef struct operand {
    dh_view view;
    unsigned char *block, *before; /* now, and as it was when it was placed */
    size_t size;                   /* of the block; 0: the operand lies in another one's */
} operand;

#define MAX_OPERANDS CASE_MAX_IN

typedef struct subject {
    const op_case *c;
    const dh_op *op;
    const ref_entry *ref;
    int id, number;          /* dh_op_id; number of the case among those of its op */
    dh_dtype dtype;          /* as --dtype names it */
    const char *mode;        /* as --mode names it */
    const void *attr;        /* of the case or own_attr */
    void *own_attr;          /* defaults */
    int in_count, out_count; /* outputs that are there: an optional input may bring one */
    dh_dtype in_dtype[MAX_OPERANDS];
    ref_tensor in[MAX_OPERANDS], want[MAX_OPERANDS];
    dh_view out[MAX_OPERANDS]; /* as infer gave them */
    double loose;              /* factor on the tolerance */
} subject;

extern const dh_step conform_step;
#define CONFORM_STREAM 77

/* --- conform.c --- */
void conform_fail(const subject *s, const char *format, ...) DH_PRINTF(2, 3);
/* Counts a check; a false one needs its conform_fail by the caller. Returns cond. */
bool conform_check(bool cond);
extern bool conform_quiet;              /* failures are counted, not printed */
extern char conform_first_failure[560]; /* since it was cleared */
extern int64_t conform_checks, conform_failures;
/* On a device that is not the CPU: calls that one of its implementations took, or none. */
extern int64_t conform_taken[DH_OP_COUNT], conform_refused[DH_OP_COUNT];
/* Runs the selected cases of one op through "ref" or "grad". */
void conform_run_op(const char *op, const char *mode);

/* --- conform_fill.c --- */
double round_to(dh_dtype dtype, double value); /* the nearest value of the dtype; wraps integers */
void fill_input(ref_tensor *out, const op_case *c, int number, int input, dh_dtype dtype);
/* Uniform in [-1, 1], not near 0, exact in f32. */
void fill_cotangent(double *out, int64_t count, const char *op, int number, int output);
/* A reproducible index in [0, bound). */
int64_t fill_pick(uint64_t seed, int64_t bound);

/* --- conform_place.c --- */
void operand_place(operand *o, dh_dtype dtype, int ndim, const int64_t *shape, layout how,
                   const double *values); /* NULL: sentinel bytes */
void operand_free(operand *o);
/* NULL, or what is wrong: bytes that do not belong to elements changed, or any byte. */
const char *operand_damage(const operand *o, bool elements_may_change);
int64_t view_offset(const dh_view *v, int64_t k); /* of the k-th element in row-major order */
double view_get(const dh_view *v, int64_t k);
/* The elements one after the other, without a division each. */
typedef struct walk {
    const dh_view *view;
    int64_t index[DH_MAX_NDIM], bytes;
    unsigned char *at;
} walk;
walk walk_begin(const dh_view *v);
void walk_next(walk *w);
/* Compares an output of the implementation (NULL: of whichever was chosen) with the reference and
 * reports the worst element. */
bool compare_output(const subject *s, int output, const dh_view *got, const dh_impl *impl,
                    const char *how);
extern const char *const layout_names[LAYOUT_COUNT];

/* --- conform_run.c --- */
/* Fills inputs (rounded to `rounded` where it is not 0), infers and runs the reference. False after
 * a reported failure; subject_end is due in any case. */
bool subject_begin(subject *s, const family *f, const op_case *c, int number, dh_dtype dtype,
                   const char *mode, dh_dtype float_dtype, dh_dtype rounded);
void subject_end(subject *s);
void subject_reference(subject *s);                /* again, after inputs were changed */
int subject_updated(const subject *s, int output); /* the input it is, or -1 */
const dh_impl *const *subject_impls(const subject *s);
dh_call subject_call(const subject *s, const dh_view *in, dh_view *out);
void view_packed(dh_view *v, dh_dtype dtype, int ndim, const int64_t *shape); /* without data */
const char *impl_refusal(const dh_impl *impl, const dh_call *call);
/* "impl "direct", what" into buffer; returns buffer. */
const char *impl_named(char *buffer, size_t size, const dh_impl *impl, const char *what);
void layouts_set(layout *in, layout how); /* of all */
/* Of input 0 and of what is as large as output 0. */
void layouts_channels_last(const subject *s, layout *in);
/* A call with all its memory. */
typedef struct frame {
    operand in[MAX_OPERANDS], out[MAX_OPERANDS];
    dh_view in_view[MAX_OPERANDS], out_view[MAX_OPERANDS];
    dh_call call;
    int64_t band; /* rows of the result that are made at a time, image by image; 0: all */
} frame;
/* Of inputs that are only `like` the values are withheld. in_place: the input whose memory output 0
 * takes, or -1. */
void frame_begin(frame *f, const subject *s, const layout *in, layout out, int in_place);
void frame_end(frame *f);
/* Runs an implementation with exactly the scratch it asked for, between sentinels. False after a
 * reported failure. */
bool frame_run(frame *f, const subject *s, const dh_impl *impl, int in_place, const char *how);
void mode_ref(subject *s);
void mode_views(subject *s);

/* --- conform_bits.c --- */
void mode_inplace(subject *s);
void mode_bits(subject *s);

/* --- conform_grad.c --- */
bool grad_applies(const op_case *c, const dh_op *op);
void mode_grad(const family *f, const op_case *c, int number);

/* --- conform_attr.c --- */
void mode_attr(const family *f, const op_case *c); /* the first case of an op */
void mode_alloc(const family *f, const op_case *c);

/* --- conform_mutant.c --- */
void mutant_apply(const dh_call *call); /* after a kernel ran: changes its result if one is set */
void mutants_run(void);

#endif
