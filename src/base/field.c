/* SPDX-License-Identifier: MIT */
/* Field tables: defaults, checks, reading from text, printing. Integers are compared with their
 * double bounds exactly, floats with the bounds rounded to float. */
#include "base_impl.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

const dh_field *dh_field_find(const dh_field *table, const char *name)
{
    if (!table || !name) return NULL;
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0) return table;
    return NULL;
}

/* --- exact comparisons --- */

static int64_t saturate(double x)
{
    if (isnan(x)) return 0;
    if (x >= 0x1p63) return INT64_MAX;
    return x < -0x1p63 ? INT64_MIN : (int64_t)x;
}

static bool int_in_range(int64_t v, double min, double max)
{
    if (isnan(min) || isnan(max) || min >= 0x1p63 || max < -0x1p63) return false;
    return v >= saturate(ceil(min)) && v <= saturate(floor(max));
}

static float to_float(double x)
{
    if (x > (double)FLT_MAX) return INFINITY;
    return x < -(double)FLT_MAX ? -INFINITY : (float)x;
}

bool dh_field_required(const dh_field *field)
{
    return field && !(field->dflt >= field->min && field->dflt <= field->max);
}

/* --- the value of a member, whatever its kind --- */

bool dh__field_load(dh__field_value *out, const dh_field *field, const void *data)
{
    memset(out, 0, sizeof *out);
    if (field->kind == DH_FIELD_OPAQUE || field->size > sizeof *out) return false;
    memcpy(out, (const char *)data + field->offset, field->size);
    return true;
}

static bool same_value(const dh_field *field, const dh__field_value *a, const dh__field_value *b)
{
    if (field->kind == DH_FIELD_STRING)
        return a->s == b->s || (a->s && b->s && !strcmp(a->s, b->s));
    if (field->kind != DH_FIELD_INTS) return !memcmp(a, b, field->size);
    return a->ints.count == b->ints.count &&
           !memcmp(a->ints.v, b->ints.v, (size_t)a->ints.count * sizeof a->ints.v[0]);
}

bool dh__fields_same(const dh_field *table, const void *a, const void *b)
{
    dh__field_value x, y;
    for (; table && table->name; table++)
        if (dh__field_load(&x, table, a) && dh__field_load(&y, table, b) &&
            !same_value(table, &x, &y))
            return false;
    return true;
}

static int array_length(const dh_field *field)
{
    size_t element = field->kind == DH_FIELD_INT_ARRAY ? sizeof(int) : sizeof(int64_t);
    size_t length = field->size / element, most = 2 * DH_MAX_NDIM;
    return (int)(length < most ? length : most);
}

dh_ints dh__field_list(const dh_field *field, const dh__field_value *value)
{
    dh_ints list = {0};
    for (int i = 0; i < array_length(field); i++) {
        list.v[i] = field->kind == DH_FIELD_INT_ARRAY ? value->array[i] : value->array64[i];
        if (list.v[i]) list.count = i + 1;
    }
    return list;
}

bool dh__field_array(dh__field_value *out, const dh_field *field, const dh_ints *list)
{
    dh__field_value value;
    memset(&value, 0, sizeof value);
    if (list->count < 0 || list->count > array_length(field)) return false;
    for (int i = 0; i < list->count; i++) {
        int64_t v = list->v[i];
        if (field->kind == DH_FIELD_INT64_ARRAY)
            value.array64[i] = v;
        else if (v >= INT_MIN && v <= INT_MAX)
            value.array[i] = (int)v;
        else
            return false;
    }
    *out = value;
    return true;
}

static void store(const dh_field *field, void *data, const dh__field_value *value)
{
    memcpy((char *)data + field->offset, value, field->size);
}

static dh__field_value default_value(const dh_field *field)
{
    dh__field_value value;
    memset(&value, 0, sizeof value);
    if (dh_field_required(field)) return value;
    int64_t whole = saturate(field->dflt);
    switch (field->kind) {
    case DH_FIELD_BOOL: value.boolean = field->dflt != 0; break;
    case DH_FIELD_INT:
    case DH_FIELD_CHOICE:
        value.i = whole > INT_MAX ? INT_MAX : whole < INT_MIN ? INT_MIN : (int)whole;
        break;
    case DH_FIELD_INT64: value.i64 = whole; break;
    case DH_FIELD_FLOAT: value.f = to_float(field->dflt); break;
    case DH_FIELD_DOUBLE: value.d = field->dflt; break;
    case DH_FIELD_STRING: /* NULL */
    case DH_FIELD_INTS:   /* the empty list */
    case DH_FIELD_INT_ARRAY:
    case DH_FIELD_INT64_ARRAY:
    case DH_FIELD_OPAQUE: break;
    }
    return value;
}

static bool is_zero(const dh_field *field, const dh__field_value *value)
{
    switch (field->kind) {
    case DH_FIELD_BOOL: return value->boolean == 0;
    case DH_FIELD_INT:
    case DH_FIELD_CHOICE: return value->i == 0;
    case DH_FIELD_INT64: return value->i64 == 0;
    case DH_FIELD_FLOAT: return dh__absent((double)value->f);
    case DH_FIELD_DOUBLE: return dh__absent(value->d);
    case DH_FIELD_STRING: return value->s == NULL;
    case DH_FIELD_INTS: return value->ints.count == 0;
    case DH_FIELD_INT_ARRAY:
    case DH_FIELD_INT64_ARRAY: return dh__field_list(field, value).count == 0;
    case DH_FIELD_OPAQUE: break;
    }
    return false;
}

void dh_field_defaults(const dh_field *table, void *data)
{
    if (!table || !data) return;
    for (; table->name; table++) {
        dh__field_value value = default_value(table);
        if (table->kind != DH_FIELD_OPAQUE && table->size <= sizeof value)
            store(table, data, &value);
        else
            memset((char *)data + table->offset, 0, table->size);
    }
}

void dh_field_fill(const dh_field *table, void *data)
{
    if (!table || !data) return;
    for (; table->name; table++) {
        dh__field_value value;
        if (!dh__field_load(&value, table, data) || !is_zero(table, &value)) continue;
        value = default_value(table);
        store(table, data, &value);
    }
}

/* --- checks --- */

/* "must be in [1, 4096]", or one-sided where the other bound is none: infinite, or beyond int64_t.
 */
static const char *describe_range(char *buffer, size_t size, const dh_field *field)
{
    bool real = field->kind == DH_FIELD_FLOAT || field->kind == DH_FIELD_DOUBLE;
    double most = real ? DBL_MAX : 0x1p63;
    bool low = field->min > -most, high = field->max < most;
    if (low && high)
        (void)dh__format(buffer, size, "must be in [%.15g, %.15g]", field->min, field->max);
    else if (low)
        (void)dh__format(buffer, size, "must be at least %.15g", field->min);
    else if (high)
        (void)dh__format(buffer, size, "must be at most %.15g", field->max);
    else
        (void)dh__format(buffer, size, "must be a number");
    return buffer;
}

static dh_status check_int(const dh_field *field, int64_t v, const char *who)
{
    char range[96];
    if (int_in_range(v, field->min, field->max)) return DH_OK;
    return dh_fail(DH_EINVAL, "%s: %s is %lld, %s", who, field->name, (long long)v,
                   describe_range(range, sizeof range, field));
}

static dh_status check_real(const dh_field *field, double v, const char *who)
{
    char range[96];
    bool single = field->kind == DH_FIELD_FLOAT;
    double min = single ? (double)to_float(field->min) : field->min;
    double max = single ? (double)to_float(field->max) : field->max;
    if (v >= min && v <= max) return DH_OK;
    return dh_fail(DH_EINVAL, "%s: %s is %.9g, %s", who, field->name, v + 0,
                   describe_range(range, sizeof range, field));
}

static dh_status check_string(const dh_field *field, const char *s, const char *who)
{
    char near[256];
    if (!s) {
        DH_REQUIRE(!dh_field_required(field), DH_EINVAL, "%s: %s is required, it is NULL", who,
                   field->name);
        return DH_OK;
    }
    if (!field->choices || dh__choice_index(field->choices, s) >= 0) return DH_OK;
    return dh_fail(DH_ENAME, "%s: %s is \"%.60s\", which names no choice%s", who, field->name, s,
                   dh__suggest_choices(near, sizeof near, s, field->choices));
}

static dh_status check_ints(const dh_field *field, const dh_ints *ints, const char *who)
{
    char range[96];
    DH_REQUIRE(ints->count >= 0 && ints->count <= (int)DH_COUNT(ints->v), DH_EINVAL,
               "%s: %s has %d elements, must be in [0, %d]", who, field->name, ints->count,
               (int)DH_COUNT(ints->v));
    DH_REQUIRE(ints->count > 0 || !dh_field_required(field), DH_EINVAL,
               "%s: %s is required, it has 0 elements", who, field->name);
    for (int i = 0; i < ints->count; i++)
        DH_REQUIRE(int_in_range(ints->v[i], field->min, field->max), DH_EINVAL,
                   "%s: %s[%d] is %lld, %s", who, field->name, i, (long long)ints->v[i],
                   describe_range(range, sizeof range, field));
    return DH_OK;
}

static dh_status check_value(const dh_field *field, const dh__field_value *value, const char *who)
{
    char name[8], names[256];
    dh_ints list;
    switch (field->kind) {
    case DH_FIELD_BOOL:
        DH_REQUIRE(value->boolean <= 1, DH_EINVAL, "%s: %s is %d, must be true or false", who,
                   field->name, value->boolean);
        return DH_OK;
    case DH_FIELD_INT: return check_int(field, value->i, who);
    case DH_FIELD_INT64: return check_int(field, value->i64, who);
    case DH_FIELD_FLOAT: return check_real(field, (double)value->f, who);
    case DH_FIELD_DOUBLE: return check_real(field, value->d, who);
    case DH_FIELD_STRING: return check_string(field, value->s, who);
    case DH_FIELD_INTS: return check_ints(field, &value->ints, who);
    case DH_FIELD_INT_ARRAY:
    case DH_FIELD_INT64_ARRAY:
        list = dh__field_list(field, value);
        return check_ints(field, &list, who);
    case DH_FIELD_CHOICE:
        if (dh__choice_name(name, sizeof name, field->choices, value->i)[0]) return DH_OK;
        return dh_fail(DH_EINVAL, "%s: %s is %d, which names no choice%s", who, field->name,
                       value->i, dh__suggest_choices(names, sizeof names, "", field->choices));
    case DH_FIELD_OPAQUE: break;
    }
    return DH_OK;
}

dh_status dh_field_check(const dh_field *table, const void *data, const char *who)
{
    if (!who) who = "field_check";
    DH_REQUIRE(table && data, DH_EINVAL, "%s: %s is NULL", who, table ? "data" : "table");
    for (; table->name; table++) {
        dh__field_value value;
        if (dh__field_load(&value, table, data)) DH_TRY(check_value(table, &value, who));
    }
    return DH_OK;
}
