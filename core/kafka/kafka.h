/* kafka: what kplay says to brokers and controllers.
 *
 * It speaks Kafka's protocol itself, because the questions of an upgrade go to a *chosen* node and
 * to controllers, which no client library offers: one connection per node, several requests under
 * way on it, each call with a deadline of its own.
 *
 * Nothing here blocks but getaddrinfo (when a connection is opened to a name).  All callbacks are
 * made by the loop, never from inside the function that was given them.
 *
 * This release speaks PLAINTEXT only.
 */
#ifndef KP_KAFKA_H
#define KP_KAFKA_H

#include "base/base.h"
#include "kafka/messages.h"
#include "value/value.h"

/* ---- the client ---- */

typedef struct kp_kafka kp_kafka;

#define KP_KAFKA_NODES 4096    /* most nodes known at once */
#define KP_KAFKA_IN_FLIGHT 5   /* most requests under way on one connection */
#define KP_KAFKA_WAITING 10000 /* most calls that may be open on one node */

/* Properties are a map of librdkafka's names to text, with bootstrap.controllers besides (KIP-919;
 * read by the caller).  `about` has for each name {where = its place in the file, secret = true
 * when its text must not be shown}; NULL: nothing is known of any.  KP_CONFIG, at that place, for a
 * name or a value librdkafka does not know, for values it does not start with, for what kplay sets
 * itself (group.id: it belongs to no group), and for a security.protocol other than PLAINTEXT.  No
 * connection is made. */
kp_err *kp_kafka_new(kp_loop *l, const kp_value *properties, const kp_value *about,
                     kp_kafka **ret_k) KP_MUST_USE;

/* Takes NULL.  Calls still open end without their callback.  Not from inside a callback. */
void kp_kafka_free(kp_kafka *k);

/* Make a node known, or give it another address, "host:port" or "[v6]:port"; calls open on the old
 * address end as closed.  The id is the caller's: a node that is broker and controller has two
 * listeners and needs two ids.  KP_CONFIG for an address that is none. */
kp_err *kp_kafka_node(kp_kafka *k, int id, const char *address) KP_MUST_USE;

/* err is owned by the callee; NULL means success, and then response is the struct of that API, in
 * the arena of the call.  Errors of the cluster inside a response (error_code) are no err. */
typedef void (*kp_kafka_fn)(void *ud, kp_err *err, const void *response);

/* Ask a node.  The request is copied, response and copy go to arena a, which must live until fn is
 * called.  A connection is opened when there is none.  fn is called exactly once, by the loop, at
 * `deadline` (monotonic) at the latest, unless the call is cancelled.  For KP_API_VERSIONS request
 * may be NULL.  The version sent is the highest that both sides speak; a request that the node's
 * version cannot express fails. Errors are KP_CLUSTER (KP_INTERNAL for an unknown node or API, or a
 * null where none is allowed), their `where` is the node and its address; kp_kafka_stat tells how
 * it ended in one word.  Retriable is set when no answer came (refused, timed out, closed): the
 * request may or may not have been carried out. Returns a ticket for kp_kafka_cancel, never 0. */
uint64_t kp_kafka_call(kp_kafka *k, int node_id, kp_api_key api, const void *request, kp_arena *a,
                       kp_ms deadline, kp_kafka_fn fn, void *ud);

/* fn of that call is not called any more; nothing happens when it was.  The request may have been
 * sent. */
void kp_kafka_cancel(kp_kafka *k, uint64_t ticket);

/* The ApiVersions answer of the node's open connection, valid until the loop turns; NULL when there
 * is none.  It is as old as the connection: for finalized features that must be fresh, call
 * KP_API_VERSIONS. */
const kp_api_versions_response *kp_kafka_api_versions(const kp_kafka *k, int node_id);

/* How the last call to a node ended, as far as the network is concerned. */
typedef enum kp_link {
    KP_LINK_UNTRIED,
    KP_LINK_OK,        /* it answered */
    KP_LINK_REFUSED,   /* no connection: refused, no route, unknown name */
    KP_LINK_TIMED_OUT, /* no connection or no answer until the deadline */
    KP_LINK_CLOSED,    /* it closed the connection before the answer was whole */
    KP_LINK_PROTOCOL,  /* what it sent is not Kafka, or not an answer to the question */
} kp_link;

typedef struct kp_node_stat {
    kp_link link;
    int64_t rtt_us;   /* last round trip in microseconds, to the whole answer; -1: none yet */
    int64_t requests; /* sent since the node was made known */
} kp_node_stat;

/* Untried, -1 and 0 for an unknown node. */
kp_node_stat kp_kafka_stat(const kp_kafka *k, int node_id);
const char *kp_link_name(kp_link link); /* "refused", "timed out", ... */

/* ---- error codes (org.apache.kafka.common.protocol.Errors, 2.8 to 4.3) ---- */

typedef struct kp_kafka_code {
    int16_t code;
    bool retriable;   /* Kafka's own clients try again */
    const char *name; /* "NOT_CONTROLLER" */
    const char *text; /* a few plain words */
} kp_kafka_code;

kp_kafka_code kp_kafka_code_of(int code); /* an unknown code is "UNKNOWN", not retriable */

/* A code that is not 0 as an error of class KP_CLUSTER; `message` is the node's own, or NULL. */
kp_err *kp_kafka_code_err(int code, const char *message);

/* ---- what an ApiVersions answer says about the node that gave it ---- */

typedef enum kp_node_mode {
    KP_MODE_UNKNOWN,
    KP_MODE_ZOOKEEPER,  /* a broker in ZooKeeper mode */
    KP_MODE_HYBRID,     /* a broker in ZooKeeper mode with the migration flag (KIP-866) */
    KP_MODE_KRAFT,      /* a broker in KRaft mode */
    KP_MODE_CONTROLLER, /* the controller listener of a KRaft node */
} kp_node_mode;

typedef struct kp_fingerprint {
    kp_node_mode mode;
    kp_version line; /* release line, patch -1; 0.0 when it cannot be told */
} kp_fingerprint;

/* The patch release cannot be seen on the wire.  A node with unstable.feature.versions.enable looks
 * newer than it is. */
kp_fingerprint kp_kafka_fingerprint(const kp_api_versions_response *r);
const char *kp_node_mode_name(kp_node_mode mode); /* "zookeeper", "hybrid", ... */

#endif
