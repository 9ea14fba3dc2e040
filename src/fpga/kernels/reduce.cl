/* SPDX-License-Identifier: MIT */
/* Reductions. Options: the dtypes X of the input and Y of the output, WHOLE where X is an integer or
 * bool; OP, the fold. x is seen as outputs (kept) of lists of length elements (gone). */
typedef CAT(T_, X) T;
typedef CAT(T_, Y) U;
#ifdef WHOLE
typedef CAT(C_, X) S; /* what overflows wraps */
#else
typedef A S;
#endif
typedef CAT(C_, X) F;

static inline F element(global const T *x, long i)
{
    return CAT(load_, X)(x, i);
}

/* Rules of reduce_dx; any other is that of max and min. */
#define OP_VAR  0
#define OP_NORM 1
#define OP_PROD 2

#define FOLD_op_sum(s, v)  s + v
#define FOLD_op_prod(s, v) s *v
#define FOLD_op_sq(s, v)   s + v *v
#define FOLD_op_max(s, v)  (v > s || v != v ? v : s)
#define FOLD_op_min(s, v)  (v < s || v != v ? v : s)
#define FOLD_op_any(s, v)  s != 0 || v != 0
#define FOLD_op_all(s, v)  s != 0 && v != 0
#define JOIN_op_sq(s, v)   s + v
#define JOIN_op_sum        FOLD_op_sum
#define JOIN_op_prod       FOLD_op_prod
#define JOIN_op_max        FOLD_op_max
#define JOIN_op_min        FOLD_op_min
#define JOIN_op_any        FOLD_op_any
#define JOIN_op_all        FOLD_op_all

#ifdef TO_BOOL
#define FINISHED(s) ((s) != 0)
#elif defined WHOLE
#define FINISHED(s) (s)
#else
#define FINISHED(s) (root ? sqrt((s) / divisor) : (s) / divisor)
#endif

#define START_op_sum   0
#define START_op_sq    0
#define START_op_any   0
#define START_op_prod  1
#define START_op_all   1
#define START_op_max   (S)element(kept, base + line_at(&gone, from))
#define START_op_min   START_op_max

#ifdef K_pieces
/* Each of count = outputs x pieces folds a share of a list by OP. */
kernel void pieces(global S *partial, long partial0, IN(T, kept), view gone, long length,
                   long piece_count, long count)
{
    EACH(i)
    long each = length / piece_count, from = each * (i % piece_count), to = from + each;
    long base = AT(kept, i / piece_count);
    if (i % piece_count == piece_count - 1) to = length;
    long line = gone.ndim ? gone.shape[gone.ndim - 1] : 1;
    long step = gone.ndim ? gone.stride[gone.ndim - 1] : 0;
    S s = CAT(START_, OP);
    for (long k = from, run; k < to; k += run) {
        long at = base + line_at(&gone, k);
        run = min(to - k, line - k % line);
        for (long q = 0; q < run; q++) {
            S v = (S)element(kept, at + q * step);
            s = CAT(FOLD_, OP)(s, v);
        }
    }
    partial[partial0 + i] = s;
}
#endif

#ifdef K_join
/* The pieces of each output. */
kernel void join(OUT(U, y), global const S *partial, long partial0, long piece_count, A divisor,
                 long root, long count)
{
    EACH(i)
    partial += partial0 + i * piece_count;
    S s = partial[0];
    for (long k = 1; k < piece_count; k++) {
        S v = partial[k];
        s = CAT(JOIN_, OP)(s, v);
    }
    STORE(Y, y, i, FINISHED(s));
}
#endif

#ifndef WHOLE
static inline A mean_of(global const T *x, long base, const view *gone, long length)
{
    A s = 0;
    for (long k = 0; k < length; k++) s += (A)element(x, base + line_at(gone, k));
    return s / (A)length;
}

/* freedom: what the squares are divided by */
#ifdef K_var
kernel void var(OUT(U, y), IN(T, kept), view gone, long length, A freedom, long count)
{
    EACH(i)
    long base = AT(kept, i);
    A mean = mean_of(kept, base, &gone, length), s = 0;
    for (long k = 0; k < length; k++) {
        A d = (A)element(kept, base + line_at(&gone, k)) - mean;
        s += d * d;
    }
    STORE(Y, y, i, s / freedom);
}
#endif

/* Two numbers for each output, a and b, from which reduce_dx makes dx:
 *   var, norm:  dx = (x - a) b
 *   max, min:   dx = x == a ? b : 0, b being dy shared by the ties
 *   prod:       dx = a == 0 ? b / x : a == 1 and x == 0 ? b : 0, a counting zeros and b being dy
 *               times the product of the others */
#ifdef K_pairs
kernel void pairs(global A *pair, long pair0, IN(T, dy), IN(T, y), IN(T, kept), view gone,
                  long length, long op, A freedom, long count)
{
    EACH(i)
    A d = (A)LOAD(X, dy, i), r = (A)LOAD(X, y, i), a = r, b = 0, others = 1, equal = 0;
    long base = AT(kept, i);
    if (op == OP_VAR) {
        a = mean_of(kept, base, &gone, length);
        b = 2 * d / freedom;
    } else if (op == OP_NORM) {
        a = 0;
        b = r != 0 ? d / r : 0;
    } else {
        A value = op == OP_PROD ? 0 : r;
        for (long k = 0; k < length; k++) {
            A v = (A)element(kept, base + line_at(&gone, k));
            if (v == value)
                equal += 1;
            else
                others *= v;
        }
        a = op == OP_PROD ? equal : r;
        b = op == OP_PROD ? d * others : d / equal;
    }
    pair[pair0 + 2 * i] = a;
    pair[pair0 + 2 * i + 1] = b;
}
#endif

/* spread: element i of x is of output number ... of the pairs */
#ifdef K_reduce_dx
kernel void reduce_dx(OUT(T, dx), IN(T, x), global const A *pair, long pair0, view spread, long op,
                      long count)
{
    EACH(i)
    long o = pair0 + 2 * line_at(&spread, i);
    A a = pair[o], b = pair[o + 1], v = (A)LOAD(X, x, i), d;
    if (op == OP_VAR || op == OP_NORM)
        d = (v - a) * b;
    else if (op == OP_PROD)
        d = a == 0 ? b / v : a == 1 && v == 0 ? b : 0;
    else
        d = v == a ? b : 0;
    STORE(X, dx, i, d);
}
#endif

#ifdef K_mean_dx
kernel void mean_dx(OUT(T, dx), IN(T, dy), A length, long count)
{
    EACH(i)
    STORE(X, dx, i, (A)LOAD(X, dy, i) / length);
}
#endif
#endif

/* The first of the winners; a NaN wins. */
#ifdef K_search
kernel void search(OUT(long, y), IN(T, kept), view gone, long length, long largest, long count)
{
    EACH(i)
    long base = AT(kept, i), winner = 0;
    F best = element(kept, base);
    for (long k = 1; k < length && best == best; k++) {
        F v = element(kept, base + line_at(&gone, k));
        if ((largest ? v > best : v < best) || v != v) {
            best = v;
            winner = k;
        }
    }
    y[AT(y, i)] = winner;
}
#endif

/* The sum of all copies of an element, first being where it lies in the first of them. */
#ifdef K_sum_copies
kernel void sum_copies(OUT(U, y), IN(T, first), view copies, long copy_count, long count)
{
    EACH(i)
    long base = AT(first, i);
    S s = 0;
    for (long k = 0; k < copy_count; k++)
        s += (S)element(first, base + line_at(&copies, k));
    STORE(Y, y, i, s);
}
#endif
