/* SPDX-License-Identifier: MIT */
/* The slice language, Python's: "1:3,:,-1", "::2", "...,0". */
#include <string.h>

#include "tensor_impl.h"

typedef struct slice_part {
    const char *begin, *end;
} slice_part;

static slice_part trim(const char *begin, const char *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\t')) begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t')) end--;
    return (slice_part){begin, end};
}

static bool is_ellipsis(slice_part p)
{
    return p.end - p.begin == 3 && !memcmp(p.begin, "...", 3);
}

/* One number of a part; blank keeps *value as it is. INT64_MAX means an omitted end, so that number
 * becomes its neighbour, which no axis can tell from it. */
static bool number(const char *begin, const char *end, int64_t *value)
{
    slice_part p = trim(begin, end);
    if (p.begin == p.end) return true;
    if (!dh__parse_int64(p.begin, (size_t)(p.end - p.begin), value)) return false;
    if (*value == INT64_MAX) *value = INT64_MAX - 1;
    return true;
}

static dh_status parse_part(dh_slice_attr *out, int axis, slice_part p, const char *slices,
                            const char *who)
{
    const char *colon[3] = {p.end, p.end, p.end};
    int colons = 0;
    for (const char *s = p.begin; s < p.end; s++)
        if (*s == ':') {
            if (colons == 2) colons = 3;
            if (colons < 2) colon[colons++] = s;
        }
    DH_REQUIRE(p.begin < p.end && colons <= 2, DH_EINVAL,
               "%s: slices is \"%s\": \"%.*s\" is no index and no start:stop:step", who, slices,
               (int)(p.end - p.begin), p.begin);
    int64_t start = INT64_MAX, stop = INT64_MAX, step = 1;
    bool ok = number(p.begin, colon[0], &start);
    if (colons > 0) ok &= number(colon[0] + 1, colon[1], &stop);
    if (colons > 1) ok &= number(colon[1] + 1, p.end, &step);
    DH_REQUIRE(ok, DH_EINVAL, "%s: slices is \"%s\": \"%.*s\" is no index and no start:stop:step",
               who, slices, (int)(p.end - p.begin), p.begin);
    DH_REQUIRE(step != 0 && step != INT64_MIN, DH_EINVAL,
               "%s: slices is \"%s\": the step is %lld, must be neither 0 nor the least integer",
               who, slices, (long long)step);
    out->drop[axis] = colons == 0;
    out->step[axis] = step;
    out->start[axis] = start; /* INT64_MAX: omitted, for both ends, whatever the step's sign */
    out->stop[axis] = stop;
    return DH_OK;
}

static void whole_axis(dh_slice_attr *out, int axis)
{
    out->start[axis] = out->stop[axis] = INT64_MAX;
    out->step[axis] = 1;
    out->drop[axis] = false;
}

dh_status dh__slice_parse(dh_slice_attr *out, int ndim, const char *slices, const char *who)
{
    DH_NEED(slices, who, "slices");
    int parts = 1, axis = 0;
    bool ellipsis = false;
    for (const char *s = slices; *s; s++) parts += *s == ',';
    memset(out, 0, sizeof *out);
    const char *begin = slices;
    for (int i = 0; i < parts; i++) {
        const char *end = strchr(begin, ',');
        slice_part p = trim(begin, end ? end : begin + strlen(begin));
        if (is_ellipsis(p)) {
            DH_REQUIRE(!ellipsis, DH_EINVAL,
                       "%s: slices is \"%s\", with two ellipses, may have one", who, slices);
            ellipsis = true;
            for (int k = parts - 1; k < ndim; k++) whole_axis(out, axis++);
        } else {
            DH_REQUIRE(axis < ndim, DH_ESHAPE,
                       "%s: slices is \"%s\", with more parts than the %d axes of x", who, slices,
                       ndim);
            DH_TRY(parse_part(out, axis++, p, slices, who));
        }
        begin = end ? end + 1 : begin;
    }
    while (axis < ndim) whole_axis(out, axis++);
    out->count = ndim;
    return DH_OK;
}

dh_status dh_tensor_slice(dh_tensor **out, const dh_tensor *x, const char *slices)
{
    DH_NEED(out, "tensor_slice", "out");
    DH_NEED(x, "tensor_slice", "x");
    dh_slice_attr attr;
    DH_TRY(dh__slice_parse(&attr, x->view.ndim, slices, "tensor_slice"));
    return dh__eager(DH_OP_SLICE, &attr, 1, &x, out);
}
