/* SPDX-License-Identifier: MIT */
#ifndef GEN_STREAMING_H
#define GEN_STREAMING_H

void print_streaming(void);

#endif
