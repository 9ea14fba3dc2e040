/* SPDX-License-Identifier: MIT */
/* For those who extend the library: what an op is, what a device's implementation of it is, and
 * what a gradient rule may say. An op means something (shapes, gradient); an implementation
 * computes. */
#ifndef DEEPHEALTH_SYS_OP_H
#define DEEPHEALTH_SYS_OP_H

#include <deephealth/dtype.h>
#include <deephealth/sys/error.h>
#include <deephealth/sys/field.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A tensor as an op sees it. At plan time data is NULL. Strides are in elements; an axis of stride
 * 0 repeats. */
typedef struct dh_view {
    dh_dtype dtype;
    int ndim;
    int64_t shape[DH_MAX_NDIM];
    int64_t stride[DH_MAX_NDIM];
    void *data;
} dh_view;

/* What changes from step to step, and is read by kernels when they run. */
typedef struct dh_step {
    uint64_t seed;     /* of the run's randomness */
    uint64_t position; /* training steps done since the seed was set: p. Random ops draw element i
                          of the batch at position (p mod 2^24) * 2^40 + i of the stream with number
                          stream + p / 2^24, so that no two steps share a word */
    int64_t row;       /* of the batch, that comes first: where a part of it is computed */
    int64_t update;    /* optimiser updates so far, this one included: 1 for the first */
    float learning_rate;
} dh_step;

struct dh_op;
struct dh_device;

/* One application of an op. infer fills dtype, ndim and shape of out; everything else is filled by
 * the caller. */
typedef struct dh_call {
    const struct dh_op *op;
    const void *attr; /* the op's attribute struct; NULL if it has none */
    int in_count, out_count;
    const dh_view *in;
    dh_view *out;
    void *scratch;      /* 64-byte aligned, as many bytes as the implementation's scratch() said */
    void *staging;      /* memory of the host; only where the CPU runs a call of another device */
    const void *packed; /* what the implementation's pack() made; NULL: not kept */
    const dh_step *step;
    struct dh_device *device; /* that runs it, and whose memory data and scratch are */
    uint64_t stream;          /* of random ops */
    bool exact_ties; /* equal inputs must give equal outputs, wherever they stand: on the way to an
                        op that selects, whose gradient would go to another of equals */
} dh_call;

/* --- gradient rules --- */

/* A value in the graph under construction. */
typedef int32_t dh_value;
#define DH_NO_VALUE (-1)

/* Where a gradient rule emits ops. The first failure sticks in status; later calls do nothing. */
typedef struct dh_emitter {
    dh_status status;
    uint64_t stream; /* given to random ops that are emitted: the forward op's own */
    dh_status (*emit)(struct dh_emitter *to, int op, const void *attr, int in_count,
                      const dh_value *in, dh_value *out);
    const dh_view *(*describe)(const struct dh_emitter *to, dh_value value);
} dh_emitter;

/* The gradient of one application: from dy (one per output, DH_NO_VALUE where nothing flows) make
 * dx for every input with need[i]; dx[i] stays DH_NO_VALUE where the gradient is zero. */
typedef struct dh_grad {
    const dh_call *call; /* descriptors and attributes of the forward application; no data */
    const dh_value *in, *out, *dy;
    const bool *need;
    dh_value *dx;
    dh_emitter *to;
} dh_grad;

/* Emit an op with one output and return it; DH_NO_VALUE after a failure. attr is copied. */
DH_API dh_value dh_emit1(dh_emitter *to, int op, const void *attr, dh_value a);
DH_API dh_value dh_emit2(dh_emitter *to, int op, const void *attr, dh_value a, dh_value b);
DH_API dh_value dh_emit3(dh_emitter *to, int op, const void *attr, dh_value a, dh_value b,
                         dh_value c);
/* Any number of inputs and outputs. DH_EINVAL for a number that is no op, and for NULL. */
DH_API dh_status dh_emit(dh_emitter *to, int op, const void *attr, int in_count, const dh_value *in,
                         dh_value *out);

/* --- the meaning of an op --- */

#define DH_MASK(dtype)   (1u << (dtype))
#define DH_MASK_FLOAT    (DH_MASK(DH_F32) | DH_MASK(DH_F64) | DH_MASK(DH_F16) | DH_MASK(DH_BF16))
#define DH_MASK_SIGNED   (DH_MASK(DH_I8) | DH_MASK(DH_I16) | DH_MASK(DH_I32) | DH_MASK(DH_I64))
#define DH_MASK_UNSIGNED (DH_MASK(DH_U8) | DH_MASK(DH_U16) | DH_MASK(DH_U32) | DH_MASK(DH_U64))
#define DH_MASK_INTEGER  (DH_MASK_SIGNED | DH_MASK_UNSIGNED)
#define DH_MASK_NUMBER   (DH_MASK_FLOAT | DH_MASK_INTEGER)
#define DH_MASK_ANY      (DH_MASK_NUMBER | DH_MASK(DH_BOOL))
#define DH_MASK_INDEX    (DH_MASK(DH_I32) | DH_MASK(DH_I64))

#define DH_OP_MAX_OUT 4

typedef enum dh_op_flag {
    DH_OP_SAME_DTYPE = 1, /* all inputs have one dtype; the eager API promotes them first */
    DH_OP_CHEAP = 2,      /* worth computing again in backward rather than keeping (mid_mem) */
    DH_OP_RANDOM = 4,     /* reads step and stream */
    DH_OP_SELECTS = 8,    /* picks elements by comparing them, or tells which: of equals, one */
    DH_OP_MEETS = 16      /* its result is made one with that of the replicas that share the batch */
} dh_op_flag;

typedef struct dh_op {
    const char *name;
    const char *onnx;   /* ONNX operator, NULL if the mapping is not one to one */
    int in_min, in_max; /* in_max -1: any number */
    int out_count;      /* 1 when 0 */
    uint32_t dtypes;    /* DH_MASK of input 0 (and of all inputs with DH_OP_SAME_DTYPE) */
    uint32_t flags;     /* dh_op_flag */
    uint32_t like;    /* bit i: of input i only dtype and shape are read, so it need not be alive */
    uint32_t inplace; /* bit i: output 0 may take the memory of input i when shape and dtype agree:
                         each element is read before or when it is written */
    int8_t updates[DH_OP_MAX_OUT]; /* 1 + i: output j *is* input i, updated; 0: a new tensor */
    size_t attr_size;
    const dh_field *fields; /* of the attribute struct; NULL without attributes */

    /* Checks the inputs and gives the outputs' dtype and shape: the only place that checks shapes.
     * in_count, the dtype mask and the attributes' ranges were checked before. */
    dh_status (*infer)(dh_call *call);

    /* Optional: where out[0] can be a view on in[0], sets out[0].stride and the offset of its first
     * element from that of in[0], and returns true; false where only a copy by the kernel does. */
    bool (*view)(const dh_call *call, int64_t *offset);

    dh_status (*backward)(dh_grad *g); /* NULL with no_grad saying why */
    const char *no_grad;

    double (*flops)(const dh_call *call); /* NULL: one per output element */

    /* How many inputs behind the first an implementation may pack (dh_impl.packed); NULL: all. */
    int (*parameters)(const dh_call *call);

    /* "x|index|src": what messages call the inputs; NULL: x, or a and b. */
    const char *in_names;
} dh_op;

/* --- an implementation on a device --- */

typedef struct dh_impl {
    const char *name;
    /* Why this call cannot be taken, NULL if it can; asked with data NULL. NULL: takes everything.
     */
    const char *(*refuse)(const dh_call *call);
    /* Bytes of scratch; NULL: none. Must not grow when an axis shrinks. */
    size_t (*scratch)(const dh_call *call);
    /* What is made of the inputs behind the first (the op's parameters), weights and states, and
     * may be kept while they stay as they are: bytes, by shapes and attributes only, and the
     * making. run() makes it itself, in scratch, where call->packed is NULL, and does not read
     * input 1 where it is there. Both NULL: nothing. */
    size_t (*packed)(const dh_call *call);
    void (*pack)(const dh_call *call, void *out);
    /* A call that it takes with images whose channels are last in memory, inputs or result, is no
     * slower for that: then a plan that only predicts may lay them so. */
    bool channels_last;
    /* Each row of the result (a position of axis 2) has the same bits, whatever rows of whatever
     * images are made with it: then a plan may make them band by band, if the op is conv, max_pool
     * or avg_pool. */
    bool by_rows;
    /* Computes. Neither allocates nor checks shapes; fails only for what data alone can tell. */
    dh_status (*run)(const dh_call *call);
} dh_impl;

#ifdef __cplusplus
}
#endif
#endif
