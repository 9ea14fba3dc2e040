/* SPDX-License-Identifier: MIT */
/* Each node has a name and a bit; bits grow on the way down. A link that leads to a node of no
 * larger bit leads back up: the name of that node is the only one that may be the one wanted. */
#include "name_tree.h"

#include <string.h>

/* Bit i, counted from 1, the highest of a byte first; zero past the end. */
static int bit_of(const char *text, size_t length, size_t i)
{
    size_t byte = (i - 1) / 8;
    return byte < length ? (uint8_t)text[byte] >> (7 - (i - 1) % 8) & 1 : 0;
}

static size_t first_difference(const char *a, const char *b)
{
    size_t byte = 0, bit = 0;
    while (a[byte] == b[byte]) byte++;
    for (int both = (uint8_t)a[byte] ^ (uint8_t)b[byte]; !(both & 0x80); both <<= 1) bit++;
    return byte * 8 + bit + 1;
}

/* Goes down for text to the first link that leads up or to a bit of at least most; *parent is where
 * that link starts and *side which of the two it is. */
static dh__name *descend(dh__name_tree *tree, const char *text, size_t most, dh__name **parent,
                         int *side)
{
    size_t length = strlen(text);
    *parent = &tree->head;
    *side = 0;
    for (;;) {
        dh__name *next = (*parent)->child[*side];
        tree->steps++;
        if (next->bit <= (*parent)->bit || next->bit >= most) return next;
        *parent = next;
        *side = bit_of(text, length, next->bit);
    }
}

void dh__name_tree_init(dh__name_tree *tree)
{
    *tree = (dh__name_tree){.head = {.text = ""}};
    tree->head.child[0] = tree->head.child[1] = &tree->head;
}

dh__name *dh__name_find(dh__name_tree *tree, const char *text)
{
    int side;
    dh__name *parent, *near = descend(tree, text, SIZE_MAX, &parent, &side);
    return near != &tree->head && strcmp(near->text, text) == 0 ? near : NULL;
}

dh__name *dh__name_add(dh__name_tree *tree, dh__name *name)
{
    int side;
    dh__name *parent, *near = descend(tree, name->text, SIZE_MAX, &parent, &side);
    if (strcmp(near->text, name->text) == 0) return near;
    name->bit = first_difference(near->text, name->text);
    near = descend(tree, name->text, name->bit, &parent, &side);
    int own = bit_of(name->text, strlen(name->text), name->bit);
    name->child[own] = name;
    name->child[!own] = near;
    parent->child[side] = name;
    return name;
}
