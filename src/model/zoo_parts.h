/* SPDX-License-Identifier: MIT */
/* What the networks of the zoo are put together from. They know constructors of layers, as users
 * do, and the net behind a layer where a failure is kept. */
#ifndef DH_ZOO_PARTS_H
#define DH_ZOO_PARTS_H

#include <deephealth/layers_image.h>
#include <deephealth/zoo.h>

/* Members of dh_zoo_args that not every net has. */
enum {
    DH_ZOO_DEPTH = 1,
    DH_ZOO_WIDTH = 2,
    DH_ZOO_BATCH_NORM = 4,
    DH_ZOO_SMALL_IMAGES = 8,
    DH_ZOO_POINTWISE = 16,
    DH_ZOO_DROPOUT = 32,
    DH_ZOO_ANY_SHAPE = 64 /* of x; else [N, C, H, W] */
};

/* What a net takes, and its defaults. */
typedef struct dh__zoo_def {
    const char *who;
    unsigned takes;
    const int *depths; /* all there are, ended by 0; NULL: from 1 to depth_most */
    int depth, depth_most, width;
    int side; /* the least of H and W */
    float dropout;
} dh__zoo_def;

/* A net in the making. */
typedef struct dh__zoo {
    dh_zoo_args a;   /* defaults filled */
    char part[48];   /* before the names of layers to come: "stage1.block2." */
    char layer[192]; /* the last name made */
} dh__zoo;

/* Copies and checks the arguments. False after a failure, which the net of x remembers. */
bool dh__zoo_begin(dh__zoo *z, const dh__zoo_def *def, const dh_zoo_args *args);
/* Keeps the failure whose text was written last. Returns NULL. */
dh_layer *dh__zoo_fail(const dh__zoo *z, dh_status status);
/* DH_ESHAPE where H or W is less. */
dh_status dh__zoo_sides(const dh_layer *x, int least, const char *who);
/* "name.stage1.block2.conv1.bn" of leaf "conv1" and suffix ".bn"; valid until the next call. */
const char *dh__zoo_name(dh__zoo *z, const char *leaf, const char *suffix);

typedef struct dh__zoo_filter {
    int filters, kernel, stride; /* stride: 0 is 1 */
    const char *activation;      /* NULL: none */
    bool depthwise, batch_norm, no_bias;
} dh__zoo_filter;
/* A convolution that pads kernel / 2 on all sides; its batch normalisation "LEAF.bn" and activation
 * "LEAF.relu". */
dh_layer *dh__zoo_conv(dh__zoo *z, dh_layer *x, const char *leaf, dh__zoo_filter f);
dh_layer *dh__zoo_batch_norm(dh__zoo *z, dh_layer *x, const char *leaf);
/* "LEAF.relu" of activation relu; leaf may be "". */
dh_layer *dh__zoo_activate(dh__zoo *z, dh_layer *x, const char *leaf, const char *activation);
dh_layer *dh__zoo_max_pool(dh__zoo *z, dh_layer *x, const char *leaf, int size, int stride,
                           int pad);
dh_layer *dh__zoo_dense(dh__zoo *z, dh_layer *x, const char *leaf, int units,
                        const char *activation);
/* x itself where no dropout is wanted. */
dh_layer *dh__zoo_dropout(dh__zoo *z, dh_layer *x, const char *leaf);
/* Dense layer "classes" and activation "output", outside of any part. */
dh_layer *dh__zoo_end(dh__zoo *z, dh_layer *x);

#endif
