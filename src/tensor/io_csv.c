/* SPDX-License-Identifier: MIT */
/* Tables of numbers as text. One pass counts cells and finds ragged rows, the second reads numbers,
 * so that memory is asked for once, for cells that are there. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "io.h"

static const char who[] = "tensor_load_csv";

typedef struct table {
    const char *text;
    size_t size, at; /* at: begin of the next line */
    int64_t line;    /* the current line, from 1 */
    char delimiter;
    const char *what;
} table;

typedef struct span {
    const char *text;
    size_t length;
} span;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static span trim(span s)
{
    while (s.length && is_blank(s.text[0])) s.text++, s.length--;
    while (s.length && is_blank(s.text[s.length - 1])) s.length--;
    return s;
}

static bool next_line(table *t, span *out)
{
    if (t->at >= t->size) return false;
    const char *start = t->text + t->at, *end = memchr(start, '\n', t->size - t->at);
    size_t length = end ? (size_t)(end - start) : t->size - t->at;
    t->at += length + (end ? 1 : 0);
    t->line++;
    *out = (span){start, length};
    return true;
}

/* The next cell of a line; *rest.text is NULL after the last. */
static bool next_cell(const table *t, span *rest, span *out)
{
    if (!rest->text) return false;
    if (t->delimiter == ' ') {
        *rest = trim(*rest);
        if (!rest->length) return false;
    }
    size_t n = 0;
    while (n < rest->length &&
           (t->delimiter == ' ' ? !is_blank(rest->text[n]) : rest->text[n] != t->delimiter))
        n++;
    *out = trim((span){rest->text, n});
    *rest = n < rest->length ? (span){rest->text + n + 1, rest->length - n - 1} : (span){NULL, 0};
    return true;
}

/* The next line that has data; an empty one may only be followed by empty ones. */
static dh_status next_row(table *t, span *out, bool *found)
{
    *found = next_line(t, out);
    if (!*found || trim(*out).length) return DH_OK;
    int64_t line = t->line;
    span more;
    while (next_line(t, &more))
        DH_REQUIRE(!trim(more).length, DH_EFORMAT,
                   "%s \"%s\": line %lld is empty, line %lld is not", who, t->what, (long long)line,
                   (long long)t->line);
    *found = false;
    return DH_OK;
}

/* --- cells --- */

static bool integer_range(dh_dtype dtype, int64_t *low, int64_t *high)
{
    static const struct {
        int64_t low, high;
    } ranges[DH_DTYPE_COUNT] = {[DH_I8] = {INT8_MIN, INT8_MAX},
                                [DH_U8] = {0, UINT8_MAX},
                                [DH_I16] = {INT16_MIN, INT16_MAX},
                                [DH_U16] = {0, UINT16_MAX},
                                [DH_I32] = {INT32_MIN, INT32_MAX},
                                [DH_U32] = {0, UINT32_MAX},
                                [DH_I64] = {INT64_MIN, INT64_MAX},
                                [DH_U64] = {0, INT64_MAX},
                                [DH_BOOL] = {0, 1}};
    *low = ranges[dtype].low;
    *high = ranges[dtype].high;
    return *high != 0;
}

static void store_integer(dh_dtype dtype, void *to, uint64_t bits)
{
    uint8_t u8 = (uint8_t)bits;
    uint16_t u16 = (uint16_t)bits;
    uint32_t u32 = (uint32_t)bits;
    switch (dh_dtype_size(dtype)) {
    case 1: memcpy(to, &u8, 1); break;
    case 2: memcpy(to, &u16, 2); break;
    case 4: memcpy(to, &u32, 4); break;
    default: memcpy(to, &bits, 8);
    }
}

/* Digits alone, for the upper half of u64. */
static bool parse_uint64(span s, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < s.length; i++) {
        if (s.text[i] < '0' || s.text[i] > '9') return false;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(s.text[i] - '0'), &value)) return false;
    }
    *out = value;
    return s.length > 0;
}

/* What is wrong with the cell, NULL if nothing is. "3.0" and "1e3" are integers too. */
static const char *read_integer(dh_dtype dtype, span s, int64_t low, int64_t high, void *to)
{
    int64_t value;
    uint64_t wide;
    double real;
    if (!dh__parse_int64(s.text, s.length, &value)) {
        if (dtype == DH_U64 && parse_uint64(s, &wide)) {
            store_integer(dtype, to, wide);
            return NULL;
        }
        if (!dh__parse_double(s.text, s.length, &real)) return "is no number";
        if (!(fabs(real) <= 0x1p53) || real != floor(real))
            return fabs(real) > 0x1p53 && isfinite(real) ? "is out of the range of"
                                                         : "is no integer, as asked for by";
        value = (int64_t)real;
    }
    if (value < low || value > high) return "is out of the range of";
    store_integer(dtype, to, (uint64_t)value);
    return NULL;
}

static const char *read_cell(dh_dtype dtype, span s, void *to)
{
    int64_t low, high;
    double value;
    if (!s.length) return "is empty, must be";
    if (s.text[0] == '"') return "has quotes, which are not taken, must be";
    if (integer_range(dtype, &low, &high)) return read_integer(dtype, s, low, high, to);
    if (!dh__parse_double(s.text, s.length, &value)) return "is no number for";
    dh__store(dtype, to, value);
    return isfinite(value) && !isfinite(dh__load(dtype, to)) ? "is out of the range of" : NULL;
}

/* --- the table --- */

static dh_status skip_lines(table *t, int count)
{
    span line;
    for (int i = 0; i < count; i++)
        DH_REQUIRE(next_line(t, &line), DH_EFORMAT,
                   "%s \"%s\": skip_lines is %d, the file has %lld lines", who, t->what, count,
                   (long long)t->line);
    return DH_OK;
}

static dh_status count_cells(table t, int64_t *rows, int64_t *columns)
{
    span line, cell;
    bool found;
    *rows = *columns = 0;
    for (;;) {
        DH_TRY(next_row(&t, &line, &found));
        if (!found) break;
        int64_t n = 0;
        while (next_cell(&t, &line, &cell)) n++;
        if (*rows == 0) *columns = n;
        DH_REQUIRE(n == *columns, DH_EFORMAT,
                   "%s \"%s\": line %lld has %lld cells, the rows before have %lld", who, t.what,
                   (long long)t.line, (long long)n, (long long)*columns);
        ++*rows;
    }
    DH_REQUIRE(*rows > 0, DH_EFORMAT, "%s \"%s\": no numbers in %zu bytes", who, t.what, t.size);
    return DH_OK;
}

static dh_status read_cells(table t, dh_tensor *x)
{
    span line, cell;
    bool found;
    char *to = x->view.data;
    for (;;) {
        DH_TRY(next_row(&t, &line, &found));
        if (!found) return DH_OK;
        for (int64_t column = 1; next_cell(&t, &line, &cell); column++) {
            const char *wrong = read_cell(x->view.dtype, cell, to);
            DH_REQUIRE(!wrong, DH_EFORMAT, "%s \"%s\": line %lld, column %lld: \"%.*s\" %s %s", who,
                       t.what, (long long)t.line, (long long)column,
                       (int)(cell.length < 40 ? cell.length : 40), cell.text, wrong,
                       dh_dtype_name(x->view.dtype));
            to += dh_dtype_size(x->view.dtype);
        }
    }
}

static dh_status check_args(dh_csv_args *a, const char *name, const char *what)
{
    if (!a->dtype) a->dtype = DH_F32;
    if (!a->ndim) a->ndim = 2;
    DH_REQUIRE(a->delimiter && !strchr("0123456789+-.\"'\r\n", a->delimiter) &&
                   !(((unsigned char)a->delimiter | 0x20) >= 'a' &&
                     ((unsigned char)a->delimiter | 0x20) <= 'z') &&
                   (unsigned char)a->delimiter < 0x80,
               DH_EINVAL, "%s \"%s\": delimiter '%c' may be part of a number", name, what,
               a->delimiter);
    char source[512];
    dh__format(source, sizeof source, "%s \"%s\"", name, what);
    DH_TRY(dh__dtype_check(a->dtype, source));
    DH_REQUIRE(a->ndim == 1 || a->ndim == 2, DH_EINVAL, "%s \"%s\": ndim is %d, must be 1 or 2",
               name, what, a->ndim);
    DH_REQUIRE(a->skip_lines >= 0, DH_EINVAL, "%s \"%s\": skip_lines is %d, must be at least 0",
               name, what, a->skip_lines);
    return DH_OK;
}

dh_status dh__csv_parse(dh_tensor **out, const uint8_t *data, size_t size, const char *what,
                        const dh_csv_args *args)
{
    dh_csv_args a = *args;
    int64_t shape[2];
    DH_TRY(check_args(&a, who, what));
    bool mark = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;
    table t = {.text = (const char *)data,
               .size = size,
               .at = mark ? 3 : 0,
               .delimiter = a.delimiter,
               .what = what};
    DH_TRY(skip_lines(&t, a.skip_lines));
    DH_TRY(count_cells(t, &shape[0], &shape[1]));
    if (a.ndim == 1) {
        DH_REQUIRE(shape[0] == 1 || shape[1] == 1, DH_ESHAPE,
                   "%s \"%s\": ndim is 1, the table is [%lld, %lld]", who, what,
                   (long long)shape[0], (long long)shape[1]);
        shape[0] *= shape[1];
    }
    dh_tensor *x;
    DH_TRY(dh__tensor_new(&x, dh__cpu(), a.dtype, a.ndim, shape));
    dh_status status = read_cells(t, x);
    if (status)
        dh_tensor_free(x);
    else
        *out = x;
    return status;
}

/* --- files --- */

static bool has_extension(const char *path, const char *extension)
{
    size_t n = strlen(path), m = strlen(extension);
    return n >= m && strcasecmp(path + n - m, extension) == 0;
}

static dh_status take_args(dh_csv_args *out, const dh_csv_args *args, const char *name)
{
    DH_TRY(dh__args(out, sizeof *out, args, name));
    DH_NEED(out->path, name, "path");
    if (!out->delimiter)
        out->delimiter = has_extension(out->path, ".tsv")   ? '\t'
                         : has_extension(out->path, ".txt") ? ' '
                                                            : ',';
    return check_args(out, name, out->path);
}

dh_status(dh_tensor_load_csv)(dh_tensor **out, const dh_csv_args *args)
{
    dh_csv_args a;
    dh__bytes bytes;
    DH_NEED(out, who, "out");
    DH_TRY(take_args(&a, args, who));
    DH_TRY(dh__io_read(&bytes, a.path, who));
    dh_status status = dh__csv_parse(out, bytes.data, bytes.size, a.path, &a);
    dh__bytes_free(&bytes);
    return status;
}

static size_t format_cell(char *out, size_t size, dh_dtype dtype, const void *from)
{
    int64_t low, high;
    uint64_t wide = 0;
    if (dtype == DH_I64 || dtype == DH_U64) memcpy(&wide, from, sizeof wide);
    if (dtype == DH_I64) return (size_t)dh__format(out, size, "%lld", (long long)(int64_t)wide);
    if (dtype == DH_U64) return (size_t)dh__format(out, size, "%llu", (unsigned long long)wide);
    double value = dh__load(dtype, from);
    if (integer_range(dtype, &low, &high)) return (size_t)dh__format(out, size, "%.0f", value);
    return (size_t)dh__format(out, size, "%.*g", dtype == DH_F64 ? 17 : 9, value);
}

static dh_status write_csv(dh__writer *writer, const dh_tensor *x, const char *path,
                           const void *payload)
{
    DH_UNUSED(path);
    const dh_csv_args *a = payload;
    const dh_view *v = &x->view;
    int64_t columns = v->ndim == 2 ? v->shape[1] : 1;
    const char *from = v->data;
    char cell[64];
    if (a->header) DH_TRY(dh__write_text(writer, "%s\n", a->header));
    for (int64_t row = 0; row < v->shape[0]; row++)
        for (int64_t i = 0; i < columns; i++, from += dh_dtype_size(v->dtype)) {
            size_t n = format_cell(cell, sizeof cell - 1, v->dtype, from);
            cell[n++] = i + 1 < columns ? a->delimiter : '\n';
            DH_TRY(dh__write(writer, cell, n));
        }
    return DH_OK;
}

dh_status(dh_tensor_save_csv)(const dh_tensor *x, const dh_csv_args *args)
{
    static const char name[] = "tensor_save_csv";
    dh_csv_args a;
    char text[DH_SHAPE_TEXT];
    DH_NEED(x, name, "x");
    DH_TRY(take_args(&a, args, name));
    DH_REQUIRE((x->view.ndim == 1 || x->view.ndim == 2) && dh__view_count(&x->view) > 0, DH_ESHAPE,
               "%s \"%s\": x is %s, must have 1 or 2 axes and an element: dh_tensor_reshape first",
               name, a.path, dh__shape_text(text, sizeof text, x->view.ndim, x->view.shape));
    DH_REQUIRE(!a.header || !strpbrk(a.header, "\r\n"), DH_EINVAL,
               "%s \"%s\": header \"%s\" must be one line", name, a.path, a.header);
    return dh__io_save(x, a.path, name, write_csv, &a);
}
