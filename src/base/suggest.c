/* SPDX-License-Identifier: MIT */
/* Names: choices in "a|b|c", and the near names that an error offers. Nothing is allocated, so that
 * the text can be made while memory is short. */
#include "base.h"

#include <string.h>

enum { MAX_NAME = 63, MAX_NEAR = 3 };

/* A known name, not ended by '\0' where it stands in "a|b|c". */
typedef struct span {
    const char *text;
    size_t length;
} span;

/* Gives the i-th known name; false at the end. */
typedef struct name_source {
    bool (*next)(const struct name_source *source, int i, span *out);
    const char *(*names)(int i, const void *payload);
    const void *payload;
    const char *choices;
} name_source;

static bool next_of_callback(const name_source *source, int i, span *out)
{
    const char *name = source->names(i, source->payload);
    if (!name) return false;
    *out = (span){name, strlen(name)};
    return true;
}

static bool find_choice(const char *choices, int index, span *out)
{
    if (!choices || index < 0 || !choices[0]) return false;
    for (int i = 0;; i++) {
        size_t length = strcspn(choices, "|");
        if (i == index) {
            *out = (span){choices, length};
            return true;
        }
        if (choices[length] == '\0') return false;
        choices += length + 1;
    }
}

static bool next_of_choices(const name_source *source, int i, span *out)
{
    return find_choice(source->choices, i, out);
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b, capital letters being small: the
 * restricted Damerau-Levenshtein distance, with three rows of its table. */
static int edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int rows[3][MAX_NAME + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++) above[j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= b_length; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            int best = min_int(above[j] + 1, row[j - 1] + 1);
            best = min_int(best, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                best = min_int(best, before[j - 2] + 1);
            row[j] = best;
        }
        int *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_length];
}

/* Distance where the names are near to each other, -1 where they are not. A name that begins with
 * what was written is near too: "categorical" for "categorical_accuracy". */
static int near_distance(const char *name, size_t length, span known)
{
    if (length > MAX_NAME || known.length > MAX_NAME || known.length == 0 || length == 0) return -1;
    size_t longer = length > known.length ? length : known.length;
    int limit = longer <= 2 ? 1 : longer <= 5 ? 2 : (int)(longer / 3);
    int distance = edit_distance(name, length, known.text, known.length);
    /* more edits than letters were written keep nothing of them: "1" is not near "u16" */
    if (distance <= limit && distance < (int)longer && distance <= (int)length) return distance;
    size_t common = length < known.length ? length : known.length;
    if (common >= 3 && edit_distance(name, common, known.text, common) == 0) return limit + 1;
    return -1;
}

/* Appends what fits; always ended by '\0'. */
static void append(char *buffer, size_t size, size_t *used, const char *text, size_t length)
{
    if (*used + 1 >= size) return;
    size_t room = size - *used - 1;
    if (length > room) length = room;
    memcpy(buffer + *used, text, length);
    *used += length;
    buffer[*used] = '\0';
}

static void append_text(char *buffer, size_t size, size_t *used, const char *text)
{
    append(buffer, size, used, text, strlen(text));
}

static int find_near(span near[MAX_NEAR], const char *name, const name_source *source)
{
    int distances[MAX_NEAR], count = 0;
    size_t length = strlen(name);
    span known;
    for (int i = 0; source->next(source, i, &known); i++) {
        int distance = near_distance(name, length, known);
        if (distance < 0) continue;
        int at = count < MAX_NEAR ? count++ : MAX_NEAR;
        for (; at > 0 && distances[at - 1] > distance; at--) {
            if (at == MAX_NEAR) continue;
            distances[at] = distances[at - 1];
            near[at] = near[at - 1];
        }
        if (at < MAX_NEAR) {
            distances[at] = distance;
            near[at] = known;
        }
    }
    return count;
}

static const char *suggest(char *buffer, size_t size, const char *name, const name_source *source)
{
    if (!buffer || size == 0) return "";
    buffer[0] = '\0';
    size_t used = 0;
    span near[MAX_NEAR], known;
    int count = find_near(near, name ? name : "", source);
    for (int i = 0; i < count; i++) {
        append_text(buffer, size, &used,
                    i == 0           ? ", did you mean \""
                    : i == count - 1 ? "\" or \""
                                     : "\", \"");
        append(buffer, size, &used, near[i].text, near[i].length);
    }
    if (count) {
        append_text(buffer, size, &used, "\"?");
        return buffer;
    }
    bool first = true;
    for (int i = 0; source->next(source, i, &known); i++) {
        if (known.length == 0) continue; /* in "|a|b" no name has index 0 */
        const char *separator = first ? "; known: " : ", ";
        size_t room = size - used;
        if (room < strlen(separator) + known.length + sizeof ", ...") {
            if (!first) append_text(buffer, size, &used, ", ...");
            break;
        }
        append_text(buffer, size, &used, separator);
        append(buffer, size, &used, known.text, known.length);
        first = false;
    }
    return buffer;
}

const char *dh__suggest(char *buffer, size_t size, const char *name,
                        const char *(*names)(int i, const void *payload), const void *payload)
{
    name_source source = {.next = next_of_callback, .names = names, .payload = payload};
    if (!names) source = (name_source){.next = next_of_choices};
    return suggest(buffer, size, name, &source);
}

const char *dh__suggest_choices(char *buffer, size_t size, const char *name, const char *choices)
{
    name_source source = {.next = next_of_choices, .choices = choices};
    return suggest(buffer, size, name, &source);
}

int dh__choice_index(const char *choices, const char *name)
{
    if (!name || !name[0]) return -1;
    size_t length = strlen(name);
    span known;
    for (int i = 0; find_choice(choices, i, &known); i++)
        if (known.length == length && memcmp(known.text, name, length) == 0) return i;
    return -1;
}

const char *dh__choice_name(char *buffer, size_t size, const char *choices, int index)
{
    if (!buffer || size == 0) return "";
    buffer[0] = '\0';
    span known;
    size_t used = 0;
    if (find_choice(choices, index, &known)) append(buffer, size, &used, known.text, known.length);
    return buffer;
}
