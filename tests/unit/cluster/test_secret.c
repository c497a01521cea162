/* Secrets: from a file, the environment or a command, and never in a message. */
#include "cluster/cluster.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WHERE "kplay.yaml:3:10"

static kp_arena *arena(void)
{
    return kp_arena_new("a secret test", 16u << 20);
}

static const kp_value *words(kp_arena *a, const char *const *argv)
{
    kp_builder list = kp_list_begin(a);
    for (; *argv; argv++)
        kp_list_add(&list, kp_text(a, *argv));
    return kp_map(a, "command", kp_list_end(&list), NULL);
}

static const kp_value *shell(kp_arena *a, const char *script)
{
    return words(a, (const char *const[]){ "/bin/sh", "-c", script, NULL });
}

/* A new file with these bytes; its name goes to `path`. */
static void write_file(char path[32], const char *text, size_t n)
{
    memcpy(path, "/tmp/kplay-secret-XXXXXX", 25);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

static void check_secret(kp_arena *a, const kp_value *v, const char *expected)
{
    const char *text = NULL;
    kp_err *e = kp_secret_resolve(a, v, WHERE, &text);
    if (e)
        fail_msg("%s", kp_err_text(a, e));
    assert_string_equal(text, expected);
}

static void check_failure(kp_arena *a, const kp_value *v, const char *what)
{
    const char *text = NULL;
    kp_err *e = kp_secret_resolve(a, v, WHERE, &text);
    assert_non_null(e);
    assert_null(text);
    assert_int_equal(e->cls, KP_CONFIG);
    assert_string_equal(e->where, WHERE);
    if (!strstr(e->what, what))
        fail_msg("expected %s\ngot      %s", what, e->what);
    assert_null(strstr(kp_err_text(a, e), "hunter2"));
    kp_err_drop(e);
}

static void plain_text_is_itself(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    check_secret(a, kp_text(a, "admin"), "admin");
    check_secret(a, kp_text(a, ""), "");
}

static void from_a_file(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        const char *secret, *what;
    } rows[] = {
        { "hunter2", 7, "hunter2", NULL },
        { "hunter2\n", 8, "hunter2", NULL },
        { "hunter2\r\n", 9, "hunter2", NULL },
        { " hunter2 \n\n", 11, " hunter2 \n", NULL }, /* only one line break is dropped */
        { "", 0, NULL, "is empty" },
        { "\n", 1, NULL, "is empty" },
        { "hunter2\0x", 9, NULL, "holds a NUL byte" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = arena();
        char path[32];
        write_file(path, rows[i].text, rows[i].n);
        const kp_value *v = kp_map(a, "file", kp_text(a, path), NULL);
        if (rows[i].secret)
            check_secret(a, v, rows[i].secret);
        else
            check_failure(a, v, rows[i].what);
        unlink(path);
    }
    KP_AUTO_ARENA a = arena();
    check_failure(a, kp_map(a, "file", kp_text(a, "/nonexistent/x"), NULL),
                  "its file cannot be read");
    check_failure(a, kp_map(a, "file", kp_text(a, "/tmp"), NULL), "its file cannot be read");
}

static void from_the_environment(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_value *v = kp_map(a, "env", kp_text(a, "KPLAY_TEST_SECRET"), NULL);
    unsetenv("KPLAY_TEST_SECRET");
    check_failure(a, v, "the environment has no KPLAY_TEST_SECRET");
    setenv("KPLAY_TEST_SECRET", "hunter2", 1);
    check_secret(a, v, "hunter2");
    setenv("KPLAY_TEST_SECRET", "", 1);
    check_failure(a, v, "KPLAY_TEST_SECRET is empty");
}

static void from_a_command(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    int typed[2];
    check_secret(a, shell(a, "echo hunter2"), "hunter2");
    check_secret(a, shell(a, "printf 'a b'; sleep 0.05; printf c"), "a bc");
    check_secret(a, words(a, (const char *const[]){ "echo", "*; $(x)", NULL }),
                 "*; $(x)"); /* no shell */
    assert_int_equal(pipe(typed), 0);
    assert_int_equal(write(typed[1], "typed\n", 6), 6);
    int before = dup(STDIN_FILENO);
    assert_int_equal(dup2(typed[0], STDIN_FILENO), STDIN_FILENO);
    check_secret(a, shell(a, "read x; echo \"got $x.\""), "got ."); /* no input */
    dup2(before, STDIN_FILENO);
    close(before);
    close(typed[0]);
    close(typed[1]);
    check_failure(a, shell(a, "echo hunter2; exit 3"), "/bin/sh ended with status 3");
    check_failure(a, shell(a, "echo hunter2; kill -9 $$"), "/bin/sh ended by signal 9");
    check_failure(a, shell(a, "kill -ALRM $$"), "ended by signal 14, it took too long");
    check_failure(a, shell(a, "true"), "the output of /bin/sh is empty");
    check_failure(a, shell(a, "printf 'x\\000hunter2'"), "holds a NUL byte");
    check_failure(a, shell(a, "while :; do echo hunter2hunter2hunter2; done"),
                  "/bin/sh prints more than");
    check_failure(a, words(a, (const char *const[]) { "/nonexistent/x", NULL }),
                  "/nonexistent/x cannot be started");
    check_failure(a, words(a, (const char *const[]){ NULL }), "empty command");
}

static void a_command_gets_ordinary_signals(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    signal(SIGPIPE, SIG_IGN);
    check_failure(a, shell(a, "kill -TERM $$; echo hunter2"), "ended by signal 15");
    check_failure(a, shell(a, "kill -PIPE $$; echo hunter2"), "ended by signal 13");
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void nothing_else_is_a_secret(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    check_failure(a, kp_map(a, NULL), "must be text or have one of file, env and command");
    check_failure(a, kp_map(a, "fiel", kp_text(a, "/x"), NULL),
                  "must be text or have one of file, env and command");
    check_failure(a, kp_int(a, 5), "must be text or have one of file, env and command");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_itself),
        cmocka_unit_test(from_a_file),
        cmocka_unit_test(from_the_environment),
        cmocka_unit_test(from_a_command),
        cmocka_unit_test(a_command_gets_ordinary_signals),
        cmocka_unit_test(nothing_else_is_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
