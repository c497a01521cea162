/* The last resort against a script that does not come back: a timer over processor time.
 *
 * The work counter stops nearly everything, and in the same place each time.  What it cannot see
 * is an instruction that takes long by itself, two large texts compared for instance.  The timer
 * runs only while the script does, and starts again with every verb.  Its first signal is seen by
 * the next hook; when a second one comes no hook is called any more, and the process ends: what the
 * journal has is on disk already, so the run can be resumed.
 */
#include "kl.h"

#include <signal.h>
#include <unistd.h>

#define WATCH_SECONDS 20 /* of processor time between two verbs */
#define GRACE_SECONDS 3  /* from the first signal to the second */

static volatile sig_atomic_t signals; /* of the script that runs */

static void on_signal(int sig)
{
    (void)sig;
    if (signals++ == 0)
        return;
    static const char text[] =
        "kplay: the playbook does not come back from a computation and was ended\n"
        "next  look for a loop over large texts in it; then: kplay resume\n";
    ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    (void)n;
    _exit(1);
}

void kl_watch_on(kp_script *s)
{
    struct itimerspec when = { .it_value = { .tv_sec = WATCH_SECONDS },
                               .it_interval = { .tv_sec = GRACE_SECONDS } };

    signals = 0;
    if (!s->watched) {
        struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
        struct sigevent how = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
        sigemptyset(&act.sa_mask);
        if (sigaction(SIGRTMIN, &act, NULL) != 0 ||
            timer_create(CLOCK_THREAD_CPUTIME_ID, &how, &s->timer) != 0)
            return; /* no timer left on this machine: the work counter is there */
        s->watched = true;
    }
    timer_settime(s->timer, 0, &when, NULL);
}

void kl_watch_off(kp_script *s)
{
    struct itimerspec never = { 0 };

    if (s->watched)
        timer_settime(s->timer, 0, &never, NULL);
}

void kl_watch_end(kp_script *s)
{
    if (s->watched)
        timer_delete(s->timer);
    s->watched = false;
}

bool kl_watch_rang(void)
{
    return signals > 0;
}
