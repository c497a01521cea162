/* with_wire: random messages, equality and hex, for the tests of the wire codec.  All of it walks
 * the schemas, so that an API added to the tables is tested without another line. */
#ifndef WITH_WIRE_H
#define WITH_WIRE_H

#include "kafka/codec.h"

/* A seeded generator: the same seed gives the same messages everywhere. */
typedef struct wire_dice {
    uint64_t state;
} wire_dice;

/* A message that this version can carry. */
void *wire_random(kp_arena *a, wire_dice *d, const kp_schema *s, int version);

bool wire_equal(const kp_schema *s, const void *x, const void *y);

/* The schema of a request or a response. */
static inline const kp_schema *wire_side(const kp_api *api, int response)
{
    return response ? api->response : api->request;
}

/* Bytes from "00 12 'kplay' ff": hex pairs and quoted text, spaces ignored. */
void wire_hex(kp_buf *out, const char *hex);

#endif
