/* SPDX-License-Identifier: MIT */
/* A field of a plot with a scale on its left. */
#ifndef DH_PANEL_H
#define DH_PANEL_H

#include "png_write.h"

#define DH_PANEL_INK 0x404040

typedef struct dh__panel {
    int x, y, w, h;
    double low, high; /* of the scale */
} dh__panel;

int dh__panel_y(const dh__panel *panel, double value);
/* Both axes, and parts + 1 lines with their values, 52 pixels left of the field. */
void dh__panel_axes(dh__canvas *canvas, const dh__panel *panel, int parts);

#endif
