/* SPDX-License-Identifier: MIT */
/* Deliberate mistakes: the status, the whole text, outputs as they were, nothing leaked. The house
 * test mistakes.sh sees to it that each public function has one. */
#ifndef DH_MISTAKES_H
#define DH_MISTAKES_H

#include <stdio.h>

#include "expect.h"

#include <deephealth/sys/error.h>

#define FLOATS  "f32, f64, f16, bf16"
#define NUMBERS FLOATS ", i8, u8, i16, u16, i32, u32, i64, u64"
#define DTYPES  NUMBERS ", bool"

/* What outputs hold before a call that fails, and after it. */
#define MARK ((dh_tensor *)(uintptr_t)0x5a40)

static dh_tensor *out, *out2;
static bool flag;
static uint64_t live_before;
static int wrong;

static inline void before_mistake(void)
{
    out = out2 = MARK;
    flag = true;
    live_before = live_blocks();
    dh_error_clear();
}

static inline void after_mistake(const char *call, int line, dh_status want, const char *text,
                                 dh_status got)
{
    const char *said = dh_error_text();
    bool untouched = out == MARK && out2 == MARK && flag;
    bool same = got == want && dh_error_status() == want && strcmp(said, text) == 0;
    if (same && untouched && live_blocks() == live_before && !strchr(said, '\n')) return;
    print_error("line %d: %s\n  says  %s, %s\n  wants %s, %s%s%s\n", line, call,
                dh_status_name(got), said, dh_status_name(want), text,
                untouched ? "" : "; an output was changed",
                live_blocks() == live_before ? "" : "; something leaked");
    wrong++;
}

static inline void none_wrong(void)
{
    int count = wrong;
    wrong = 0;
    assert_int_equal(count, 0);
}

/* EXPECT(DH_EINVAL, "tensor_neg: x is NULL", dh_tensor_neg(&out, NULL)); */
#define EXPECT(status, text, ...) \
    after_mistake(#__VA_ARGS__, __LINE__, status, text, (before_mistake(), (__VA_ARGS__)))

/* The same for a function known by a pointer; the text is "name: rest". */
#define EXPECT_NAMED(status, name, rest, ...)                                            \
    do {                                                                                 \
        char text_[256];                                                                 \
        (void)snprintf(text_, sizeof text_, "%s: %s", (name), (rest));                   \
        after_mistake(name, __LINE__, status, text_, (before_mistake(), (__VA_ARGS__))); \
    } while (0)

/* A call that succeeds leaves no text behind; out and out2 are freed. */
#define EXPECT_SILENT(...)                                                               \
    do {                                                                                 \
        out = out2 = NULL;                                                               \
        dh_error_clear();                                                                \
        assert_int_equal((__VA_ARGS__), DH_OK);                                          \
        dh_tensor_free(out);                                                             \
        dh_tensor_free(out2);                                                            \
        if (dh_error_status() == DH_OK && dh_error_text()[0] == '\0') break;             \
        print_error("line %d: %s leaves %s\n", __LINE__, #__VA_ARGS__, dh_error_text()); \
        wrong++;                                                                         \
    } while (0)

/* --- tensors to be wrong with: dtype and shape in the name --- */

static dh_tensor *f_2_3, *f_3, *f_4, *f_3_3, *f_scalar, *f_0, *f_0_3, *f_rank8, *f_nan, *f64_2_3,
    *bf_3, *i_2_3, *i_3, *i64_3, *u_3, *b_2_3;

static inline int make_parts(void **state)
{
    (void)state;
    const int64_t rank8[DH_MAX_NDIM] = {1, 1, 1, 1, 1, 1, 1, 1};
    f_2_3 = counted(DH_F32, SHAPE(2, 3));
    f_3 = counted(DH_F32, SHAPE(3));
    f_4 = counted(DH_F32, SHAPE(4));
    f_3_3 = counted(DH_F32, SHAPE(3, 3)); /* singular */
    f_scalar = counted(DH_F32, 0, NULL);
    f_0 = counted(DH_F32, SHAPE(0));
    f_0_3 = counted(DH_F32, SHAPE(0, 3));
    f_rank8 = counted(DH_F32, DH_MAX_NDIM, rank8);
    f_nan = make(DH_F32, SHAPE(2), VALUES(1, NAN));
    f64_2_3 = counted(DH_F64, SHAPE(2, 3));
    bf_3 = counted(DH_BF16, SHAPE(3));
    i_2_3 = counted(DH_I32, SHAPE(2, 3));
    i_3 = make(DH_I32, SHAPE(3), VALUES(0, 5, 0));
    i64_3 = counted(DH_I64, SHAPE(3));
    u_3 = counted(DH_U8, SHAPE(3));
    b_2_3 = make(DH_BOOL, SHAPE(2, 3), VALUES(1, 0, 1, 0, 1, 0));
    return 0;
}

static inline int free_parts(void **state)
{
    (void)state;
    dh_tensor *all[] = {f_2_3, f_3,     f_4,  f_3_3, f_scalar, f_0,   f_0_3, f_rank8,
                        f_nan, f64_2_3, bf_3, i_2_3, i_3,      i64_3, u_3,   b_2_3};
    for (size_t i = 0; i < DH_COUNT(all); i++) dh_tensor_free(all[i]);
    return live_blocks() == 0 ? 0 : -1;
}

#endif
