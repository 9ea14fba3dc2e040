/* SPDX-License-Identifier: MIT */
/* Optimisers are plain values: dh_sgd(0.01f, .momentum = 0.9f). Zero means default, and
 * DH_ZERO zero; dh_build fills the defaults. The first argument is the learning rate lr; t counts
 * updates from 1; g is the gradient, w the weight. weight_decay adds weight_decay * w to g (AdamW
 * instead takes lr * weight_decay * w from w) for all parameters but biases and the scale and shift
 * of normalisations. */
#ifndef DEEPHEALTH_OPTIMIZERS_H
#define DEEPHEALTH_OPTIMIZERS_H

#include <deephealth/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dh_optimizer_kind {
    DH_OPTIMIZER_NONE = 0,
    DH_SGD,
    DH_ADAM,
    DH_ADAMW,
    DH_ADAMAX,
    DH_NADAM,
    DH_RMSPROP,
    DH_ADAGRAD,
    DH_ADADELTA
} dh_optimizer_kind;

typedef struct dh_optimizer {
    dh_optimizer_kind kind; /* DH_OPTIMIZER_NONE: SGD. Each kind reads the numbers of its own
                               arguments, with their defaults; epsilon is at least 1e-30,
                               or where no gradient was yet 0 / 0 would be the step */
    float learning_rate, momentum, beta1, beta2, rho, epsilon, weight_decay;
    bool nesterov, amsgrad, centered;
} dh_optimizer;

typedef struct dh_sgd_args {
    size_t struct_size;
    float learning_rate; /* default 0.01 */
    float momentum, weight_decay;
    bool nesterov;
} dh_sgd_args;
/* m = momentum m + g; w -= lr m; with nesterov w -= lr (g + momentum m). Sutskever et al. 2013. */
DH_API dh_optimizer dh_sgd(const dh_sgd_args *args);

typedef struct dh_adam_args {
    size_t struct_size;
    float learning_rate;         /* default 0.001 (nadam, adamax 0.002) */
    float beta1, beta2, epsilon; /* default 0.9, 0.999, 1e-8; epsilon in [1e-30, 1] */
    float weight_decay;          /* adamw: default 0.01 */
    bool amsgrad;                /* adam: Reddi et al. 2018 */
} dh_adam_args;
/* m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * w -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon). Kingma and Ba 2015. */
DH_API dh_optimizer dh_adam(const dh_adam_args *args);
DH_API dh_optimizer dh_adamw(const dh_adam_args *args);  /* Loshchilov and Hutter 2019 */
DH_API dh_optimizer dh_adamax(const dh_adam_args *args); /* Kingma and Ba 2015, section 7.1 */
DH_API dh_optimizer dh_nadam(const dh_adam_args *args);  /* Dozat 2016 */

typedef struct dh_rmsprop_args {
    size_t struct_size;
    float learning_rate; /* default 0.01 */
    float rho;           /* default 0.99 */
    float epsilon;       /* default 1e-8 */
    float momentum, weight_decay;
    bool centered;
} dh_rmsprop_args;
/* v = rho v + (1 - rho) g^2; w -= lr g / (sqrt(v) + epsilon); centered takes the squared mean of g
 * from v. Tieleman and Hinton 2012, Graves 2013. */
DH_API dh_optimizer dh_rmsprop(const dh_rmsprop_args *args);

typedef struct dh_adagrad_args {
    size_t struct_size;
    float learning_rate; /* default 0.01 */
    float epsilon;       /* default 1e-10 */
    float weight_decay;
} dh_adagrad_args;
/* s += g^2; w -= lr g / (sqrt(s) + epsilon). Duchi et al. 2011. */
DH_API dh_optimizer dh_adagrad(const dh_adagrad_args *args);

typedef struct dh_adadelta_args {
    size_t struct_size;
    float learning_rate; /* default 1 */
    float rho;           /* default 0.9 */
    float epsilon;       /* default 1e-6 */
    float weight_decay;
} dh_adadelta_args;
/* s = rho s + (1 - rho) g^2; d = g sqrt(u + epsilon) / sqrt(s + epsilon); u = rho u + (1 - rho)
 * d^2; w -= lr d. Zeiler 2012. */
DH_API dh_optimizer dh_adadelta(const dh_adadelta_args *args);

#ifndef __cplusplus
#define DH_OPTIMIZER(type, ...) (&(type){.struct_size = sizeof(type), __VA_ARGS__})
#define dh_sgd(...)             dh_sgd(DH_OPTIMIZER(dh_sgd_args, __VA_ARGS__))
#define dh_adam(...)            dh_adam(DH_OPTIMIZER(dh_adam_args, __VA_ARGS__))
#define dh_adamw(...)           dh_adamw(DH_OPTIMIZER(dh_adam_args, __VA_ARGS__))
#define dh_adamax(...)          dh_adamax(DH_OPTIMIZER(dh_adam_args, __VA_ARGS__))
#define dh_nadam(...)           dh_nadam(DH_OPTIMIZER(dh_adam_args, __VA_ARGS__))
#define dh_rmsprop(...)         dh_rmsprop(DH_OPTIMIZER(dh_rmsprop_args, __VA_ARGS__))
#define dh_adagrad(...)         dh_adagrad(DH_OPTIMIZER(dh_adagrad_args, __VA_ARGS__))
#define dh_adadelta(...)        dh_adadelta(DH_OPTIMIZER(dh_adadelta_args, __VA_ARGS__))
#endif

#ifdef __cplusplus
}
#endif
#endif
