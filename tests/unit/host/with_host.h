/* A place for the tests of the room `host`: a directory of its own that looks like a Kafka host, a
 * fake broker, a loop, and waiting for answers.
 *
 * Everything that is started ends by itself when the directory is removed, and after a minute at
 * the latest, so that a test that fails leaves nothing behind. */
#ifndef WITH_HOST_H
#define WITH_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/host.h"

typedef struct place {
    kp_arena *a;
    kp_loop *l;
    kp_hosts *hs;
    const char *dir;
    const char *config; /* DIR/etc/server.properties */
    kp_host_spec spec;  /* of a local host in DIR; a test changes it before place_host */
} place;

typedef struct answer {
    int calls;
    kp_err *err;
    const kp_value *v;
} answer;

int place_setup(void **state);
int place_teardown(void **state);

/* printf to a file below the directory; returns its path.  Parents are made. */
const char *place_write(place *p, const char *name, const char *fmt, ...) KP_PRINTF(3, 4);
const char *place_path(place *p, const char *name);
char *place_read(place *p, const char *name); /* "" when it is not there */
bool place_has(place *p, const char *name);

kp_host *place_host(place *p);

/* kp_host_fn with an answer as ud. */
void place_answer(void *ud, kp_err *err, const kp_value *v);
/* Turns the loop until it has come, at most 30 s. */
void place_wait(place *p, answer *r);
void place_turn_for(place *p, kp_ms d);
kp_ms place_soon(void); /* a deadline nothing should meet */

/* Waits, and demands success or the error: class, and a part of what it says. */
const kp_value *place_ok(place *p, answer *r);
void place_fails(place *p, answer *r, kp_class cls, const char *part);

/* Runs a script on the host and returns what it printed. */
const char *place_sh(place *p, kp_host *h, const char *script);
const kp_value *place_state(place *p, kp_host *h, const char *cluster, int64_t log_since);
void place_fence(place *p, kp_host *h, const char *cluster, int64_t epoch, const char *holder);

/* A process whose command line is a broker's: .../kafka-clients-RELEASE.jar kafka.Kafka CONFIG. */
int place_broker(place *p, const char *release, const char *config);
/* Likewise, with a class path and, when it is not NULL, with --override OVERRIDE. */
int place_broker_with(const char *class_path, const char *config, const char *override);
/* Likewise, with the options of its JVM. */
int place_broker_jvm(const char *const *options, const char *config);
bool place_alive(int pid);
void place_gone(place *p, int pid); /* waits until it is */
int place_count(const char *text, const char *part);

#endif
