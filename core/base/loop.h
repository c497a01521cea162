/* The loop: the one place in kplay that blocks.
 *
 * loop.c holds the program's only poll().  The rooms that talk to the outside (kafka, host)
 * register descriptors and timers; the live world turns the loop.  One loop per process, made by
 * the live world; one thread.  Callbacks run inside kp_loop_turn and may register and remove
 * anything, themselves included.
 */
#ifndef KP_BASE_LOOP_H
#define KP_BASE_LOOP_H

#include "base/base.h"

typedef struct kp_loop kp_loop;
typedef struct kp_watch kp_watch; /* a registered descriptor */
typedef struct kp_timer kp_timer; /* a registered deadline */

typedef void (*kp_watch_fn)(void *ud, int fd, short revents);
typedef void (*kp_timer_fn)(void *ud);

kp_loop *kp_loop_new(void);
void kp_loop_free(kp_loop *l); /* takes NULL; watches and timers still registered are dropped */

/* Call fn whenever fd has one of `events` (POLLIN, POLLOUT) or an error.  While `events` is 0 the
 * fd is not looked at at all.  The loop never owns the fd: remove the watch before closing it. */
kp_watch *kp_watch_add(kp_loop *l, int fd, short events, kp_watch_fn fn, void *ud);
void kp_watch_events(kp_watch *w, short events);
void kp_watch_remove(kp_watch *w); /* takes NULL */

/* Call fn once, at monotonic time `at` or soon after; equal times in the order they were added.
 * When fn is called its timer is gone already: do not remove it. */
kp_timer *kp_timer_add(kp_loop *l, kp_ms at, kp_timer_fn fn, void *ud);
void kp_timer_remove(kp_timer *t); /* takes NULL */

/* Wait for something to happen, at most until monotonic time `until` (KP_NEVER: no limit), run what
 * is due, return.  A signal counted by kp_loop_signals ends the wait as well. */
void kp_loop_turn(kp_loop *l, kp_ms until);

/* Turns the loop until `fd` can be read (true) or one more signal is counted (false): a person may
 * think for hours, and everything else goes on meanwhile. */
bool kp_loop_readable(kp_loop *l, int fd);

/* From now on SIGINT, SIGTERM and SIGHUP are counted (the handlers only write a byte to a pipe) and
 * SIGPIPE and SIGXFSZ are ignored (the write that raises them fails); a child that executes another
 * program sets them back to SIG_DFL first.  A SIGHUP that was ignored before (nohup) stays so.
 * kp_loop_free puts the former handlers back. */
void kp_loop_catch_signals(kp_loop *l);
int kp_loop_signals(const kp_loop *l); /* as of the last turn */

/* CLOCK_MONOTONIC, less the time that the process was frozen in kp_loop_turn (SIGSTOP, a paused
 * machine): nobody could answer it meanwhile, so no deadline runs out by it.  One thread's. */
kp_ms kp_mono_now(void);
kp_ms kp_wall_now(void); /* CLOCK_REALTIME, UTC */

#endif
