/* SPDX-License-Identifier: MIT */
/* Drawing a graph in ranks (Sugiyama, Tagawa and Toda 1981): a node lies below all that it comes
 * from; an edge over several ranks passes each in a place of its own; orders by barycentres. */
#ifndef DH_LAYOUT_H
#define DH_LAYOUT_H

#include "base.h"

#define DH_LAYOUT_GAP 28 /* between neighbours of a rank */

typedef struct dh__edge {
    int from, to; /* from < to */
    int pass;     /* the first of the passing places, one for each rank between */
} dh__edge;

typedef struct dh__layout {
    int count, total; /* nodes; and passing places behind them */
    int edge_count, ranks;
    int *rank;
    double *width, *x; /* x: centres; everything lies in [0, right] */
    double right;
    dh__edge *edges;
} dh__layout;

/* Room for nodes and edges, whose widths and ends the caller fills in. */
dh_status dh__layout_new(dh__layout *out, int count, int edge_count);
dh_status dh__layout_place(dh__layout *layout);
void dh__layout_free(dh__layout *layout);

#endif
