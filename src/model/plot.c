/* SPDX-License-Identifier: MIT */
/* Learning curves as a picture: losses on the left, metrics on the right, training solid,
 * validation lighter. */
#include <math.h>
#include <string.h>

#include "model_impl.h"
#include "panel.h"

#define WIDTH  960
#define HEIGHT 400

/* The figure of an epoch: column -1 is the loss, else a metric. */
static double figure(const dh_epoch *e, int column, bool validation)
{
    const dh_result *r = validation ? &e->validation : &e->train;
    if (validation && !e->has_validation) return NAN;
    return column < 0 ? r->loss : r->metrics[column];
}

static void find_range(dh__panel *p, const dh_model *m, int first, int last)
{
    p->low = INFINITY;
    p->high = -INFINITY;
    for (int i = 0; i < m->history_count; i++)
        for (int c = first; c <= last; c++)
            for (int v = 0; v < 2; v++) {
                double f = figure(&m->history[i], c, v);
                if (!isfinite(f)) continue;
                if (f < p->low) p->low = f;
                if (f > p->high) p->high = f;
            }
    if (!(p->low <= p->high)) p->low = p->high = 0;
    double margin = p->high > p->low ? (p->high - p->low) * 0.05 : 0.5;
    p->low -= margin;
    p->high += margin;
}

static int to_x(const dh__panel *p, int epoch, int epochs)
{
    return p->x + (epochs > 1 ? epoch * p->w / (epochs - 1) : p->w / 2);
}

static void draw_axes(dh__canvas *c, const dh__panel *p, int epochs)
{
    char text[32];
    dh__panel_axes(c, p, 4);
    dh__canvas_text(c, p->x, p->y + p->h + 8, 1, DH_PANEL_INK, "epoch 1");
    dh__format(text, sizeof text, "%d", epochs);
    dh__canvas_text(c, p->x + p->w - 12, p->y + p->h + 8, 1, DH_PANEL_INK, text);
}

static void draw_curve(dh__canvas *c, const dh__panel *p, const dh_model *m, int column,
                       bool validation, uint32_t rgb)
{
    int px = 0, py = 0;
    bool have = false;
    for (int i = 0; i < m->history_count; i++) {
        double f = figure(&m->history[i], column, validation);
        if (!isfinite(f)) {
            have = false;
            continue;
        }
        int x = to_x(p, i, m->history_count), y = dh__panel_y(p, f);
        for (int k = 0; have && k < 2; k++) dh__canvas_line(c, px, py + k, x, y + k, rgb);
        dh__canvas_rect(c, x - 2, y - 2, 5, 5, rgb);
        px = x;
        py = y;
        have = true;
    }
}

static void draw_panel(dh__canvas *c, const dh_model *m, dh__panel *p, int first, int last)
{
    static const uint32_t solid[] = {0x1f77b4, 0xd62728, 0x2ca02c, 0x9467bd},
                          light[] = {0x9ecae1, 0xf4a6a6, 0xa8dba8, 0xd4c2e6};
    int x = p->x;
    find_range(p, m, first, last);
    draw_axes(c, p, m->history_count);
    for (int column = first; column <= last; column++) {
        int k = (column + 4) % 4;
        const char *name = column < 0 ? "loss" : m->metric[column].name;
        x += dh__canvas_text(c, x, p->y - 16, 1, solid[k], name) + 12;
        draw_curve(c, p, m, column, false, solid[k]);
        if (!m->history[0].has_validation) continue;
        x += dh__canvas_text(c, x, p->y - 16, 1, light[k], "validation") + 12;
        draw_curve(c, p, m, column, true, light[k]);
    }
}

dh_status dh_model_plot_history(const dh_model *model, const char *path)
{
    dh__canvas canvas;
    DH_NEED(model, "model_plot_history", "model");
    DH_NEED(path, "model_plot_history", "path");
    DH_REQUIRE(model->history_count, DH_ESTATE,
               "model_plot_history: model \"%s\" has not been trained", model->net.name);
    DH_TRY(dh__canvas_new(&canvas, WIDTH, HEIGHT));
    dh__panel loss = {.x = 70, .y = 50, .w = 370, .h = 300},
              metrics = {.x = 550, .y = 50, .w = 370, .h = 300};
    dh__canvas_text(&canvas, 70, 14, 2, 0, model->net.name);
    draw_panel(&canvas, model, &loss, -1, -1);
    int shown = model->metric_count < 4 ? model->metric_count : 4;
    if (shown) draw_panel(&canvas, model, &metrics, 0, shown - 1);
    dh_status status = dh__png_write(path, canvas.rgb, WIDTH, HEIGHT, 3);
    dh__canvas_free(&canvas);
    return status;
}
