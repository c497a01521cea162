/* live: the world of real brokers and real hosts.
 *
 * The inventory says where everything is; kafka/ speaks to brokers and controllers, host/ to the
 * machines.  This room turns each request of world.h into such questions, puts their answers into
 * the shapes world.h promises, and decides nothing.
 *
 * Beyond world.h it promises:
 *   - Nothing is contacted before the first request.  Connections and sessions are opened when they
 *     are needed, stay open, and are opened again when a node was restarted.
 *   - All requests are under way at once; a node is asked at most KP_KAFKA_IN_FLIGHT things at a
 *     time, a host runs at most KP_HOST_CHANNELS commands.
 *   - The answer to an action has no value, and nothing of it is in the arena that was given to
 *     send, which may be gone by then: its reply is valid until the next wait.
 *   - A question to KP_ANY_NODE goes to a node that answered before, if there is one, and to the
 *     next when the answer takes long.  An action goes to a second node only when the first cannot
 *     be reached or hangs up; the two actions on the cluster may be carried out twice without harm.
 *   - A request that cannot be carried out (an unknown node, a node of the wrong kind) is answered
 *     with an error at once.
 */
#ifndef KP_LIVE_H
#define KP_LIVE_H

#include "world/world.h"

#define KP_LIVE_REQUESTS 20000 /* requests under way at once; one more is answered with an error */

/* The world of a cluster; it lives in arena a and refers to the inventory, which must outlive it.
 * From here until the world's `done` SIGINT, SIGTERM and SIGHUP are counted instead of ending the
 * process.  `done` gives up what is under way; actions that reached a host go on there.  Secrets
 * are resolved here, so this may block while a secret's command runs.  KP_CONFIG for properties
 * and addresses that cannot work. */
kp_err *kp_live_world(kp_arena *a, const kp_inventory *inv, kp_world **ret_w) KP_MUST_USE;

/* What sudo must allow on each host, as sudoers lines below a comment that names the host; "" when
 * no node uses sudo.  Nothing is contacted. */
char *kp_live_sudoers(kp_arena *a, const kp_world *w);

typedef struct kp_live_stats {
    int64_t asked[KP_REQS]; /* requests by kind */
    int64_t round_trips;    /* questions that brokers and controllers answered */
    int64_t commands;       /* commands that hosts answered */
} kp_live_stats;

kp_live_stats kp_live_stats_of(const kp_world *w); /* of a world made by kp_live_world */

#endif
