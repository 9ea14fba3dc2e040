/* SPDX-License-Identifier: MIT */
/* Histograms of all parameters, or of their gradients, side by side in one picture. */
#include <math.h>
#include <string.h>

#include <deephealth/inspection.h>

#include "model_impl.h"
#include "panel.h"

enum { TOP = 40, CELL_WIDTH = 280, CELL_HEIGHT = 190, COLUMNS = 4, BINS = 48, SIDE = 16384 };
enum { LETTER = 6, BARS = 0x1f77b4, ALARM = 0xd62728 };

typedef struct histogram {
    int64_t bins[BINS], most; /* most: of the fullest bin */
    int64_t count, nan, infinite;
    double low, high; /* of what is finite; low > high: nothing is */
} histogram;

static void count_values(histogram *h, const float *values, int64_t count)
{
    *h = (histogram){.count = count, .low = INFINITY, .high = -INFINITY};
    for (int64_t i = 0; i < count; i++) {
        double v = (double)values[i];
        h->nan += isnan(v);
        h->infinite += isinf(v) != 0;
        if (!isfinite(v)) continue;
        h->low = fmin(h->low, v);
        h->high = fmax(h->high, v);
    }
    for (int64_t i = 0; i < count; i++) {
        double v = (double)values[i], range = h->high - h->low;
        if (!isfinite(v)) continue;
        int bin = range > 0 ? (int)((v - h->low) / range * BINS) : BINS / 2;
        if (bin >= BINS) bin = BINS - 1;
        if (++h->bins[bin] > h->most) h->most = h->bins[bin];
    }
}

/* A long name keeps its end, which tells the parameter. */
static void draw_name(dh__canvas *c, int x, int y, const char *name)
{
    char text[64];
    size_t room = (CELL_WIDTH - 20) / LETTER, length = strlen(name);
    bool fits = length <= room;
    dh__format(text, sizeof text, "%s%s", fits ? "" : "...",
               fits ? name : name + length - room + 3);
    dh__canvas_text(c, x + 10, y + 8, 1, 0, text);
}

/* Below the field: the range at its ends, then how many there are. */
static void draw_numbers(dh__canvas *c, const dh__panel *p, const histogram *h)
{
    char text[64];
    int y = p->y + p->h + 6, x = p->x;
    if (h->low <= h->high) {
        dh__format(text, sizeof text, "%.4g", h->low);
        dh__canvas_text(c, x, y, 1, DH_PANEL_INK, text);
        int length = dh__format(text, sizeof text, "%.4g", h->high);
        dh__canvas_text(c, x + p->w - length * LETTER, y, 1, DH_PANEL_INK, text);
    } else {
        dh__canvas_text(c, x, y, 1, DH_PANEL_INK, h->count ? "no finite value" : "no values");
    }
    dh__format(text, sizeof text, "%lld value%s", (long long)h->count, h->count == 1 ? "" : "s");
    x += dh__canvas_text(c, x, y + 14, 1, DH_PANEL_INK, text) + 2 * LETTER;
    if (!h->nan && !h->infinite) return;
    dh__format(text, sizeof text, "%lld nan, %lld inf", (long long)h->nan, (long long)h->infinite);
    dh__canvas_text(c, x, y + 14, 1, ALARM, text);
}

static void draw_cell(dh__canvas *c, int x, int y, const char *name, const histogram *h)
{
    dh__panel p = {.x = x + 62, .y = y + 24, .w = 4 * BINS, .h = 110, .high = 1};
    if (h->most) p.high = (double)h->most;
    draw_name(c, x, y, name);
    dh__panel_axes(c, &p, 2);
    for (int i = 0; i < BINS; i++) {
        int top = dh__panel_y(&p, (double)h->bins[i]);
        if (h->bins[i] && top == p.y + p.h) top--; /* one among many is seen, too */
        dh__canvas_rect(c, p.x + 4 * i + 1, top, 3, p.y + p.h - top, BARS);
    }
    draw_numbers(c, &p, h);
}

/* --- the whole --- */

typedef struct grid {
    int columns, width, height;
} grid;

static dh_status fit_grid(grid *g, int count)
{
    g->columns = count < COLUMNS ? count : COLUMNS;
    int rows = (SIDE - TOP) / CELL_HEIGHT, most = SIDE / CELL_WIDTH;
    if (count > g->columns * rows) g->columns = (count + rows - 1) / rows;
    DH_REQUIRE(g->columns <= most, DH_EUNSUPPORTED,
               "the model has %d parameters, at most %d histograms fit a picture", count,
               most * rows);
    g->width = (g->columns > 2 ? g->columns : 2) * CELL_WIDTH; /* room for the title */
    g->height = TOP + (count + g->columns - 1) / g->columns * CELL_HEIGHT;
    return DH_OK;
}

static dh_status draw_all(dh__canvas *c, const grid *g, const dh_model *model, const int *list,
                          int count, bool gradients)
{
    const dh__params *store = model->net.store;
    char title[160];
    dh__format(title, sizeof title, "%.100s: %s", model->net.name,
               gradients ? "gradients" : "weights");
    dh__canvas_text(c, 10, 12, 2, 0, title);
    for (int i = 0; i < count; i++) {
        dh_tensor *t;
        histogram h;
        DH_TRY(dh__params_on_host(&t, store, list[i], gradients ? DH_HOME_GRAD : DH_HOME_WEIGHT));
        count_values(&h, dh_tensor_data(t), dh_tensor_count(t));
        dh_tensor_free(t);
        draw_cell(c, i % g->columns * CELL_WIDTH, TOP + i / g->columns * CELL_HEIGHT,
                  store->segments[list[i]]->name, &h);
    }
    return DH_OK;
}

/* Gradients are of what is trained alone; DH_ESTATE where there is nothing to draw. */
static dh_status choose(int *list, int *count, const dh_model *model, bool gradients)
{
    int kept = 0;
    DH_REQUIRE(*count, DH_ESTATE, "model \"%s\" has no parameters", model->net.name);
    if (!gradients) return DH_OK;
    DH_TRY(dh__show_gradients(model));
    DH_REQUIRE(model->net.store->grads, DH_ESTATE,
               "model \"%s\" has no gradients yet; train it or call backward first",
               model->net.name);
    for (int i = 0; i < *count; i++)
        if (dh__trainable(model, list[i])) list[kept++] = list[i];
    DH_REQUIRE(kept, DH_ESTATE, "model \"%s\" has no gradients, all of its parameters are frozen",
               model->net.name);
    *count = kept;
    return DH_OK;
}

static dh_status plot(const dh_model *model, const char *path, bool gradients)
{
    dh__canvas canvas;
    grid g = {0};
    int *list, count;
    DH_TRY(dh__settle(model));
    DH_TRY(dh__model_segments(&list, &count, model));
    dh_status status = choose(list, &count, model, gradients);
    if (!status) status = fit_grid(&g, count);
    if (!status) status = dh__canvas_new(&canvas, g.width, g.height);
    if (!status) {
        status = draw_all(&canvas, &g, model, list, count, gradients);
        if (!status) status = dh__png_write(path, canvas.rgb, g.width, g.height, 3);
        dh__canvas_free(&canvas);
    }
    dh__free(list);
    return status;
}

dh_status dh_model_plot_histograms(const dh_model *model, const char *path, const char *which)
{
    static const char choices[] = "weights|gradients";
    static const char who[] = "model_plot_histograms";
    char hint[96];
    if (!which) which = "weights";
    int choice = dh__choice_index(choices, which);
    DH_NEED(model, who, "model");
    DH_NEED(path, who, "path");
    DH_REQUIRE(choice >= 0, DH_ENAME, "%s: no values \"%.60s\"%s", who, which,
               dh__suggest_choices(hint, sizeof hint, which, choices));
    DH_TRY(dh__ready(model, false, who));
    return dh__from(who, plot(model, path, choice == 1));
}
