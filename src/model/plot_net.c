/* SPDX-License-Identifier: MIT */
/* A model's layers as a graph: for Graphviz, and drawn by ourselves as SVG. */
#include <string.h>

#include <deephealth/inspection.h>

#include "architecture.h"
#include "file.h"
#include "layout.h"

enum { MARGIN = 24, TITLE = 24, HEIGHT = 60, STEP = 108, LETTER = 8, PADDING = 24, LINES = 3 };

/* A drawn layer: its name; its kind and whose parameters it uses; its shape and parameters. */
typedef struct label {
    char lines[LINES][192];
} label;

/* The layers that are drawn, by number, and -1 for others. */
typedef struct picture {
    const dh_model *model;
    int *number, count, edges;
} picture;

static dh_status picture_new(picture *p, const dh_model *model)
{
    bool *wanted;
    *p = (picture){.model = model};
    DH_TRY(dh__architecture(&wanted, model));
    p->number = dh__calloc((size_t)model->net.count + 1, sizeof *p->number);
    for (int i = 0; p->number && i < model->net.count; i++) {
        p->number[i] = wanted[i] ? p->count++ : -1;
        if (wanted[i]) p->edges += model->net.layers[i]->in_count;
    }
    dh__free(wanted);
    return p->number ? DH_OK : DH_ENOMEM;
}

static void make_label(label *l, const dh_layer *layer)
{
    char shape[DH_SHAPE_TEXT];
    int64_t trainable = 0, own = dh__layer_parameters(layer, &trainable);
    bool shares = layer->owner != layer->name;
    dh__format(l->lines[0], sizeof l->lines[0], "%s", layer->name);
    dh__format(l->lines[1], sizeof l->lines[1], shares ? "%s, shares %s" : "%s", layer->def->kind,
               layer->owner);
    (void)dh__layer_shape(shape, sizeof shape, layer);
    if (own)
        dh__format(l->lines[2], sizeof l->lines[2], "%s, %lld parameter%s", shape, (long long)own,
                   own == 1 ? "" : "s");
    else
        dh__format(l->lines[2], sizeof l->lines[2], "%s", shape);
}

/* Adds text with what replace() gives for a character that may not stand there. No format has
 * control characters; bytes that are no UTF-8, and two that XML excludes, are "?" too. */
static void add_escaped(dh__text *t, const char *text, const char *(*replace)(char c))
{
    bool utf8 = dh__utf8_valid(text, strlen(text));
    for (const char *p = text; *p; p++) {
        const char *other = replace(*p);
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
            other = "?";
        } else if (!strncmp(p, "\xef\xbf\xbe", 3) || !strncmp(p, "\xef\xbf\xbf", 3)) {
            other = "?";
            p += 2;
        }
        dh__text_add_bytes(t, other ? other : p, other ? strlen(other) : 1);
    }
}

/* --- Graphviz --- */

static const char *dot_replace(char c)
{
    return c == '"' ? "\\\"" : c == '\\' ? "\\\\" : NULL;
}

static void write_dot(dh__text *t, const picture *p)
{
    const dh__net *net = &p->model->net;
    dh__text_add(t, "digraph \"");
    add_escaped(t, net->name, dot_replace);
    dh__text_add(t, "\" {\n  node [shape=box, fontname=\"monospace\"];\n");
    for (int i = 0; i < net->count; i++) {
        label l;
        if (p->number[i] < 0) continue;
        make_label(&l, net->layers[i]);
        dh__text_add(t, "  n%d [label=\"", p->number[i]);
        for (int k = 0; k < LINES; k++) {
            if (k) dh__text_add(t, "\\n");
            add_escaped(t, l.lines[k], dot_replace);
        }
        dh__text_add(t, "\"%s];\n",
                     net->layers[i]->owner != net->layers[i]->name ? ", style=dashed" : "");
    }
    for (int i = 0; i < net->count; i++)
        for (int k = 0; p->number[i] >= 0 && k < net->layers[i]->in_count; k++)
            dh__text_add(t, "  n%d -> n%d;\n", p->number[net->layers[i]->in[k]->index],
                         p->number[i]);
    dh__text_add(t, "}\n");
}

dh_status dh_model_to_dot(char **text, const dh_model *model)
{
    picture p;
    dh__text t = {0};
    DH_NEED(text, "model_to_dot", "text");
    DH_TRY(dh__sound(model, "model_to_dot"));
    DH_TRY(dh__from("model_to_dot", picture_new(&p, model)));
    write_dot(&t, &p);
    dh__free(p.number);
    dh_status status = dh__text_status(&t);
    if (status)
        dh__text_free(&t);
    else
        *text = t.data;
    return dh__from("model_to_dot", status);
}

/* --- SVG --- */

static const char *xml_replace(char c)
{
    return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : NULL;
}

/* In letters of the monospaced font; those of three bytes on may be wide. */
static int text_width(const char *text)
{
    int letters = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        letters += c >= 0xe0 ? 2 : (c & 0xc0) != 0x80;
    }
    return letters * LETTER;
}

static dh_status arrange(dh__layout *l, const picture *p)
{
    const dh__net *net = &p->model->net;
    DH_TRY(dh__layout_new(l, p->count, p->edges));
    for (int i = 0, e = 0; i < net->count; i++) {
        label text;
        int n = p->number[i];
        if (n < 0) continue;
        make_label(&text, net->layers[i]);
        for (int k = 0; k < LINES; k++)
            l->width[n] = fmax(l->width[n], text_width(text.lines[k]) + PADDING);
        for (int k = 0; k < net->layers[i]->in_count; k++, e++)
            l->edges[e] = (dh__edge){.from = p->number[net->layers[i]->in[k]->index], .to = n};
    }
    dh_status status = dh__layout_place(l);
    if (status) dh__layout_free(l);
    return status;
}

static double top_of(const dh__layout *l, int place)
{
    return MARGIN + TITLE + (double)l->rank[place] * STEP;
}

/* Down from box to box; through a rank between straight, beside its boxes. */
static void write_edge(dh__text *t, const dh__layout *l, const dh__edge *e)
{
    double x = l->x[e->from] + MARGIN, y = top_of(l, e->from) + HEIGHT;
    int count = l->rank[e->to] - l->rank[e->from] - 1;
    dh__text_add(t, "<path d=\"M%.1f %.1f", x, y);
    for (int i = 0; i <= count; i++) {
        int to = i < count ? e->pass + i : e->to;
        double x1 = l->x[to] + MARGIN, y1 = top_of(l, to), middle = (y + y1) / 2;
        dh__text_add(t, " C%.1f %.1f %.1f %.1f %.1f %.1f", x, middle, x1, middle, x1, y1);
        x = x1;
        y = y1 + HEIGHT;
        if (i < count) dh__text_add(t, " L%.1f %.1f", x, y);
    }
    dh__text_add(t, "\" marker-end=\"url(#arrow)\"/>\n");
}

static void write_box(dh__text *t, const dh__layout *l, int n, const dh_layer *layer)
{
    label text;
    double x = l->x[n] + MARGIN, y = top_of(l, n);
    make_label(&text, layer);
    dh__text_add(t,
                 "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"6\" "
                 "fill=\"#eef4fb\" stroke=\"#456\"%s/>\n",
                 x - l->width[n] / 2, y, l->width[n], HEIGHT,
                 layer->owner != layer->name ? " stroke-dasharray=\"5 3\"" : "");
    for (int k = 0; k < LINES; k++) {
        dh__text_add(t, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y + 18 + 17 * k,
                     k ? "" : " font-weight=\"bold\"");
        add_escaped(t, text.lines[k], xml_replace);
        dh__text_add(t, "</text>\n");
    }
}

static void write_svg(dh__text *t, const picture *p, const dh__layout *l)
{
    const dh__net *net = &p->model->net;
    double width = fmax(l->right, text_width(net->name)) + 2 * MARGIN;
    double height = 2 * MARGIN + TITLE + (l->ranks ? (l->ranks - 1) * STEP + HEIGHT : 0);
    dh__text_add(t,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                 "viewBox=\"0 0 %.0f %.0f\">\n"
                 "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
                 "markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">"
                 "<path d=\"M0 0 L8 4 L0 8 z\" fill=\"#555\"/></marker></defs>\n"
                 "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
                 "<g font-family=\"monospace\" font-size=\"12\" text-anchor=\"middle\">\n"
                 "<text x=\"%d\" y=\"%d\" font-size=\"14\" text-anchor=\"start\">",
                 ceil(width), height, ceil(width), height, MARGIN, MARGIN);
    add_escaped(t, net->name, xml_replace);
    dh__text_add(t, "</text>\n<g fill=\"none\" stroke=\"#555\">\n");
    for (int e = 0; e < l->edge_count; e++) write_edge(t, l, &l->edges[e]);
    dh__text_add(t, "</g>\n");
    for (int i = 0; i < net->count; i++) {
        if (p->number[i] < 0) continue;
        write_box(t, l, p->number[i], net->layers[i]);
    }
    dh__text_add(t, "</g>\n</svg>\n");
}

dh_status dh_model_plot(const dh_model *model, const char *path)
{
    picture p;
    dh__layout l;
    dh__text t = {0};
    DH_TRY(dh__sound(model, "model_plot"));
    DH_NEED(path, "model_plot", "path");
    DH_TRY(dh__from("model_plot", picture_new(&p, model)));
    dh_status status = arrange(&l, &p);
    if (!status) {
        write_svg(&t, &p, &l);
        dh__layout_free(&l);
        status = dh__text_status(&t);
    }
    dh__free(p.number);
    if (!status) status = dh__write_whole(path, t.data, t.length);
    dh__text_free(&t);
    return dh__from("model_plot", status);
}
