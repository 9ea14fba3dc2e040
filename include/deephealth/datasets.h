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

/* CIFAR-10 (Krizhevsky 2009): x f32 [N, 3, 32, 32] in 0..1, red, green, blue, y one-hot f32 [N,
 * 10]: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck. dir holds the files of
 * the binary version, plain or .gz: all data_batch_*.bin to train with and all test_batch*.bin to
 * test, in the order of their names; a part of the 60,000 will do. NULL: $DEEPHEALTH_DATA/cifar10,
 * or without that variable ./data/cifar10. Nothing is downloaded: the set comes as an archive,
 * https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, which tar unpacks. The four tensors are
 * yours to free; on failure none is made: DH_ENOTFOUND where the folder or one of the two kinds of
 * file is not there, DH_EFORMAT names a file that is not CIFAR-10's. */
DH_API DH_NODISCARD dh_status dh_cifar10_load(const char *dir, dh_tensor **x_train,
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
