/* SPDX-License-Identifier: MIT */
/* Names in a PATRICIA tree (Morrison 1968): a search passes at most as many nodes as the name has
 * bits, however many names there are and whoever chose them, which no hash table promises. */
#ifndef DH_NAME_TREE_H
#define DH_NAME_TREE_H

#include "base.h"

/* Part of what the caller keeps under the name; the memory is the caller's and must not move. */
typedef struct dh__name {
    const char *text;
    size_t bit; /* the one that decides here, from 1 */
    struct dh__name *child[2];
} dh__name;

typedef struct dh__name_tree {
    dh__name head;
    uint64_t steps; /* nodes passed by all searches, which tests count */
} dh__name_tree;

void dh__name_tree_init(dh__name_tree *tree); /* the tree must not move from now on */
/* NULL where text is not there. */
dh__name *dh__name_find(dh__name_tree *tree, const char *text);
/* Adds name, whose text is set, not empty and borrowed; where it is there already, the one there is
 * returned and nothing added, else name. */
dh__name *dh__name_add(dh__name_tree *tree, dh__name *name);

#endif
