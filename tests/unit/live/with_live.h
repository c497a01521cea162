/* A live world for the tests of the room: a cluster file whose nodes are this machine (transport
 * `local`, below a directory of its own) and whose listeners nobody listens on, until a test says
 * otherwise. */
#ifndef WITH_LIVE_H
#define WITH_LIVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "live/inner.h"

typedef struct site {
    kp_arena *a;
    const char *dir;
    const kp_inventory *inv;
    kp_world *w;
    kp_live *lv; /* the same */
    int deaf;    /* a socket that is connected to and never answers */
    const char *deaf_address;
} site;

/* Brokers 1 .. n and controllers 3001 .. */
site *site_new(int brokers, int controllers);
/* The same nodes are brokers and controllers. */
site *site_new_combined(int nodes);
void site_end(site *s);

void site_at(site *s, int listener, const char *address);
void site_deaf(site *s, int listener);

/* Sends it and waits for its one reply, at most 30 s; fails when another one comes, or a second
 * one. */
kp_reply site_ask(site *s, kp_request q);
const kp_value *site_value(site *s, kp_request q);
const kp_view *site_view(site *s, kp_request q);
/* It is answered with an error of that class that says `part`; then whether that may be tried
 * again. */
bool site_fails(site *s, kp_request q, kp_class cls, const char *part);
void site_quiet(site *s, kp_ms d); /* no reply comes for that long */

const kp_value *json(site *s, const char *text);
#define assert_json(s, v, text) assert_string_equal(kp_json_text((s)->a, v), text)

/* Files below the directory of a node. */
const char *site_path(site *s, int node, const char *name);
const char *site_write(site *s, int node, const char *name, const char *text);
char *site_read(site *s, int node, const char *name); /* "" when it is not there */

#endif
