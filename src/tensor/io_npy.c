/* SPDX-License-Identifier: MIT */
/* NumPy's .npy: magic, version, header size, a Python dict as text, data. */
#include <string.h>

#include "io.h"

static const char who[] = "tensor_load_npy";

/* Where the parser stands in the header. */
typedef struct cursor {
    const uint8_t *data;
    size_t at, end;
    const char *what;
} cursor;

typedef struct npy_header {
    dh_dtype dtype;
    bool big, fortran;
    int ndim;
    int64_t shape[DH_MAX_NDIM];
} npy_header;

enum { KEY_DESCR = 1, KEY_ORDER = 2, KEY_SHAPE = 4, ALL_KEYS = 7 };

static void skip_blanks(cursor *c)
{
    while (c->at < c->end && memchr(" \t\r\n", c->data[c->at], 4)) c->at++;
}

static dh_status fail_at(const cursor *c, const char *wanted)
{
    if (c->at >= c->end)
        return dh_fail(DH_EFORMAT, "%s \"%s\": the header ends at offset %zu, expected %s", who,
                       c->what, c->at, wanted);
    return dh_fail(DH_EFORMAT, "%s \"%s\": offset %zu has byte %02x, expected %s", who, c->what,
                   c->at, c->data[c->at], wanted);
}

/* True and past it where the next byte that is no blank is c. */
static bool take(cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->at >= c->end || c->data[c->at] != (uint8_t)wanted) return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    size_t length = strlen(word);
    skip_blanks(c);
    if (c->end - c->at < length || memcmp(c->data + c->at, word, length) != 0) return false;
    c->at += length;
    return true;
}

/* A Python string without escapes. */
static dh_status parse_string(cursor *c, char *out, size_t size)
{
    skip_blanks(c);
    if (c->at >= c->end || (c->data[c->at] != '\'' && c->data[c->at] != '"'))
        return fail_at(c, "a string");
    uint8_t quote = c->data[c->at++];
    size_t length = 0;
    for (; c->at < c->end && c->data[c->at] != quote; c->at++) {
        if (c->data[c->at] == '\\' || c->data[c->at] < 0x20 || length + 1 >= size)
            return fail_at(c, "a short string without escapes");
        out[length++] = (char)c->data[c->at];
    }
    if (c->at >= c->end) return fail_at(c, "the end of a string");
    c->at++;
    out[length] = '\0';
    return DH_OK;
}

static dh_status parse_descr(cursor *c, npy_header *header)
{
    static const struct {
        char name[4];
        dh_dtype dtype;
    } known[] = {{"f2", DH_F16}, {"f4", DH_F32}, {"f8", DH_F64}, {"i1", DH_I8},
                 {"i2", DH_I16}, {"i4", DH_I32}, {"i8", DH_I64}, {"u1", DH_U8},
                 {"u2", DH_U16}, {"u4", DH_U32}, {"u8", DH_U64}, {"b1", DH_BOOL}};
    char text[64];
    skip_blanks(c);
    size_t offset = c->at;
    DH_REQUIRE(c->at >= c->end || c->data[c->at] != '[', DH_EUNSUPPORTED,
               "%s \"%s\": offset %zu: structured dtypes are not read, only plain numbers", who,
               c->what, offset);
    DH_TRY(parse_string(c, text, sizeof text));
    const char *name = text;
    char order = '=';
    if (*name && strchr("<>|=", *name)) order = *name++;
    header->dtype = DH_DTYPE_DEFAULT;
    for (size_t i = 0; i < DH_COUNT(known); i++)
        if (strcmp(name, known[i].name) == 0) header->dtype = known[i].dtype;
    DH_REQUIRE(header->dtype, DH_EUNSUPPORTED,
               "%s \"%s\": offset %zu: descr \"%s\" is none of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1",
               who, c->what, offset, text);
    DH_REQUIRE(order != '|' || dh_dtype_size(header->dtype) == 1, DH_EFORMAT,
               "%s \"%s\": offset %zu: descr \"%s\" has %zu bytes and no byte order", who, c->what,
               offset, text, dh_dtype_size(header->dtype));
    header->big = order == '>' || (order != '<' && DH_HOST_BIG_ENDIAN);
    return DH_OK;
}

/* A length, perhaps with Python 2's L. */
static dh_status parse_length(cursor *c, int64_t *out)
{
    skip_blanks(c);
    size_t start = c->at;
    while (c->at < c->end && c->data[c->at] >= '0' && c->data[c->at] <= '9') c->at++;
    if (c->at == start) return fail_at(c, "a length");
    DH_REQUIRE(dh__parse_int64((const char *)c->data + start, c->at - start, out), DH_EFORMAT,
               "%s \"%s\": offset %zu: the length %.*s fits no i64", who, c->what, start,
               (int)(c->at - start > 40 ? 40 : c->at - start), (const char *)c->data + start);
    if (c->at < c->end && c->data[c->at] == 'L') c->at++;
    return DH_OK;
}

static dh_status parse_shape(cursor *c, npy_header *header)
{
    header->ndim = 0;
    if (!take(c, '(')) return fail_at(c, "\"(\" of the shape");
    bool comma = true; /* "(3)" is a number in Python, "(3,)" a tuple */
    while (!take(c, ')')) {
        if (!comma) return fail_at(c, "\",\" in the shape");
        DH_REQUIRE(header->ndim < DH_MAX_NDIM, DH_EUNSUPPORTED,
                   "%s \"%s\": offset %zu: the shape has more than %d axes", who, c->what, c->at,
                   DH_MAX_NDIM);
        DH_TRY(parse_length(c, &header->shape[header->ndim++]));
        comma = take(c, ',');
        if (!comma && header->ndim == 1) return fail_at(c, "\",\" after the first length");
    }
    return DH_OK;
}

static dh_status parse_entry(cursor *c, npy_header *header, int *seen)
{
    char key[32];
    skip_blanks(c);
    size_t offset = c->at;
    DH_TRY(parse_string(c, key, sizeof key));
    int bit = strcmp(key, "descr") == 0           ? KEY_DESCR
              : strcmp(key, "fortran_order") == 0 ? KEY_ORDER
              : strcmp(key, "shape") == 0         ? KEY_SHAPE
                                                  : 0;
    DH_REQUIRE(bit && !(*seen & bit), DH_EFORMAT, "%s \"%s\": offset %zu: key \"%s\" is %s", who,
               c->what, offset, key,
               bit ? "there twice" : "not one of descr, fortran_order, shape");
    *seen |= bit;
    if (!take(c, ':')) return fail_at(c, "\":\"");
    if (bit == KEY_DESCR) return parse_descr(c, header);
    if (bit == KEY_SHAPE) return parse_shape(c, header);
    header->fortran = take_word(c, "True");
    if (!header->fortran && !take_word(c, "False")) return fail_at(c, "True or False");
    return DH_OK;
}

static dh_status parse_dict(cursor *c, npy_header *header)
{
    int seen = 0;
    if (!take(c, '{')) return fail_at(c, "\"{\"");
    while (!take(c, '}')) {
        DH_TRY(parse_entry(c, header, &seen));
        if (take(c, ',')) continue;
        if (!take(c, '}')) return fail_at(c, "\",\" or \"}\"");
        break;
    }
    DH_REQUIRE(seen == ALL_KEYS, DH_EFORMAT, "%s \"%s\": the header lacks %s", who, c->what,
               !(seen & KEY_DESCR)   ? "descr"
               : !(seen & KEY_ORDER) ? "fortran_order"
                                     : "shape");
    skip_blanks(c);
    return c->at == c->end ? DH_OK : fail_at(c, "the end of the header");
}

/* Offsets of the header's text, by the first bytes of size. */
static dh_status find_header(cursor *c, const uint8_t *data, size_t size, const char *what)
{
    DH_REQUIRE(size >= 10 && memcmp(data, "\x93NUMPY", 6) == 0, DH_EFORMAT,
               "%s \"%s\": %s (%zu bytes)", who, what,
               size < 10 ? "too short for a header" : "does not begin with \\x93NUMPY", size);
    unsigned version = data[6];
    DH_REQUIRE(version >= 1 && version <= 3 && data[7] == 0, DH_EUNSUPPORTED,
               "%s \"%s\": version is %u.%u, known are 1.0, 2.0, 3.0", who, what, version, data[7]);
    size_t start = version == 1 ? 10 : 12;
    DH_REQUIRE(size >= start, DH_EFORMAT, "%s \"%s\": ends at offset %zu, in the header", who, what,
               size);
    size_t length = version == 1 ? dh__le16(data + 8) : dh__le32(data + 8);
    DH_REQUIRE(length <= size - start, DH_EFORMAT,
               "%s \"%s\": the header has %zu bytes, the file %zu after offset %zu", who, what,
               length, size - start, start);
    *c = (cursor){.at = start, .end = start + length, .what = what};
    return DH_OK;
}

static dh_status read_header(npy_header *header, size_t *end, const dh__input *input,
                             const char *what)
{
    cursor c = {0};
    uint8_t first[12] = {0};
    size_t size = input->size;
    DH_TRY(dh__io_fetch(first, input, 0, size < sizeof first ? size : sizeof first, who, what));
    DH_TRY(find_header(&c, first, size, what));
    uint8_t *data = dh__alloc(c.end);
    if (!data) return DH_ENOMEM;
    dh_status status = dh__io_fetch(data, input, 0, c.end, who, what);
    c.data = data;
    *end = c.end;
    if (!status) status = parse_dict(&c, header);
    dh__free(data);
    return status;
}

/* Column-major data are the reversed shape, row-major: read so and permuted. */
static dh_status make_fortran(dh_tensor **out, const dh__io_block *block)
{
    dh__io_block reversed = *block;
    dh_tensor *x, *view = NULL;
    for (int i = 0; i < block->ndim; i++) reversed.shape[i] = block->shape[block->ndim - 1 - i];
    DH_TRY(dh__io_tensor(&x, &reversed));
    dh_status status = dh_tensor_permute(&view, x, NULL);
    if (!status) status = dh_tensor_contiguous(out, view);
    dh_tensor_free(view);
    dh_tensor_free(x);
    return status;
}

static dh_status read_npy(dh_tensor **out, const dh__input *input, const char *what)
{
    npy_header header = {0};
    size_t end;
    DH_TRY(read_header(&header, &end, input, what));
    dh__io_block block = {.who = who,
                          .what = what,
                          .dtype = header.dtype,
                          .ndim = header.ndim,
                          .input = input,
                          .offset = end,
                          .size = input->size - end,
                          .big = header.big};
    memcpy(block.shape, header.shape, sizeof block.shape);
    return header.fortran && header.ndim > 1 ? make_fortran(out, &block)
                                             : dh__io_tensor(out, &block);
}

dh_status dh__npy_parse(dh_tensor **out, const uint8_t *data, size_t size, const char *what)
{
    dh__input input = dh__input_memory(data, size);
    return read_npy(out, &input, what);
}

dh_status dh_tensor_load_npy(dh_tensor **out, const char *path)
{
    return dh__io_load(out, path, who, read_npy);
}

/* --- writing --- */

dh_status dh__npy_header(char out[DH_NPY_HEADER_MAX], size_t *size, const dh_tensor *x,
                         const char *name, const char *what)
{
    static const char *const codes[DH_DTYPE_COUNT] = {
        [DH_F32] = "f4", [DH_F64] = "f8", [DH_F16] = "f2", [DH_I8] = "i1",
        [DH_U8] = "u1",  [DH_I16] = "i2", [DH_U16] = "u2", [DH_I32] = "i4",
        [DH_U32] = "u4", [DH_I64] = "i8", [DH_U64] = "u8", [DH_BOOL] = "b1"};
    const dh_view *v = &x->view;
    const char *code = codes[v->dtype];
    DH_REQUIRE(code, DH_EDTYPE, "%s \"%s\": NumPy has no %s: dh_tensor_cast to f32 first", name,
               what, dh_dtype_name(v->dtype));
    char order = dh_dtype_size(v->dtype) == 1 ? '|' : DH_HOST_BIG_ENDIAN ? '>' : '<';
    size_t start = 10, n = start;
    n += (size_t)dh__format(out + n, DH_NPY_HEADER_MAX - n,
                            "{'descr': '%c%s', 'fortran_order': False, 'shape': (", order, code);
    for (int i = 0; i < v->ndim; i++)
        n += (size_t)dh__format(out + n, DH_NPY_HEADER_MAX - n, i ? ", %lld" : "%lld",
                                (long long)v->shape[i]);
    n += (size_t)dh__format(out + n, DH_NPY_HEADER_MAX - n, v->ndim == 1 ? ",), }" : "), }");
    while ((n + 1) % 64) out[n++] = ' '; /* so that mapped data are aligned */
    out[n++] = '\n';
    memcpy(out, "\x93NUMPY\x01", 8);
    dh__put_le((uint8_t *)out + 8, n - start, 2);
    *size = n;
    return DH_OK;
}

static dh_status write_npy(dh__writer *writer, const dh_tensor *x, const char *path,
                           const void *payload)
{
    DH_UNUSED(payload);
    char header[DH_NPY_HEADER_MAX];
    size_t size, data_size;
    DH_TRY(dh__npy_header(header, &size, x, "tensor_save_npy", path));
    DH_TRY(dh__view_bytes(&data_size, &x->view, "tensor_save_npy"));
    DH_TRY(dh__write(writer, header, size));
    return dh__write(writer, x->view.data, data_size);
}

dh_status dh_tensor_save_npy(const dh_tensor *x, const char *path)
{
    return dh__io_save(x, path, "tensor_save_npy", write_npy, NULL);
}
