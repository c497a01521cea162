/* Locks: who holds one is named, and the end of the holder, however it comes, is the end of it. */
#include "with_disk.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/inside.h"

typedef struct fixture {
    char *dir;
    kp_arena *a;
} fixture;

static int set_up(void **state)
{
    fixture *x = calloc(1, sizeof *x);
    x->dir = dir_new();
    x->a = kp_arena_new("test", 4u << 20);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    fixture *x = *state;
    kp_arena_free(x->a);
    dir_free(x->dir);
    free(x);
    return 0;
}

static const char *in(fixture *x, const char *name)
{
    return kp_printf(x->a, "%s/%s", x->dir, name);
}

static void end_child(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

typedef enum heir { NO_HEIR, EXECS, ONLY_FORKS } heir;

/* A child that opens run "s" and waits to be killed; `ret_heir` is a child of its own, which
 * outlives it and does or does not exec. */
static pid_t holder(fixture *x, heir kind, pid_t *ret_heir)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        kp_journal *j;
        pid_t heir_pid = 0;
        if (kp_journal_open(x->a, &kp_disk_real, x->dir, "s", &j))
            _exit(2);
        if (kind != NO_HEIR)
            heir_pid = fork();
        if (kind != NO_HEIR && heir_pid == 0) {
            if (kind == EXECS) /* the pipe closes with it: the test knows that it is running */
                execlp("sleep", "sleep", "60", (char *)NULL);
            close(ends[1]);
            alarm(1800);
            pause();
            _exit(0);
        }
        if (write(ends[1], &heir_pid, sizeof heir_pid) != sizeof heir_pid)
            _exit(2);
        close(ends[1]);
        alarm(1800);
        pause();
        _exit(0);
    }
    close(ends[1]);
    pid_t heir_pid = -1;
    char more;
    assert_int_equal(read(ends[0], &heir_pid, sizeof heir_pid), sizeof heir_pid);
    assert_int_equal(read(ends[0], &more, 1), 0);
    close(ends[0]);
    if (ret_heir)
        *ret_heir = heir_pid;
    return pid;
}

static void make_run(fixture *x)
{
    kp_journal *j;
    OK(sample_create(x->a, &kp_disk_real, x->dir, "s", &j));
    kp_journal_free(j);
}

static kp_err *open_and_close(fixture *x)
{
    kp_journal *j;
    KP_TRY(kp_journal_open(x->a, &kp_disk_real, x->dir, "s", &j));
    kp_journal_free(j);
    return NULL;
}

/* ---- */

static void one_process_at_a_time(void **state)
{
    fixture *x = *state;
    make_run(x);
    pid_t pid = holder(x, NO_HEIR, NULL);
    const char *day = kp_strndup(x->a, kp_time_text(x->a, kp_wall_now()), 10);
    ERROR(open_and_close(x), KP_REFUSED,
          kp_printf(x->a, "run s is open in process %d on this machine since %s", (int)pid, day));
    kp_holder h;
    assert_true(kp_lock_held(in(x, "s/lock"), &h));
    assert_int_equal(h.pid, pid);
    ERROR(open_and_close(x), KP_REFUSED, "open in process"); /* asking did not free it */
    end_child(pid);
    assert_false(kp_lock_held(in(x, "s/lock"), &h));
    OK(open_and_close(x));
}

static void one_journal_at_a_time_in_a_process(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    OK(sample_create(x->a, &kp_disk_real, x->dir, "s", &j));
    ERROR(open_and_close(x), KP_REFUSED, kp_printf(x->a, "process %d ", (int)getpid()));
    kp_journal_free(j);
    OK(open_and_close(x));
}

static void a_surviving_child_holds_nothing_after_exec(void **state)
{
    fixture *x = *state;
    make_run(x);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid_t heir_pid, pid = holder(x, EXECS, &heir_pid);
    ERROR(open_and_close(x), KP_REFUSED, "open in process");
    end_child(pid);
    assert_int_equal(kill(heir_pid, 0), 0);
    OK(open_and_close(x));
    assert_int_equal(kill(heir_pid, 0), 0);
    end_child(heir_pid);
}

/* One that does not exec has the very lock; the text then names a process that is gone. */
static void a_surviving_child_without_exec(void **state)
{
    fixture *x = *state;
    make_run(x);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid_t heir_pid, pid = holder(x, ONLY_FORKS, &heir_pid);
    end_child(pid);
    ERROR(open_and_close(x), KP_REFUSED, "run s is open in another process");
    end_child(heir_pid);
    OK(open_and_close(x));
}

/* The text is believed only when it fits a process that lives here and now. */
static void holder_texts(void **state)
{
    fixture *x = *state;
    const char *path = in(x, "lock");
    int fd;
    OK(kp_lock_take(path, "run 1\x1b[2J\n", "thing", &fd));
    size_t n;
    char *text = file_read(path, &n), *right = strdup(text);
    kp_holder h;
    assert_true(kp_lock_held(path, &h));
    assert_int_equal(h.pid, getpid());
    assert_string_equal(h.who, "run 1?[2J");
    static const struct { const char *word, *instead; } wrong[] = {
        { "boot ", "boot 0" },
        { "start ", "start 1" },
        { "pid ", "pid 99999999" },
        { "since ", "until " },
    };
    for (size_t i = 0; i < KP_COUNT(wrong); i++) {
        char *at = strstr(right, wrong[i].word);
        assert_non_null(at);
        const char *bad = kp_printf(x->a, "%.*s%s%s", (int)(at - right), right, wrong[i].instead,
                                    at + strlen(wrong[i].word));
        file_write(path, bad, strlen(bad));
        assert_true(kp_lock_held(path, &h));
        assert_int_equal(h.pid, 0);
    }
    file_write(path, "", 0);
    assert_true(kp_lock_held(path, &h));
    assert_int_equal(h.pid, 0);
    int second;
    ERROR(kp_lock_take(path, "", "thing", &second), KP_REFUSED, "thing is open in another process");
    kp_lock_drop(fd);
    assert_false(kp_lock_held(path, &h));
    assert_false(kp_lock_held(in(x, "absent"), &h));
    free(text);
    free(right);
}

/* A long text of an earlier holder leaves nothing behind a shorter one. */
static void holder_text_is_replaced(void **state)
{
    fixture *x = *state;
    const char *path = in(x, "lock");
    char who[KP_HOLDER_LIMIT + 50];
    int fd;
    memset(who, 'w', sizeof who);
    who[sizeof who - 1] = '\0';
    OK(kp_lock_take(path, who, "thing", &fd));
    kp_holder h;
    assert_true(kp_lock_held(path, &h));
    assert_int_equal(strlen(h.who), KP_HOLDER_LIMIT - 1);
    kp_lock_drop(fd);
    OK(kp_lock_take(path, "me", "thing", &fd));
    assert_true(kp_lock_held(path, &h));
    assert_string_equal(h.who, "me");
    kp_lock_drop(fd);
}

static void clusters(void **state)
{
    fixture *x = *state;
    const char *runs = in(x, "state/runs");
    int fd = -1, other = -1, again = -1;
    OK(kp_cluster_lock(runs, "Xk3_a-Q", "run 1122-7f3a", &fd));
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(file_exists(in(x, "state/runs/.cluster-Xk3_a-Q.lock")));
    OK(kp_cluster_lock(runs, "Xk3_a-R", "run 2", &other));
    ERROR(kp_cluster_lock(runs, "Xk3_a-Q", "run 3", &again), KP_REFUSED,
          kp_printf(x->a, "cluster Xk3_a-Q is open in process %d", (int)getpid()));
    ERROR(kp_cluster_lock(runs, "Xk3_a-Q", "run 3", &again), KP_REFUSED, ": run 1122-7f3a");
    assert_int_equal(again, -1);
    kp_lock_drop(fd);
    OK(kp_cluster_lock(runs, "Xk3_a-Q", "run 3", &again));
    kp_lock_drop(again);
    kp_lock_drop(other);
    kp_lock_drop(-1);
    OK(kp_cluster_lock(runs, "../a %", "run 4", &fd));
    assert_true(file_exists(in(x, "state/runs/.cluster-..%2Fa%20%25.lock")));
    kp_lock_drop(fd);
    char id[82];
    memset(id, '/', sizeof id);
    id[81] = '\0';
    ERROR(kp_cluster_lock(runs, id, "", &fd), KP_CONFIG, "cluster id");
    id[80] = '\0';
    OK(kp_cluster_lock(runs, id, "", &fd));
    kp_lock_drop(fd);
    ERROR(kp_cluster_lock(runs, "", "", &fd), KP_CONFIG, "cluster id");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(one_process_at_a_time),
        T(one_journal_at_a_time_in_a_process),
        T(a_surviving_child_holds_nothing_after_exec),
        T(a_surviving_child_without_exec),
        T(holder_texts),
        T(holder_text_is_replaced),
        T(clusters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
