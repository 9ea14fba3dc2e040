/* SPDX-License-Identifier: MIT */
/* A small PNG writer for plots (W3C PNG, third edition), without any library: filter 0 rows and
 * fixed-Huffman deflate with run-length matches, so that drawings stay small. */
#ifndef DH_PNG_WRITE_H
#define DH_PNG_WRITE_H

#include "base.h"

/* A drawing surface, 8-bit RGB rows. */
typedef struct dh__canvas {
    int width, height;
    uint8_t *rgb;
} dh__canvas;

dh_status dh__canvas_new(dh__canvas *out, int width, int height); /* white; sides 1..16384 */
void dh__canvas_free(dh__canvas *canvas);
void dh__canvas_line(dh__canvas *canvas, int x0, int y0, int x1, int y1, uint32_t rgb);
void dh__canvas_rect(dh__canvas *canvas, int x, int y, int w, int h, uint32_t rgb); /* filled */
/* A built-in 5x7 font, printable ASCII, size >= 1 multiplies it. Returns the width drawn. */
int dh__canvas_text(dh__canvas *canvas, int x, int y, int size, uint32_t rgb, const char *text);

/* channels 1 (gray) or 3 (RGB), 8 bits; atomic. */
dh_status dh__png_write(const char *path, const uint8_t *pixels, int width, int height,
                        int channels);

#endif
