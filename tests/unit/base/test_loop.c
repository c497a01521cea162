/* The loop: the order of timers, life and death of watches inside callbacks, the end of a wait,
 * signals. */
#include "base/base.h"
#include "with_child.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- what callbacks wrote, in order ---- */

static char seen[4096];

static void note(char c)
{
    size_t n = strlen(seen);
    assert_true(n + 1 < sizeof seen);
    seen[n] = c;
    seen[n + 1] = '\0';
}

static int clear(void **state)
{
    (void)state;
    memset(seen, 0, sizeof seen);
    return 0;
}

static void assert_seen(const char *expected)
{
    assert_string_equal(seen, expected);
    memset(seen, 0, sizeof seen);
}

static void note_letter(void *ud)
{
    note(*(const char *)ud);
}

/* ---- timers ---- */

static void test_timers_fire_in_order(void **state)
{
    (void)state;
    kp_loop *l = kp_loop_new();
    kp_ms now = kp_mono_now();
    kp_timer_add(l, now - 1, note_letter, "c");
    kp_timer_add(l, now - 3, note_letter, "a");
    kp_timer_add(l, now - 1, note_letter, "d");
    kp_timer_add(l, now - 2, note_letter, "b");
    kp_timer_add(l, now - 1, note_letter, "e");
    kp_timer_add(l, now + KP_HOUR, note_letter, "x");
    kp_timer_add(l, KP_NEVER, note_letter, "y");
    kp_loop_turn(l, KP_NEVER);
    assert_seen("abcde");
    kp_loop_turn(l, now);
    assert_seen("");
    kp_loop_free(l);
}

enum { MANY = 500 };

static struct many {
    kp_timer *timer;
    kp_ms at;
    bool fired;
} many[MANY];

static kp_ms latest;

static void fire_one_of_many(void *ud)
{
    struct many *m = ud;
    assert_non_null(m->timer);
    assert_false(m->fired);
    assert_true(m->at >= latest);
    latest = m->at;
    m->fired = true;
}

static void test_heap_with_removals(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 40; round++) {
        kp_loop *l = kp_loop_new();
        kp_ms base = kp_mono_now() - 1000;
        latest = 0;
        for (int i = 0; i < MANY; i++) {
            seed = seed * 1664525 + 1013904223;
            many[i] = (struct many) { .at = base + (seed >> 20) % 97 };
            many[i].timer = kp_timer_add(l, many[i].at, fire_one_of_many, &many[i]);
            seed = seed * 1664525 + 1013904223;
            int victim = (int)((seed >> 8) % MANY);
            if (seed >> 30 == 0 && victim < i && many[victim].timer) {
                kp_timer_remove(many[victim].timer);
                many[victim].timer = NULL;
            }
        }
        kp_loop_turn(l, KP_NEVER);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(many[i].fired, many[i].timer != NULL);
        kp_loop_free(l);
    }
}

static kp_loop *loop;
static kp_timer *other_timer;

static void remove_other_timer(void *ud)
{
    note_letter(ud);
    kp_timer_remove(other_timer);
}

static void set_again(void *ud)
{
    note_letter(ud);
    kp_timer_add(loop, kp_mono_now() - KP_HOUR, set_again, ud);
}

static void test_timers_changed_by_timers(void **state)
{
    (void)state;
    loop = kp_loop_new();
    kp_ms now = kp_mono_now();
    kp_timer_add(loop, now - 3, remove_other_timer, "a");
    other_timer = kp_timer_add(loop, now - 2, note_letter, "b"); /* due in the same turn */
    kp_timer_add(loop, now - 1, note_letter, "c");
    kp_loop_turn(loop, KP_NEVER);
    assert_seen("ac");

    kp_timer_add(loop, now, remove_other_timer, "d");
    other_timer = kp_timer_add(loop, now + KP_HOUR, note_letter, "e"); /* still in the heap */
    kp_loop_turn(loop, KP_NEVER);
    assert_seen("d");

    kp_timer_add(loop, now, set_again, "f"); /* would never end if new timers were run at once */
    for (int i = 0; i < 3; i++)
        kp_loop_turn(loop, KP_NEVER);
    assert_seen("fff");
    kp_timer_remove(NULL);
    kp_loop_free(loop);
}

static void test_waits(void **state)
{
    (void)state;
    kp_loop *l = kp_loop_new();
    kp_ms before = kp_mono_now();
    kp_loop_turn(l, before + 30);
    assert_true(kp_mono_now() >= before + 30);

    before = kp_mono_now();
    kp_timer_add(l, before + 30, note_letter, "t");
    kp_loop_turn(l, before + KP_MINUTE);
    assert_seen("t");
    assert_in_range(kp_mono_now() - before, 30, 20 * KP_SECOND);

    before = kp_mono_now();
    kp_loop_turn(l, INT64_MIN);
    kp_loop_turn(l, before - 5);
    kp_loop_free(l);
    kp_loop_free(NULL);
}

/* ---- watches ---- */

typedef struct end {
    char letter;
    int ends[2];
    kp_watch *watch, *victim;
    short revents;
} end;

static void open_end(end *e, char letter)
{
    *e = (end) { .letter = letter };
    assert_int_equal(pipe(e->ends), 0);
}

static void hang_up(end *e)
{
    if (e->ends[1] >= 0)
        close(e->ends[1]);
    e->ends[1] = -1;
}

static void close_end(end *e)
{
    close(e->ends[0]);
    hang_up(e);
}

static void fill(const end *e)
{
    assert_int_equal(write(e->ends[1], "x", 1), 1);
}

static void on_ready(void *ud, int fd, short revents)
{
    end *e = ud;
    assert_int_equal(fd, e->ends[0]);
    e->revents = revents;
    note(e->letter);
}

static void on_ready_remove(void *ud, int fd, short revents)
{
    end *e = ud;
    on_ready(e, fd, revents);
    kp_watch_remove(e->victim);
    e->victim = NULL;
}

static void on_ready_mute(void *ud, int fd, short revents)
{
    end *e = ud;
    on_ready(e, fd, revents);
    kp_watch_events(e->victim, 0);
}

static void test_watch_events(void **state)
{
    (void)state;
    kp_loop *l = kp_loop_new();
    end e;
    open_end(&e, 'r');
    e.watch = kp_watch_add(l, e.ends[0], POLLIN, on_ready, &e);
    kp_loop_turn(l, kp_mono_now());
    assert_seen("");
    fill(&e);
    kp_loop_turn(l, KP_NEVER);
    assert_seen("r");
    assert_int_equal(e.revents, POLLIN);

    kp_watch_events(e.watch, 0);
    kp_loop_turn(l, kp_mono_now() + 5);
    assert_seen("");
    kp_watch_events(e.watch, POLLIN);
    kp_loop_turn(l, KP_NEVER);
    assert_seen("r");

    char c;
    assert_int_equal(read(e.ends[0], &c, 1), 1);
    hang_up(&e);
    kp_loop_turn(l, KP_NEVER); /* a hang-up is told without being asked for, but not when muted */
    assert_seen("r");
    assert_true(e.revents & POLLHUP);
    kp_watch_events(e.watch, 0);
    kp_ms until = kp_mono_now() + 20;
    kp_loop_turn(l, until);
    assert_seen("");
    assert_true(kp_mono_now() >= until);
    kp_watch_remove(e.watch);
    kp_watch_remove(NULL);
    kp_loop_turn(l, kp_mono_now());
    assert_seen("");
    close_end(&e);
    kp_loop_free(l);
}

/* Three ready watches, hung up as well; the first to be called changes another or itself; then a
 * second turn. */
static void test_watches_changed_by_watches(void **state)
{
    (void)state;
    static const struct {
        int actor, victim;
        kp_watch_fn fn;
        const char *first, *second;
    } rows[] = {
        { 0, 1, on_ready_remove, "ac", "ac" },  { 0, 2, on_ready_remove, "ab", "ab" },
        { 0, 0, on_ready_remove, "abc", "bc" }, { 2, 0, on_ready_remove, "abc", "bc" },
        { 1, 1, on_ready_remove, "abc", "ac" }, { 2, 2, on_ready_remove, "abc", "ab" },
        { 0, 1, on_ready_mute, "ac", "ac" },    { 2, 0, on_ready_mute, "abc", "bc" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_loop *l = kp_loop_new();
        end e[3];
        for (int k = 0; k < 3; k++) {
            open_end(&e[k], (char)('a' + k));
            fill(&e[k]);
            hang_up(&e[k]);
            kp_watch_fn fn = k == rows[i].actor ? rows[i].fn : on_ready;
            e[k].watch = kp_watch_add(l, e[k].ends[0], POLLIN, fn, &e[k]);
        }
        e[rows[i].actor].victim = e[rows[i].victim].watch;
        kp_loop_turn(l, KP_NEVER);
        assert_seen(rows[i].first);
        kp_loop_turn(l, KP_NEVER);
        /* The order of what is left is the loop's own. */
        assert_int_equal(strlen(seen), strlen(rows[i].second));
        assert_int_equal(strspn(seen, rows[i].second), strlen(seen));
        clear(NULL);
        kp_loop_free(l);
        for (int k = 0; k < 3; k++)
            close_end(&e[k]);
    }
}

static end crowd[40];

static void on_ready_add_crowd(void *ud, int fd, short revents)
{
    end *e = ud;
    on_ready(e, fd, revents);
    kp_watch_remove(e->watch);
    for (size_t i = 0; i < KP_COUNT(crowd); i++)
        crowd[i].watch = kp_watch_add(loop, crowd[i].ends[0], POLLIN, on_ready, &crowd[i]);
}

static void test_watches_added_by_a_watch(void **state)
{
    (void)state;
    loop = kp_loop_new();
    for (size_t i = 0; i < KP_COUNT(crowd); i++) {
        open_end(&crowd[i], '.');
        fill(&crowd[i]);
    }
    end first, last;
    open_end(&first, 'f');
    open_end(&last, 'l');
    fill(&first);
    fill(&last);
    first.watch = kp_watch_add(loop, first.ends[0], POLLIN, on_ready_add_crowd, &first);
    last.watch = kp_watch_add(loop, last.ends[0], POLLIN, on_ready, &last);
    kp_loop_turn(loop, KP_NEVER);
    assert_seen("fl");
    kp_loop_turn(loop, KP_NEVER);
    assert_int_equal(strlen(seen), KP_COUNT(crowd) + 1);
    clear(NULL);
    kp_watch_remove(crowd[7].watch);
    kp_watch_remove(last.watch);
    kp_watch_remove(crowd[KP_COUNT(crowd) - 1].watch);
    kp_loop_turn(loop, KP_NEVER);
    assert_int_equal(strlen(seen), KP_COUNT(crowd) - 2);
    assert_null(strchr(seen, 'l'));
    kp_loop_free(loop);
    for (size_t i = 0; i < KP_COUNT(crowd); i++)
        close_end(&crowd[i]);
    close_end(&first);
    close_end(&last);
}

static kp_watch *timers_victim;

static void remove_watch_from_timer(void *ud)
{
    note_letter(ud);
    kp_watch_remove(timers_victim);
}

static void test_watches_and_timers_in_one_turn(void **state)
{
    (void)state;
    kp_loop *l = kp_loop_new();
    end e;
    open_end(&e, 'w');
    fill(&e);
    timers_victim = kp_watch_add(l, e.ends[0], POLLIN, on_ready, &e);
    kp_timer_add(l, kp_mono_now() - 1, remove_watch_from_timer, "t");
    kp_loop_turn(l, KP_NEVER);
    assert_seen("wt");
    kp_loop_turn(l, kp_mono_now());
    assert_seen("");
    kp_loop_free(l);
    close_end(&e);
}

static void turn_inside(void *ud)
{
    kp_loop_turn(ud, 0);
}

static void nest_turns(void)
{
    kp_loop *l = kp_loop_new();
    kp_timer_add(l, 0, turn_inside, l);
    kp_loop_turn(l, KP_NEVER);
}

static void test_nested_turns_end_the_process(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(nest_turns, text, sizeof text), 1);
    assert_true(kp_starts_with(text, "kplay: kp_loop_turn was called by a callback"));
}

/* ---- signals ---- */

static void test_signals(void **state)
{
    (void)state;
    kp_loop *l = kp_loop_new();
    assert_int_equal(kp_loop_signals(l), 0);
    kp_loop_catch_signals(l);
    kp_loop_catch_signals(l);
    raise(SIGINT);
    raise(SIGTERM);
    kp_loop_turn(l, KP_NEVER); /* the signals came before the wait and still end it */
    assert_int_equal(kp_loop_signals(l), 2);

    pid_t self = getpid(), pid = fork();
    if (pid == 0) {
        usleep(50000);
        kill(self, SIGINT);
        _exit(0);
    }
    kp_loop_turn(l, KP_NEVER);
    assert_int_equal(kp_loop_signals(l), 3);
    assert_int_equal(waitpid(pid, NULL, 0), pid);

    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
    kp_loop_free(l);

    struct sigaction now;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            sigaction((const int[]) { SIGINT, SIGTERM, SIGHUP, SIGPIPE }[i], NULL, &now), 0);
        assert_true(now.sa_handler == SIG_DFL);
    }
}

/* The end of the terminal is counted as Ctrl-C is: its default would end kplay in mid-action.
 * Under nohup it goes on being nothing. */
static void hears_hang_up(void)
{
    kp_loop *l = kp_loop_new();
    kp_loop_catch_signals(l);
    raise(SIGHUP);
    kp_loop_turn(l, kp_mono_now() + 50);
    fprintf(stderr, "%d heard\n", kp_loop_signals(l));
    kp_loop_free(l);
    _exit(0);
}

static void test_a_hang_up_is_counted_and_under_nohup_ignored(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(run_in_child(hears_hang_up, text, sizeof text), 0);
    assert_string_equal(text, "1 heard\n");
    struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
    sigaction(SIGHUP, &ignore, &before);
    assert_int_equal(run_in_child(hears_hang_up, text, sizeof text), 0);
    sigaction(SIGHUP, &before, NULL);
    assert_string_equal(text, "0 heard\n");
}

static void writes_beyond_the_limit(void)
{
    struct rlimit limit = { .rlim_cur = 10, .rlim_max = 10 };
    FILE *f = tmpfile();
    kp_loop *l = kp_loop_new();
    kp_loop_catch_signals(l);
    if (!f || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(2);
    bool first = write(fileno(f), "ten bytes.", 10) == 10;
    _exit(first && write(fileno(f), ".", 1) < 0 && errno == EFBIG ? 0 : 1);
}

static void test_a_file_size_limit_is_an_error(void **state)
{
    (void)state;
    char text[256];
    assert_int_equal(run_in_child(writes_beyond_the_limit, text, sizeof text), 0);
}

static void on_other_signal(int sig)
{
    (void)sig;
}

static void test_other_signals_do_not_end_the_wait(void **state)
{
    (void)state;
    struct sigaction act = { .sa_handler = on_other_signal }, before;
    sigaction(SIGUSR1, &act, &before);
    kp_loop *l = kp_loop_new();
    kp_loop_catch_signals(l);
    pid_t self = getpid(), pid = fork();
    if (pid == 0) {
        usleep(20000);
        kill(self, SIGUSR1);
        _exit(0);
    }
    kp_ms until = kp_mono_now() + 100;
    kp_loop_turn(l, until);
    assert_true(kp_mono_now() >= until);
    assert_int_equal(kp_loop_signals(l), 0);
    waitpid(pid, NULL, 0);
    kp_loop_free(l);
    sigaction(SIGUSR1, &before, NULL);
}

/* The process `pid` waits in the kernel; false: it is gone. */
static bool waits(pid_t pid)
{
    char path[64], line[256], *state = NULL;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f && fgets(line, sizeof line, f))
        state = strrchr(line, ')');
    if (f)
        fclose(f);
    return state && state[2] == 'S';
}

static void on_word(void *ud, int fd, short revents)
{
    (void)fd;
    (void)revents;
    *(bool *)ud = true;
}

/* Waits for the parent's word and answers with how long that took: by the loop's clock, and by the
 * machine's. */
static void wait_for_a_word(int words, int answer)
{
    kp_ms took[2];
    struct timespec begun, now;
    bool heard = false;
    kp_loop *l = kp_loop_new();
    kp_watch_add(l, words, POLLIN, on_word, &heard);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    took[0] = kp_mono_now();
    (void)!write(answer, "w", 1);
    while (!heard)
        kp_loop_turn(l, kp_mono_now() + KP_SECOND);
    took[0] = kp_mono_now() - took[0];
    clock_gettime(CLOCK_MONOTONIC, &now);
    took[1] = (now.tv_sec - begun.tv_sec) * KP_SECOND + (now.tv_nsec - begun.tv_nsec) / 1000000;
    (void)!write(answer, took, sizeof took);
    _exit(0);
}

static void test_a_frozen_process_loses_no_time(void **state)
{
    (void)state;
    int words[2], answer[2];
    kp_ms took[2];
    char ready;
    assert_int_equal(pipe(words), 0);
    assert_int_equal(pipe(answer), 0);
    pid_t pid = fork();
    if (pid == 0)
        wait_for_a_word(words[0], answer[1]);
    assert_int_equal(read(answer[0], &ready, 1), 1);
    while (!waits(pid))
        usleep(1000);
    kill(pid, SIGSTOP);
    sleep(5);
    assert_int_equal(write(words[1], "w", 1), 1);
    kill(pid, SIGCONT);
    assert_int_equal(read(answer[0], took, sizeof took), sizeof took);
    waitpid(pid, NULL, 0);
    for (int i = 0; i < 2; i++) {
        close(words[i]);
        close(answer[i]);
    }
    assert_true(took[1] >= 5000);
    assert_true(took[1] - took[0] > 3000);
}

static void test_wall_clock(void **state)
{
    (void)state;
    kp_ms now = kp_wall_now();
    assert_true(now > 1700000000000 && now < 7258118400000); /* 2023 to 2200, in milliseconds */
}

int main(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
    for (size_t i = 0; i < KP_COUNT(signals); i++)
        signal(signals[i], SIG_DFL); /* a shell's background job is born with SIGINT ignored */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_timers_fire_in_order, clear),
        cmocka_unit_test_setup(test_heap_with_removals, clear),
        cmocka_unit_test_setup(test_timers_changed_by_timers, clear),
        cmocka_unit_test_setup(test_waits, clear),
        cmocka_unit_test_setup(test_watch_events, clear),
        cmocka_unit_test_setup(test_watches_changed_by_watches, clear),
        cmocka_unit_test_setup(test_watches_added_by_a_watch, clear),
        cmocka_unit_test_setup(test_watches_and_timers_in_one_turn, clear),
        cmocka_unit_test_setup(test_nested_turns_end_the_process, clear),
        cmocka_unit_test_setup(test_signals, clear),
        cmocka_unit_test_setup(test_a_hang_up_is_counted_and_under_nohup_ignored, clear),
        cmocka_unit_test(test_a_file_size_limit_is_an_error),
        cmocka_unit_test_setup(test_other_signals_do_not_end_the_wait, clear),
        cmocka_unit_test(test_a_frozen_process_loses_no_time),
        cmocka_unit_test(test_wall_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
