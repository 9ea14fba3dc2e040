/* SPDX-License-Identifier: MIT */
/* Well-known data sets as tensors. */
#ifndef DEEPHEALTH_DATASETS_H
#define DEEPHEALTH_DATASETS_H

#include <deephealth/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* MNIST (LeCun, Cortes, Burges): x f32 [N, 784] in 0..1, y one-hot f32 [N, 10]; 60,000 to train
 * with, 10,000 to test. dir holds the four idx files, plain or .gz, and is the only place searched.
 * NULL: $DEEPHEALTH_DATA/mnist, or without that variable ./data/mnist; files that are not there are
 * downloaded and their SHA-256 checked. The four tensors are yours to free; on failure none is
 * made: DH_ENOTFOUND names a file that is not there and why it can't be had (no folder is made for
 * it), DH_EFORMAT one that is there and not MNIST's. */
DH_API DH_NODISCARD dh_status dh_mnist_load(const char *dir, dh_tensor **x_train,
                                            dh_tensor **y_train, dh_tensor **x_test,
                                            dh_tensor **y_test);

/* Handwritten-like digits drawn by a program: strokes of each digit under random shift, rotation,
 * shear, thickness and noise, the same for the same seed. x f32 [count, 784] in 0..1, y one-hot f32
 * [count, 10], yours to free; count >= 1 (DH_EINVAL). For machines that have no data. */
DH_API DH_NODISCARD dh_status dh_digits_generate(dh_tensor **x, dh_tensor **y, int64_t count,
                                                 uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
