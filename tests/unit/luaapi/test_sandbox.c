/* The sandbox: every route out of it that is known, one file each in tests/sandbox.
 *
 * A file is the body of a playbook's run.  Its first line says how it must end:
 *   -- error WORDS    with an error that has these words, and no way to catch it where it is a kill
 *   -- says WORDS     well, having said just that
 *   -- absent NAME    before it begins, as NAME does not exist; nor does it at run time
 *
 * Each runs in a process of its own, which must end by itself, without a signal.
 * Most of the work budget is spent beforehand, so that a loop ends soon.
 */
#include "luaapi/with_engine.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CPU_SECONDS = 120, LAST = 1000 /* bytes of what was said that count */ };

/* A route that would compute for ever ends by a signal, which no file expects.  In processor time:
 * how busy the machine is decides nothing. */
static void limit_cpu(void)
{
    const struct rlimit most = { CPU_SECONDS, CPU_SECONDS };
    if (setrlimit(RLIMIT_CPU, &most) != 0)
        _exit(9);
}

/* Runs the playbook's text in a child, which gives back the end of what outcome_of() says. */
static char *in_child(kp_arena *a, const char *text, int *ret_status)
{
    int fd[2];
    size_t n = 0;
    char *got = kp_alloc(a, LAST + 1);

    assert_int_equal(pipe(fd), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const test_file files[] = { { KP_FIND_PLAYBOOK, "t.lua", text }, { 0 } };
        close(fd[0]);
        limit_cpu();
        kp_arena *own = kp_arena_new("child", (size_t)64 << 20);
        const char *said = outcome_of(own, files);
        size_t len = strlen(said), from = len > LAST ? len - LAST : 0;
        _exit(write(fd[1], said + from, len - from) >= 0 ? 0 : 9);
    }
    close(fd[1]);
    for (ssize_t k; n < LAST && (k = read(fd[0], got + n, LAST - n)) > 0;)
        n += (size_t)k;
    close(fd[0]);
    assert_int_equal(waitpid(pid, ret_status, 0), pid);
    return got;
}

static bool absent(kp_arena *a, const char *name, const char *first)
{
    int status;
    bool dotted = strchr(name, '.') != NULL;
    const char *body = dotted ? kp_printf(a, "local f = %s", name)
                              : kp_printf(a, "local f = _ENV.%s", name);
    const char *later = in_child(a, wrap(a, body), &status);
    const char *words = kp_printf(a, "`%s`", name);

    return status == 0 && strstr(first, "unknown ") && strstr(first, words) &&
           strstr(later, "unknown ") && strstr(later, words);
}

static bool holds(kp_arena *a, const char *expected, const char *got, int status)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return false;
    if (kp_starts_with(expected, "absent "))
        return absent(a, expected + strlen("absent "), got);
    if (kp_starts_with(expected, "says "))
        return kp_streq(got, expected + strlen("says "));
    return kp_starts_with(expected, "error ") && strstr(got, expected + strlen("error ")) != NULL;
}

static int is_lua(const struct dirent *entry)
{
    return kp_ends_with(entry->d_name, ".lua");
}

static void every_route(void **state)
{
    struct dirent **entry;
    int n = scandir(KPLAY_SOURCE_DIR "/tests/sandbox", &entry, is_lua, alphasort), failed = 0;
    (void)state;

    assert_true(n > 60);
    for (int i = 0; i < n; i++) {
        KP_AUTO_ARENA a = kp_arena_new("row", (size_t)16 << 20);
        char *text;
        int status;
        assert_null(
            kp_file_read(a, kp_printf(a, KPLAY_SOURCE_DIR "/tests/sandbox/%s", entry[i]->d_name),
                         KP_SCRIPT_LIMIT, &text, NULL));
        assert_true(kp_starts_with(text, "-- "));
        const char *expected = kp_strndup(a, text + 3, strcspn(text + 3, "\n"));
        char *got = in_child(a, wrap(a, kp_printf(a, "nearly();\n%s", text)), &status);
        if (!holds(a, expected, got, status)) {
            printf("%s: expected %s, got status %d: %s\n", entry[i]->d_name, expected, status, got);
            failed++;
        }
        free(entry[i]);
    }
    free(entry);
    assert_int_equal(failed, 0);
}

/* Rows 50 to 52: sources that are made, as they are long. */
static void long_sources(void **state)
{
    int status;
    char *text = kp_alloc(*state, 80000), *p = text;

    for (int i = 0; i < 9000; i++)
        p = stpcpy(p, "a=1;");
    char *got = in_child(*state, wrap(*state, kp_printf(*state, "local a %s%s", text, text)),
                         &status);
    assert_int_equal(status, 0);
    assert_string_equal(got, "t.lua: the file is longer than 64 KiB");

    memset(text, '(', 30000);
    text[30000] = '\0';
    got = in_child(*state, kp_printf(*state, "return %s", text), &status);
    assert_int_equal(status, 0);
    assert_true(kp_starts_with(got, "t.lua:1"));

    p = stpcpy(text, "local t = {} local x = t");
    for (int i = 0; i < 9000; i++)
        p = stpcpy(p, "._ENV");
    got = in_child(*state, wrap(*state, text), &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(got, "attempt to index a nil value"));
}

/* A string that holds no source: refused before Lua reads a byte of it. */
static void compiled_code(void **state)
{
    int status;
    char *got = in_child(*state, "\x1bLua\x54\x00\x19\x93", &status);

    assert_int_equal(status, 0);
    assert_string_equal(got, "t.lua: this is compiled Lua, not a playbook");
}

/* Returns when the process catches the timer's signal. */
static void wait_for_handler(pid_t pid)
{
    char path[64], line[256];
    unsigned long long caught = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    while (!(caught >> (SIGRTMIN - 1) & 1)) {
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        while (fgets(line, sizeof line, f))
            sscanf(line, "SigCgt: %llx", &caught);
        fclose(f);
        usleep(1000);
    }
}

/* The timer over processor time: its first signal is a kill that cannot be caught, a second one
 * that finds the script where no hook is called ends the process. */
static int signalled(const char *body, int signals)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        limit_cpu();
        if (!freopen("/dev/null", "w", stderr))
            _exit(9);
        kp_arena *own = kp_arena_new("child", (size_t)64 << 20);
        const char *got = outcome(own, body);
        _exit(strstr(got, "computes for too long without calling a verb") ? 42 : 43);
    }
    wait_for_handler(pid);
    for (int i = 0; i < signals; i++)
        kill(pid, SIGRTMIN);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void the_timer(void **state)
{
    (void)state;
    int status = signalled("while true do pcall(function() while true do end end) end", 1);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);

    status = signalled("while true do end", 2);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(every_route),
        STAGE_TEST(long_sources),
        STAGE_TEST(compiled_code),
        STAGE_TEST(the_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
