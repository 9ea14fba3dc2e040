/* SPDX-License-Identifier: MIT */
#include "layer_defs.h"

const dh__layer_def *const dh__layer_defs[] = {
#define K(id) &dh__layer_##id,
    DH_LAYER_KINDS(K)
#undef K
        NULL};
