/* with_fake_broker: a tiny Kafka node on 127.0.0.1, in the same loop as what it tests.
 *
 * It reads requests and writes answers with the codec's own tables; a test says what to answer and
 * how to misbehave.  Versions of APIs outside the tables are answered by hand-made bytes (`raw`),
 * in plain versions only.
 */
#ifndef WITH_FAKE_BROKER_H
#define WITH_FAKE_BROKER_H

#include "kafka/codec.h"

enum { FAKE_PEERS = 16, FAKE_RANGES = 64 };

typedef struct fake_broker fake_broker;

typedef struct fake_request {
    int api, version;
    const char *client_id;
    const void *message;       /* by the tables; NULL for an API outside them */
    const unsigned char *body; /* of an API outside the tables */
} fake_request;

/* The answer, made in a, or NULL to say nothing.  Not asked for ApiVersions. */
typedef const void *(*fake_answer_fn)(void *ud, fake_broker *f, const fake_request *rq,
                                      kp_arena *a);
/* The body of an answer by hand. */
typedef void (*fake_raw_fn)(void *ud, fake_broker *f, const fake_request *rq, kp_buf *body);

typedef struct fake_peer {
    fake_broker *f;
    int fd; /* -1: free */
    kp_watch *watch;
    kp_buf in;
} fake_peer;

struct fake_broker {
    /* what it says */
    fake_answer_fn answer;
    fake_raw_fn raw;
    void *ud;
    kp_api_versions_response versions; /* the tables' own ranges unless a test changes them */
    kp_api_range ranges[FAKE_RANGES];
    /* how it misbehaves */
    int versions_max;       /* above it ApiVersions is answered with error 35 in v0 */
    bool versions_hidden;   /* ... and without a list of versions */
    bool mute;              /* reads and never answers */
    bool mute_but_versions; /* answers nothing but ApiVersions */
    bool hold;              /* keeps answers back until fake_release */
    int surplus;            /* bytes too many at the end of each answer */
    int correlation_off;    /* added to the correlation id of all but ApiVersions */
    int cut;                /* bytes of the next answer that are sent before it closes */
    const char *greeting;   /* sent at once to who connects */
    size_t greeting_n;
    /* what it saw */
    int connections, requests; /* requests without ApiVersions */
    int last_version;          /* of the last of them */
    char client_id[64];

    kp_loop *l;
    int fd;
    kp_watch *watch;
    char address[32];
    uint16_t port;
    fake_peer peers[FAKE_PEERS];
    kp_buf held[FAKE_PEERS];
};

fake_broker *fake_start(kp_loop *l, uint16_t port); /* 0: any free port */
void fake_stop(fake_broker *f);
void fake_hang_up(fake_broker *f); /* close all connections, go on listening */
void fake_release(fake_broker *f); /* send what was held, hold no more */

/* The range of one API in f->versions; min > max takes it out. */
void fake_range(fake_broker *f, int api, int min, int max);

/* Turn the loop until *done, at most `limit` ms; false when the time is over. */
bool fake_wait(kp_loop *l, const bool *done, kp_ms limit);
void fake_turn(kp_loop *l, kp_ms time); /* turn it for that long */

/* Big-endian values for `raw`. */
void fake_put(kp_buf *b, int width, int64_t v);
void fake_put_string(kp_buf *b, const char *s);

#endif
