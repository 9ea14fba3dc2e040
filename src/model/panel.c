/* SPDX-License-Identifier: MIT */
#include "panel.h"

int dh__panel_y(const dh__panel *p, double value)
{
    return p->y + p->h - (int)((value - p->low) / (p->high - p->low) * p->h + 0.5);
}

void dh__panel_axes(dh__canvas *c, const dh__panel *p, int parts)
{
    char text[32];
    for (int i = 0; i <= parts; i++) {
        double f = p->low + (p->high - p->low) * i / parts;
        int y = dh__panel_y(p, f);
        dh__canvas_line(c, p->x, y, p->x + p->w, y, 0xe0e0e0);
        dh__format(text, sizeof text, "%.4g", f);
        dh__canvas_text(c, p->x - 52, y - 3, 1, DH_PANEL_INK, text);
    }
    dh__canvas_line(c, p->x, p->y, p->x, p->y + p->h, DH_PANEL_INK);
    dh__canvas_line(c, p->x, p->y + p->h, p->x + p->w, p->y + p->h, DH_PANEL_INK);
}
