/* SPDX-License-Identifier: MIT */
/* Tensors: dtype, shape, strides on reference-counted storage. Reshape, slice, permute give views
 * that share the storage. What comes through `dh_tensor **out` is yours to free; on failure *out is
 * left as it was. A tensor belongs to one thread at a time; storage may be shared between threads
 * that only read.
 *
 * Errors of every function: DH_EINVAL for NULL (where it is not said to be fine) and for an axis or
 * a number outside its range, DH_ESHAPE for a shape, a rank or a length that does not fit,
 * DH_EDTYPE for a dtype that is not taken, DH_EOVERFLOW for a size that no memory has, DH_ENOMEM.
 * Where nothing is said of dtypes, all are taken and the result has that of x. */
#ifndef DEEPHEALTH_TENSOR_H
#define DEEPHEALTH_TENSOR_H

#include <deephealth/dtype.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Largest rank of a tensor. */
#ifndef DH_MAX_NDIM
#define DH_MAX_NDIM 8
#endif

/* In the shape of an argument struct 0 ends the list; an axis of no elements is written so. */
#define DH_EMPTY_AXIS INT64_MIN

typedef struct dh_tensor dh_tensor;

/* How to create a tensor. */
typedef struct dh_tensor_args {
    size_t struct_size;         /* sizeof(dh_tensor_args); the macros set it */
    int64_t shape[DH_MAX_NDIM]; /* ended by 0; {0} is a scalar of rank 0 */
    dh_dtype dtype;             /* default f32 */
    const char *device;         /* default "cpu" */
} dh_tensor_args;

/* How to draw a random tensor. The same seed and stream give the same numbers on every device and
 * with any number of threads. */
typedef struct dh_random_args {
    size_t struct_size;
    int64_t shape[DH_MAX_NDIM];
    dh_dtype dtype;     /* default f32 */
    const char *device; /* default "cpu" */
    /* uniform: low, high (0, 1 when both are 0); normal: mean, standard deviation (default 1);
     * bernoulli: a is P(1), default 0.5. DH_ZERO is 0 */
    double a, b;
    uint64_t seed, stream;
} dh_random_args;

/* --- creation --- */

/* Uninitialised, on the CPU; the explicit form of all the others: ndim in 0..8, every axis >= 0;
 * shape may be NULL when ndim is 0; dtype 0 is f32. */
DH_API DH_NODISCARD dh_status dh_tensor_new(dh_tensor **out, dh_dtype dtype, int ndim,
                                            const int64_t *shape);
/* Uninitialised, zeros, ones, every element = value (rounded to the dtype as a cast does). A length
 * behind the 0 that ends the shape is DH_ESHAPE, an unknown device DH_ENAME. */
DH_API DH_NODISCARD dh_status dh_tensor_empty(dh_tensor **out, const dh_tensor_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_zeros(dh_tensor **out, const dh_tensor_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_ones(dh_tensor **out, const dh_tensor_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_full(dh_tensor **out, double value,
                                             const dh_tensor_args *args);
/* [rows, columns] with ones on diagonal k (0 the main one, positive above it, any k), 0 elsewhere.
 * rows, columns >= 0; dtype 0 is f32. */
DH_API DH_NODISCARD dh_status dh_tensor_eye(dh_tensor **out, int64_t rows, int64_t columns,
                                            int64_t k, dh_dtype dtype);
/* start, start + step, ... up to but without stop: [n], n = ceil((stop - start) / step), 0 where
 * that is negative; of an integer dtype with whole start and step exact, else computed in f64 (53
 * bits) and rounded as a cast. All finite, step not 0: else DH_EINVAL. dtype 0 is f32. */
DH_API DH_NODISCARD dh_status dh_tensor_arange(dh_tensor **out, double start, double stop,
                                               double step, dh_dtype dtype);
/* [count] evenly spaced numbers from start to stop, both included, rounded as a cast. Both finite,
 * count >= 0: else DH_EINVAL. dtype 0 is f32. */
DH_API DH_NODISCARD dh_status dh_tensor_linspace(dh_tensor **out, double start, double stop,
                                                 int64_t count, dh_dtype dtype);
/* Elements of args->shape, computed in f64 and rounded to the dtype as a cast does. uniform: in [a,
 * b), floats a + (b - a) u rounded so that [a, b) is not left (where a is b: a, rounded), u of 53
 * bits for f64 and of 24 for the narrower ones; integers each equally likely from floor(a) up to,
 * without, b, as far as the dtype reaches. normal: a + b z, z of two u of 24 bits. bernoulli: 1
 * where u < a, else 0. DH_EINVAL where a, b are not finite, a > b, the dtype does not hold them or
 * no number of a floating one lies in [a, b) (uniform), b < 0 (normal) or a is outside [0, 1]
 * (bernoulli); DH_ENAME for an unknown device. */
DH_API DH_NODISCARD dh_status dh_tensor_random_uniform(dh_tensor **out, const dh_random_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_random_normal(dh_tensor **out, const dh_random_args *args);
DH_API DH_NODISCARD dh_status dh_tensor_random_bernoulli(dh_tensor **out,
                                                         const dh_random_args *args);
/* A permutation of 0 .. count - 1: [count] i64, on the CPU; count >= 0. */
DH_API DH_NODISCARD dh_status dh_tensor_random_permutation(dh_tensor **out, int64_t count,
                                                           uint64_t seed, uint64_t stream);
/* A contiguous tensor on the caller's memory, which must outlive it; release(data, payload) is
 * called once, when the last view is freed; NULL: nothing is called. If this fails release is not
 * called. data is aligned to its dtype (else DH_EINVAL); dtype 0 is DH_EDTYPE, here and below. */
DH_API DH_NODISCARD dh_status dh_tensor_from_memory(dh_tensor **out, void *data, dh_dtype dtype,
                                                    int ndim, const int64_t *shape,
                                                    void (*release)(void *data, void *payload),
                                                    void *payload);
/* A tensor of its own with a copy of data (contiguous, row-major). */
DH_API DH_NODISCARD dh_status dh_tensor_from_data(dh_tensor **out, const void *data, dh_dtype dtype,
                                                  int ndim, const int64_t *shape);

/* NULL is fine. The storage goes with the last tensor that uses it. */
DH_API void dh_tensor_free(dh_tensor *tensor);

/* --- what it is ---
 * NULL gives 0, DH_DTYPE_DEFAULT or NULL. */

DH_API dh_dtype dh_tensor_dtype(const dh_tensor *tensor); /* of its elements */
DH_API int dh_tensor_ndim(const dh_tensor *tensor);       /* axes: 0, a scalar, to 8 */
/* Length of an axis, negative axes count from the end; -1 if there is no such axis. */
DH_API int64_t dh_tensor_dim(const dh_tensor *tensor, int axis);
DH_API const int64_t *dh_tensor_shape(const dh_tensor *tensor);   /* ndim numbers; borrowed */
DH_API const int64_t *dh_tensor_strides(const dh_tensor *tensor); /* in elements; borrowed */
DH_API int64_t dh_tensor_count(const dh_tensor *tensor);          /* elements */
DH_API const char *dh_tensor_device(const dh_tensor *tensor);     /* "cpu"; borrowed */
DH_API bool dh_tensor_is_contiguous(const dh_tensor *tensor);
/* First element in host memory, NULL on other devices; borrowed. */
DH_API void *dh_tensor_data(const dh_tensor *tensor);
/* "[8, 3, 32, 32] f32" ("NULL" for NULL) into buffer, cut to size, always ended by '\0'; returns
 * buffer, "" where there is none. */
DH_API const char *dh_tensor_describe(const dh_tensor *tensor, char *buffer, size_t size);
/* One element as f64 (64-bit integers are rounded). index has ndim numbers, negative ones count
 * from the end; NULL for a scalar. DH_EINVAL outside. On another device than the CPU it waits for
 * what is queued there: for more than some elements, dh_tensor_to_device or dh_tensor_assign. */
DH_API DH_NODISCARD dh_status dh_tensor_get(double *out, const dh_tensor *tensor,
                                            const int64_t *index);
/* The same element := value, cast to the tensor's dtype; the same errors. */
DH_API DH_NODISCARD dh_status dh_tensor_set(dh_tensor *tensor, const int64_t *index, double value);

/* --- views and copies --- */

/* Another tensor on the same elements; each of the two is freed on its own. */
DH_API DH_NODISCARD dh_status dh_tensor_view(dh_tensor **out, const dh_tensor *x);
/* A contiguous copy with storage of its own, on the device of x. */
DH_API DH_NODISCARD dh_status dh_tensor_copy(dh_tensor **out, const dh_tensor *x);
/* A view where x is contiguous, else a copy. */
DH_API DH_NODISCARD dh_status dh_tensor_contiguous(dh_tensor **out, const dh_tensor *x);
/* Writes x, broadcast to dst's shape (else DH_ESHAPE) and cast to its dtype, into dst; overlap is
 * allowed, and they may be on two devices. */
DH_API DH_NODISCARD dh_status dh_tensor_assign(dh_tensor *dst, const dh_tensor *x);
/* Every element of dst = value, rounded as a cast. */
DH_API DH_NODISCARD dh_status dh_tensor_fill(dh_tensor *dst, double value);
/* Another dtype: float to integer truncates towards zero and saturates, NaN gives 0; to bool is x
 * != 0; integer to narrower integer wraps; floats round to nearest even. Same dtype: a copy. A
 * dtype that is none, 0 too, is DH_EDTYPE. */
DH_API DH_NODISCARD dh_status dh_tensor_cast(dh_tensor **out, const dh_tensor *x, dh_dtype dtype);
/* A contiguous copy on a device ("cpu"; NULL is the CPU), yours to free; DH_ENAME for an unknown
 * device. */
DH_API DH_NODISCARD dh_status dh_tensor_to_device(dh_tensor **out, const dh_tensor *x,
                                                  const char *device);
/* Same elements in row-major order, other shape; one axis may be -1 and is found. 0 is a length.
 * A view where strides allow, else a copy. DH_ESHAPE where the counts differ or two axes are -1,
 * DH_EINVAL for an axis below -1. */
DH_API DH_NODISCARD dh_status dh_tensor_reshape(dh_tensor **out, const dh_tensor *x, int ndim,
                                                const int64_t *shape);
/* View with axes reordered: out axis i is x axis axes[i] (ndim numbers, negative ones count from
 * the end, each axis once: else DH_EINVAL). NULL reverses all axes. */
DH_API DH_NODISCARD dh_status dh_tensor_permute(dh_tensor **out, const dh_tensor *x,
                                                const int *axes);
/* View with two axes exchanged; negative axes count from the end; DH_EINVAL outside. */
DH_API DH_NODISCARD dh_status dh_tensor_transpose(dh_tensor **out, const dh_tensor *x, int axis0,
                                                  int axis1);
#define DH_ALL_AXES INT32_MIN
/* View without the axes of length 1 (axis = DH_ALL_AXES) or without one such axis, which counts
 * from the end where it is negative; DH_ESHAPE where it has another length, DH_EINVAL where there
 * is no such axis. */
DH_API DH_NODISCARD dh_status dh_tensor_squeeze(dh_tensor **out, const dh_tensor *x, int axis);
/* View with an axis of length 1 inserted before axis, which is in [-ndim - 1, ndim]. DH_ESHAPE
 * where x has 8 axes already. */
DH_API DH_NODISCARD dh_status dh_tensor_unsqueeze(dh_tensor **out, const dh_tensor *x, int axis);
/* View by Python's rules: "1:3,:,-1", "::2", "...,0"; an integer drops its axis, missing axes mean
 * ":". Steps are positive or negative. Write through dh_tensor_assign on the view. DH_EINVAL for
 * text that is no slice and for an index outside its axis, DH_ESHAPE for more parts than axes. */
DH_API DH_NODISCARD dh_status dh_tensor_slice(dh_tensor **out, const dh_tensor *x,
                                              const char *slices);
/* View of ndim axes repeated along axes of length 1 or new leading axes (stride 0); only to be
 * read. DH_ESHAPE where another axis differs or ndim is below that of x. */
DH_API DH_NODISCARD dh_status dh_tensor_broadcast(dh_tensor **out, const dh_tensor *x, int ndim,
                                                  const int64_t *shape);

/* --- text --- */

/* Writes values, nested in brackets, long axes abbreviated, into buffer (cut to size, always ended
 * by '\0'; NULL: nothing); returns the length it would have needed. A tensor that is not in host
 * memory is described instead; NULL gives "NULL". */
DH_API size_t dh_tensor_print(const dh_tensor *tensor, char *buffer, size_t size);

/* --- macros: Keras-like calls in C ---
 * dh_tensor_zeros(&t, {2, 3}, .dtype = DH_F64) */
#ifndef __cplusplus
#define dh_tensor_empty(out, ...) \
    dh_tensor_empty(              \
        out, &(dh_tensor_args){.struct_size = sizeof(dh_tensor_args), .shape = __VA_ARGS__})
#define dh_tensor_zeros(out, ...) \
    dh_tensor_zeros(              \
        out, &(dh_tensor_args){.struct_size = sizeof(dh_tensor_args), .shape = __VA_ARGS__})
#define dh_tensor_ones(out, ...) \
    dh_tensor_ones(out,          \
                   &(dh_tensor_args){.struct_size = sizeof(dh_tensor_args), .shape = __VA_ARGS__})
#define dh_tensor_full(out, value, ...) \
    dh_tensor_full(out, value,          \
                   &(dh_tensor_args){.struct_size = sizeof(dh_tensor_args), .shape = __VA_ARGS__})
#define dh_tensor_random_uniform(out, ...) \
    dh_tensor_random_uniform(              \
        out, &(dh_random_args){.struct_size = sizeof(dh_random_args), .shape = __VA_ARGS__})
#define dh_tensor_random_normal(out, ...) \
    dh_tensor_random_normal(              \
        out, &(dh_random_args){.struct_size = sizeof(dh_random_args), .shape = __VA_ARGS__})
#define dh_tensor_random_bernoulli(out, ...) \
    dh_tensor_random_bernoulli(              \
        out, &(dh_random_args){.struct_size = sizeof(dh_random_args), .shape = __VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif
