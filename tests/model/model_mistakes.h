/* SPDX-License-Identifier: MIT */
/* Deliberate mistakes with layers and models: the whole message. A layer's failure is kept by the
 * model, and dh_build returns it. */
#ifndef DH_MODEL_MISTAKES_H
#define DH_MODEL_MISTAKES_H

#include "model_test.h"

typedef struct parts {
    dh_model *net, *other;
    dh_layer *in, *image, *foreign; /* [N, 4], [N, 2, 6], of another model */
} parts;

static inline parts make_parts(void)
{
    parts p = {.net = dh_model_new("net"), .other = dh_model_new("other")};
    p.in = dh_input(p.net, {4}, .name = "in");
    p.image = dh_input(p.net, {2, 6}, .name = "image");
    p.foreign = dh_input(p.other, {4}, .name = "foreign");
    return p;
}

static inline void free_parts(parts *p)
{
    dh_model_free(p->net);
    dh_model_free(p->other);
}

static int wrong;

static inline void compare(const char *call, const char *want)
{
    if (!strcmp(dh_error_text(), want)) return;
    print_error("%s\n  says  %s\n  wants %s\n", call, dh_error_text(), want);
    wrong++;
}

/* At the end of each test. */
static inline void none_wrong(void)
{
    int count = wrong;
    wrong = 0;
    assert_int_equal(count, 0);
}

/* A constructor given NULL for its input: nothing can keep the failure but the thread. */
#define NOWHERE(call, text)   \
    do {                      \
        dh_error_clear();     \
        assert_null(call);    \
        compare(#call, text); \
    } while (0)

/* A constructor that fails; p is at hand. Nothing can be made of the model until it is freed. */
#define LAYER(call, text)                        \
    do {                                         \
        parts p = make_parts();                  \
        assert_null(call);                       \
        dh_error_clear();                        \
        assert_true(dh_build(p.net, p.in) != 0); \
        compare(#call, text);                    \
        assert_null(dh_dense(p.in, 3));          \
        free_parts(&p);                          \
    } while (0)

/* A call that returns a status. */
#define CALL(call, text)              \
    do {                              \
        dh_error_clear();             \
        assert_true((call) != DH_OK); \
        compare(#call, text);         \
    } while (0)

#endif
