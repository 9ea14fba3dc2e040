/* SPDX-License-Identifier: MIT */
/* A model as a graph: what Graphviz gets, and our own drawing, which must be well-formed XML with
 * boxes that lie apart and edges that pass beside them. */
#include <stdlib.h>
#include <unistd.h>

#include <deephealth/inspection.h>

#include "file.h"
#include "json.h"
#include "layout.h"
#include "model_test.h"

static char folder[] = "/tmp/dh_plot_net_XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* --- models --- */

static dh_model *chain(void)
{
    dh_model *net = dh_model_new("chain");
    dh_layer *x = dh_input(net, {4});
    for (int i = 0; i < 5; i++) x = dh_relu(dh_dense(x, 3));
    assert_non_null(x);
    return net;
}

static dh_model *residual(void)
{
    dh_model *net = dh_model_new("residual");
    dh_layer *x = dh_input(net, {8}, .name = "x");
    for (int i = 0; i < 3; i++) {
        dh_layer *y = dh_relu(dh_batch_normalization(dh_dense(x, 8)));
        x = dh_add({x, dh_dense(y, 8), dh_constant(x, 1)});
    }
    assert_non_null(x);
    return net;
}

static dh_model *several(void)
{
    dh_model *net = dh_model_new("a < b & \"c\" \x01");
    dh_layer *a = dh_input(net, {4}, .name = "<a>&'\\"), *b = dh_input(net, {4}, .name = "b\xff");
    dh_layer *c = dh_input(net, {3}, .name = "\xe2\x82\xac\xef\xbf\xbf");
    dh_layer *tower = dh_dense(a, 3, .name = "tower");
    dh_layer *right = dh_apply(tower, b);
    dh_layer *all[] = {tower, right, c, dh_tanh(c), dh_multiply({tower, right})};
    for (int i = 0; i < 20; i++) assert_non_null(dh_add({all[i % 5], all[(i * 3 + 1) % 5], c}));
    return net;
}

static dh_model *empty(void)
{
    return dh_model_new("");
}

/* --- a checker of XML: tags that close each other, attributes in quotes, the five entities --- */

static const char *skip_name(const char *p)
{
    return p + strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:_");
}

static const char *check_text(const char *p, const char *end)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
    for (; *p && !strchr(end, *p); p++) {
        bool known = *p != '&';
        for (int i = 0; i < 5; i++) known |= !strncmp(p, entities[i], strlen(entities[i]));
        assert_true(known && ((unsigned char)*p >= 0x20 || *p == '\n'));
        assert_true(*p != '<' && *p != '>');
    }
    return p;
}

/* Past "<name a="b">"; 1: opens, 0: opens and closes. */
static const char *check_tag(const char *p, int *opens)
{
    const char *begin = p;
    p = skip_name(p);
    assert_true(p > begin);
    while (*p == ' ') {
        begin = ++p;
        p = skip_name(p);
        assert_true(p > begin && p[0] == '=' && p[1] == '"');
        p = check_text(p + 2, "\"<");
        assert_int_equal(*p++, '"');
    }
    *opens = *p != '/';
    if (*p == '/') p++;
    assert_int_equal(*p, '>');
    return p + 1;
}

static void check_xml(const char *text)
{
    const char *open[32], *p = text;
    int depth = 0, opens, roots = 0;
    assert_true(dh__utf8_valid(text, strlen(text)));
    static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    assert_memory_equal(p, head, sizeof head - 1);
    for (p += sizeof head - 1; *p;) {
        if (*p != '<') {
            p = check_text(p, "<");
            continue;
        }
        if (p[1] != '/') {
            assert_true(depth < 32);
            open[depth] = p + 1;
            roots += depth == 0;
            p = check_tag(p + 1, &opens);
            depth += opens;
            continue;
        }
        assert_true(depth-- > 0);
        size_t n = (size_t)(skip_name(p + 2) - (p + 2));
        assert_true(!strncmp(open[depth], p + 2, n) && skip_name(open[depth]) == open[depth] + n);
        assert_int_equal(p[2 + n], '>');
        p += 3 + n;
    }
    assert_int_equal(depth, 0);
    assert_int_equal(roots, 1);
}

/* --- the drawing --- */

typedef struct box {
    double x, y, w, h;
} box;

static int boxes_of(const char *svg, box *boxes, int room)
{
    int n = 0;
    for (const char *p = svg; (p = strstr(p, "<rect x=")); p++) {
        assert_true(n < room);
        box *b = &boxes[n++];
        assert_int_equal(sscanf(p, "<rect x=\"%lf\" y=\"%lf\" width=\"%lf\" height=\"%lf\"", &b->x,
                                &b->y, &b->w, &b->h),
                         4);
    }
    return n;
}

static bool inside(const box *b, double x, double y)
{
    return x > b->x && x < b->x + b->w && y > b->y && y < b->y + b->h;
}

/* Points of a path: its starts, ends and straight pieces; curves run from rank to rank. */
static void check_paths(const char *svg, const box *boxes, int count, int edges)
{
    int n = 0;
    for (const char *p = svg; (p = strstr(p, "<path d=\"M")); p++) {
        double x, y, last = -1;
        if (!strncmp(p, "<path d=\"M0 0 ", 14)) continue; /* the arrow */
        n++;
        for (const char *q = p + 9; *q && *q != '"'; q += strcspn(q, " \"") + (*q == ' ')) {
            double c[4];
            if (sscanf(q, "M%lf %lf", &x, &y) != 2 && sscanf(q, "L%lf %lf", &x, &y) != 2 &&
                sscanf(q, "C%lf %lf %lf %lf %lf %lf", &c[0], &c[1], &c[2], &c[3], &x, &y) != 6)
                continue;
            assert_true(y > last); /* downwards */
            last = y;
            for (int i = 0; i < count; i++) assert_false(inside(&boxes[i], x, y));
        }
    }
    assert_int_equal(n, edges);
}

static char *drawing(const dh_model *net)
{
    dh__bytes bytes;
    assert_ok(dh_model_plot(net, in_folder("net.svg")));
    assert_ok(dh__file_read(&bytes, in_folder("net.svg")));
    char *text = malloc(bytes.size + 1);
    assert_non_null(text);
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = 0;
    dh__bytes_free(&bytes);
    return text;
}

static void drawings(void **state)
{
    (void)state;
    dh_model *(*const make[])(void) = {chain, residual, several, empty};
    for (size_t m = 0; m < DH_COUNT(make); m++) {
        dh_model *net = make[m]();
        char *svg = drawing(net);
        box boxes[64];
        double width, height;
        int edges = 0;
        check_xml(svg);
        int count = boxes_of(svg, boxes, 64);
        assert_int_equal(count, net->net.count);
        for (int i = 0; i < count; i++) {
            const dh_layer *l = net->net.layers[i];
            char bold[128];
            (void)snprintf(bold, sizeof bold, "\"bold\">%s</text>", l->name);
            if (!strpbrk(l->name, "<&\xff\xef")) assert_non_null(strstr(svg, bold));
            edges += l->in_count;
        }
        check_paths(svg, boxes, count, edges);
        assert_int_equal(sscanf(strstr(svg, "<svg"), "<svg xmlns=%*s width=\"%lf\" height=\"%lf\"",
                                &width, &height),
                         2);
        for (int i = 0; i < count; i++) {
            const box *a = &boxes[i];
            assert_true(a->x >= 0 && a->y >= 0 && a->x + a->w <= width && a->y + a->h <= height);
            for (int k = 0; k < i; k++) {
                const box *b = &boxes[k];
                assert_true(a->x + a->w < b->x || b->x + b->w < a->x || a->y + a->h < b->y ||
                            b->y + b->h < a->y);
            }
        }
        free(svg);
        dh_model_free(net);
    }
}

static void labels(void **state)
{
    (void)state;
    dh_model *net = several();
    char *svg = drawing(net);
    static const char *const want[] = {">a &lt; b &amp; &quot;c&quot; ?</text>",
                                       "\"bold\">&lt;a&gt;&amp;'\\</text>",
                                       "\"bold\">b?</text>",
                                       "\"bold\">\xe2\x82\xac?</text>",
                                       ">dense, shares tower</text>",
                                       ">[N, 3], 15 parameters</text>",
                                       "stroke-dasharray",
                                       ">[N, 3]</text>"};
    for (size_t i = 0; i < DH_COUNT(want); i++)
        if (!strstr(svg, want[i])) fail_msg("%s is not in\n%s", want[i], svg);
    free(svg);
    dh_model_free(net);
}

static void graphviz(void **state)
{
    (void)state;
    char *text;
    dh_model *net = dh_model_new("a \"net\"\\");
    dh_layer *x = dh_input(net, {4}, .name = "x\\"), *d = dh_dense(x, 4, .name = "d");
    assert_non_null(dh_add({dh_apply(d, d), d, dh_constant(x, 1)}));
    assert_ok(dh_model_to_dot(&text, net));
    assert_string_equal(text, "digraph \"a \\\"net\\\"\\\\\" {\n"
                              "  node [shape=box, fontname=\"monospace\"];\n"
                              "  n0 [label=\"x\\\\\\ninput\\n[N, 4]\"];\n"
                              "  n1 [label=\"d\\ndense\\n[N, 4], 20 parameters\"];\n"
                              "  n2 [label=\"dense2\\ndense, shares d\\n[N, 4]\", style=dashed];\n"
                              "  n3 [label=\"constant1\\nconstant\\n[]\"];\n"
                              "  n4 [label=\"add1\\nadd\\n[N, 4]\"];\n"
                              "  n0 -> n1;\n"
                              "  n1 -> n2;\n"
                              "  n2 -> n4;\n"
                              "  n1 -> n4;\n"
                              "  n3 -> n4;\n"
                              "}\n");
    dh_text_free(text);
    dh_model_free(net);
}

static dh_layer *loss(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)payload;
    return dh_operation("sqr", {dh_subtract({prediction, target})});
}

/* What a loss_fn makes is not drawn. */
static void builds_leave_no_trace(void **state)
{
    (void)state;
    char *before, *after;
    dh_model *net = chain();
    assert_ok(dh_model_to_dot(&before, net));
    assert_ok(dh_build(net, dh_model_layer(net, "relu5"), .loss_fn = loss));
    assert_true(net->net.count > 11);
    assert_ok(dh_model_to_dot(&after, net));
    assert_string_equal(before, after);
    dh_text_free(before);
    dh_text_free(after);
    dh_model_free(net);
}

/* A chain is straight; two crossing edges of a ladder are uncrossed. */
static void layouts(void **state)
{
    (void)state;
    dh__layout l;
    assert_ok(dh__layout_new(&l, 4, 3));
    for (int i = 0; i < 4; i++) l.width[i] = 10 * (i + 1);
    for (int i = 0; i < 3; i++) l.edges[i] = (dh__edge){.from = i, .to = i + 1};
    assert_ok(dh__layout_place(&l));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(l.rank[i], i);
        assert_near(l.x[i], 20, 1e-9);
    }
    assert_near(l.right, 40, 1e-9);
    dh__layout_free(&l);
    /* 0 over 3, 1 over 2, 4 under 0 alone: ranks as long as the longest path */
    assert_ok(dh__layout_new(&l, 5, 3));
    for (int i = 0; i < 5; i++) l.width[i] = 10;
    l.edges[0] = (dh__edge){.from = 1, .to = 2};
    l.edges[1] = (dh__edge){.from = 0, .to = 3};
    l.edges[2] = (dh__edge){.from = 3, .to = 4};
    assert_ok(dh__layout_place(&l));
    assert_int_equal(l.ranks, 3);
    assert_int_equal(l.rank[4], 2);
    assert_true((l.x[0] < l.x[1]) == (l.x[3] < l.x[2]));
    dh__layout_free(&l);
}

/* Five children of one parent and one of two: all want the middle, so none stands off. */
static void siblings_stand_together(void **state)
{
    (void)state;
    dh__layout l;
    assert_ok(dh__layout_new(&l, 8, 7));
    for (int i = 0; i < 8; i++) l.width[i] = 100;
    for (int i = 0; i < 6; i++) l.edges[i] = (dh__edge){.from = 0, .to = 2 + i};
    l.edges[6] = (dh__edge){.from = 1, .to = 7};
    assert_ok(dh__layout_place(&l));
    int near_ones = 0;
    for (int i = 2; i < 8; i++)
        for (int k = 2; k < 8; k++) {
            if (i == k) continue;
            assert_true(fabs(l.x[i] - l.x[k]) >= 100 + DH_LAYOUT_GAP - 1e-9);
            near_ones += near(fabs(l.x[i] - l.x[k]), 100 + DH_LAYOUT_GAP, 1e-9);
        }
    assert_int_equal(near_ones, 2 * 5); /* each pair of neighbours, seen from both */
    assert_near(l.x[0], (l.x[2] + l.x[3] + l.x[4] + l.x[5] + l.x[6] + l.x[7]) / 6, 1e-9);
    assert_near(l.right, 6 * 100 + 5 * DH_LAYOUT_GAP, 1e-9);
    dh__layout_free(&l);
}

/* A chain beside an edge that passes it, and two beside each other, whatever their widths. */
static void chains_are_straight(void **state)
{
    (void)state;
    static const double widths[] = {60, 200, 150, 180, 60, 110, 190};
    static const dh__edge edges[] = {{0, 1, 0}, {1, 2, 0}, {2, 3, 0}, {3, 4, 0},
                                     {0, 4, 0}, {0, 5, 0}, {5, 6, 0}};
    dh__layout l;
    assert_ok(dh__layout_new(&l, 7, 7));
    memcpy(l.width, widths, sizeof widths);
    memcpy(l.edges, edges, sizeof edges);
    assert_ok(dh__layout_place(&l));
    assert_near(l.x[2], l.x[1], 1e-9);
    assert_near(l.x[3], l.x[1], 1e-9);
    assert_near(l.x[6], l.x[5], 1e-9);
    for (int i = 0; i < l.total; i++)
        for (int k = 0; k < i; k++)
            if (l.rank[i] == l.rank[k])
                assert_true(fabs(l.x[i] - l.x[k]) >=
                            (l.width[i] + l.width[k]) / 2 + DH_LAYOUT_GAP - 1e-9);
    dh__layout_free(&l);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    dh_model *net = residual();
    char *text = NULL;
    dh_memory_stats stats;
    dh_get_memory_stats(&stats);
    uint64_t before = stats.live_blocks;
    for (int n = 1; !text; n++) {
        dh_alloc_fail_at((uint64_t)n);
        dh_status status = dh_model_to_dot(&text, net);
        dh_alloc_fail_at(0);
        assert_true(status == DH_ENOMEM || !status);
    }
    dh_text_free(text);
    dh_status status = DH_ENOMEM;
    for (int n = 1; status; n++) {
        dh_alloc_fail_at((uint64_t)n);
        status = dh_model_plot(net, in_folder("net.svg"));
        dh_alloc_fail_at(0);
        assert_true(status == DH_ENOMEM || !status);
        dh_get_memory_stats(&stats);
        assert_int_equal(stats.live_blocks, before);
    }
    dh_model_free(net);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(in_folder("net.svg"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(drawings),
                                       cmocka_unit_test(labels),
                                       cmocka_unit_test(graphviz),
                                       cmocka_unit_test(builds_leave_no_trace),
                                       cmocka_unit_test(layouts),
                                       cmocka_unit_test(siblings_stand_together),
                                       cmocka_unit_test(chains_are_straight),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
