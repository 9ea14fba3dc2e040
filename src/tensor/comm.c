/* SPDX-License-Identifier: MIT */
/* Parts of one process, combined through memory of the host, a piece at a time; those of the host
 * are read and written where they are. */
#include <deephealth/sys/comm.h>
#include <string.h>

#include "team.h"
#include "tensor_impl.h"

#define PIECE (256 * 1024) /* elements */

typedef struct piece {
    const dh_comm_part *parts;
    int part_count;
    bool mean;
    int64_t room;       /* elements of staging for each part */
    const float **from; /* by part */
    float *result;
} piece;

static void combine(void *context, int64_t begin, int64_t end)
{
    const piece *p = context;
    for (int64_t k = begin; k < end; k++) {
        double first = (double)p->from[0][k], sum = first * (p->mean ? 1 : p->parts[0].weight);
        for (int i = 1; i < p->part_count; i++)
            sum += p->parts[i].weight * ((double)p->from[i][k] - (p->mean ? first : 0));
        p->result[k] = (float)sum;
    }
}

static dh_status combine_piece(piece *p, float *staging, int64_t at, int64_t n)
{
    size_t bytes = (size_t)n * sizeof(float);
    for (int i = 0; i < p->part_count; i++) {
        dh_device *device = p->parts[i].device;
        const float *data = p->parts[i].data + at;
        p->from[i] = device->host ? data : staging + i * p->room;
        if (!device->host) DH_TRY(device->copy_out(device, staging + i * p->room, data, bytes));
    }
    dh__team_ranges(n, 16384, combine, p);
    for (int i = 0; i < p->part_count; i++) {
        dh_device *device = p->parts[i].device;
        DH_TRY(device->copy_in(device, p->parts[i].data + at, p->result, bytes));
    }
    return DH_OK;
}

static dh_status combine_all(const dh_comm_part *parts, int part_count, int64_t count, bool mean)
{
    int64_t room = count < PIECE ? count : PIECE;
    if (room <= 0) return DH_OK;
    piece p = {.parts = parts, .part_count = part_count, .mean = mean, .room = room};
    p.from = dh__calloc((size_t)part_count, sizeof *p.from);
    p.result = dh__alloc((size_t)room * sizeof *p.result);
    float *staging = dh__alloc((size_t)part_count * (size_t)room * sizeof *staging);
    dh_status status = p.from && p.result && staging ? DH_OK : DH_ENOMEM;
    for (int64_t at = 0; at < count && !status; at += PIECE)
        status = combine_piece(&p, staging, at, count - at < PIECE ? count - at : PIECE);
    dh__free((void *)p.from);
    dh__free(p.result);
    dh__free(staging);
    return status;
}

static dh_status sum(dh_comm *comm, const dh_comm_part *parts, int part_count, int64_t count)
{
    DH_UNUSED(comm);
    return combine_all(parts, part_count, count, false);
}

static dh_status mean(dh_comm *comm, const dh_comm_part *parts, int part_count, int64_t count)
{
    DH_UNUSED(comm);
    return combine_all(parts, part_count, count, true);
}

dh_comm *dh_comm_host(void)
{
    static dh_comm host = {.name = "host", .size = 1, .sum = sum, .mean = mean};
    return &host;
}
