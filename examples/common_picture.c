/* SPDX-License-Identifier: MIT */
/* Digits as a picture. */
#include "common.h"

bool example_tiles(const example_options *o, const dh_tensor *digits, int columns)
{
    dh_tensor *tiles = NULL, *rows = NULL, *picture = NULL;
    int64_t count = dh_tensor_dim(digits, 0) / columns;
    dh_status status = dh_tensor_reshape(&tiles, digits, 4, (int64_t[]){count, columns, 28, 28});
    if (!status) status = dh_tensor_permute(&rows, tiles, (int[]){0, 2, 1, 3});
    if (!status)
        status = dh_tensor_reshape(&picture, rows, 2, (int64_t[]){count * 28, columns * 28});
    if (!status) status = dh_tensor_save_png(picture, o->picture);
    dh_tensor_free(tiles);
    dh_tensor_free(rows);
    dh_tensor_free(picture);
    return !status || !dh_perror("picture");
}
