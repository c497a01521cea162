/* Commands on the local transport: what is believed, what is "unknown", order, limits, deadlines,
 * cancelling. */
#include "with_host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static kp_ticket ask(place *p, kp_host *h, const char *script, answer *r)
{
    kp_host_command c = { .script = script, .deadline = place_soon() };
    return kp_host_exec(h, p->a, &c, place_answer, r);
}

typedef struct row {
    const char *script;
    int rc;
    const char *out, *err;
} row;

static const row rows[] = {
    { ":", 0, "", "" },
    { "", 0, "", "" },
    { "echo one; echo two >&2", 0, "one\n", "two\n" },
    { "printf x", 0, "x", "" },
    { "exit 7", 7, "", "" },
    { "echo before; exit 255", 255, "before\n", "" },
    { "false", 1, "", "" },
    { "nosuchcommand_ 2>/dev/null", 127, "", "" },
    { "kill -KILL $(sh -c 'echo $PPID'); sleep 5", 137, "", NULL }, /* the subshell */
    { "echo 'a'\\''b' \"$HOME\" | head -c 3", 0, "a'b", "" },
    { "if", 2, "", NULL },
    { "exec 1>&-", 0, "", "" },
    { "printf 'a\\0b' | tr '\\0' '|'", 0, "a|b", "" },
    { "printf '\\303\\244\\201\\210'", 0, "\303\244\201\210", "" },
    { "echo '\303\244\201\202\210'", 0, "\303\244\201\202\210\n", "" },
    { "cat", 0, "", "" },
    { "# no command", 0, "", "" },
    { "echo 'KPLAY-RC:x:0'; exit 3", 3, "KPLAY-RC:x:0\n", "" },
};

static void test_table(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        answer r = { 0 };
        ask(p, h, rows[i].script, &r);
        assert_int_equal(r.calls, 0);
        const kp_value *v = place_ok(p, &r);
        if (kp_get_int(v, "rc", -1) != rows[i].rc)
            fail_msg("%s: rc %d", rows[i].script, (int)kp_get_int(v, "rc", -1));
        assert_string_equal(kp_get_text(v, "out", "-"), rows[i].out);
        if (rows[i].err)
            assert_string_equal(kp_get_text(v, "err", "-"), rows[i].err);
    }
}

static void test_input_is_the_scripts_own(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    size_t n = 3 << 20;
    char *bytes = kp_alloc(p->a, n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    answer r = { 0 };
    kp_host_command c = {
        .script = "sha256sum | cut -c1-64",
        .input = bytes,
        .input_n = n,
        .deadline = place_soon(),
    };
    kp_host_exec(h, p->a, &c, place_answer, &r);
    assert_memory_equal(kp_get_text(place_ok(p, &r), "out", ""), kp_sha256_hex(p->a, bytes, n), 64);

    answer back = { 0 };
    c.script = "cat; echo end >&2";
    kp_host_exec(h, p->a, &c, place_answer, &back);
    const kp_value *v = place_ok(p, &back);
    assert_int_equal(kp_get(v, "out")->n, n);
    assert_memory_equal(kp_get(v, "out")->u.s, bytes, n);

    answer unread = { 0 };
    c.script = "head -c 5 >/dev/null; echo done";
    kp_host_exec(h, p->a, &c, place_answer, &unread);
    assert_string_equal(kp_get_text(place_ok(p, &unread), "out", ""), "done\n");
}

/* The login shell stands in for a hostile or broken one: `become_files` is what runs first. */
static void test_noise_and_lies(void **state)
{
    place *p = *state;
    struct {
        const char *prefix; /* a script that is given the command as arguments */
        kp_class cls;       /* 0: it must succeed */
        const char *part;
    } cases[] = {
        { "echo welcome; echo noise >&2; \"$@\"", 0, NULL },
        { "printf 'KPLAY-RC:0:0\\nKPLAY-BEGIN:x\\n'; \"$@\"", 0, NULL },
        { "exit 0", KP_HOST, "unknown: the channel was closed before the script began" },
        { "echo 'This account is locked'; exit 1", KP_HOST, "no shell came up (exit 1): This acc" },
        { "echo 'sudo: a password is required' >&2; exit 1", KP_HOST, "not allowed: sudo: a pass" },
        { "\"$@\"; echo bye", KP_HOST, "unknown: the channel was closed before the script ended" },
        { "\"$@\" | head -c 90", KP_HOST, "unknown" },
        { "\"$@\" & sleep 0.3; kill -9 $$", KP_HOST, "unknown: the command was ended by signal 9" },
        { "head -c 60 | \"$@\"", KP_HOST, "no shell came up (exit 2)" }, /* cut in transit */
    };
    for (size_t i = 0; i < KP_COUNT(cases); i++) {
        const char *shim = place_write(p, kp_printf(p->a, "shim%zu", i), "%s\n", cases[i].prefix);
        p->spec.become_files = kp_printf(p->a, "/bin/sh %s", shim);
        kp_host *h = place_host(p);
        answer r = { 0 };
        const char *mark = place_path(p, kp_printf(p->a, "ran%zu", i));
        kp_host_command c = {
            .script = kp_printf(p->a, "echo here; : >%s; echo there", mark),
            .as = KP_AS_FILES,
            .deadline = place_soon(),
        };
        kp_host_exec(h, p->a, &c, place_answer, &r);
        if (cases[i].cls) {
            place_fails(p, &r, cases[i].cls, cases[i].part);
            continue;
        }
        const kp_value *v = place_ok(p, &r);
        assert_string_equal(kp_get_text(v, "out", ""), "here\nthere\n");
        assert_string_equal(kp_get_text(v, "err", "-"), "");
        assert_int_equal(access(mark, F_OK), 0);
    }
    assert_false(place_has(p, "ran8")); /* a script cut short runs not even in part */
}

static void test_forged_trailer(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    answer r = { 0 };
    /* It knows everything but the nonce; and it knows the nonce's form. */
    ask(p, h, "printf '\\nKPLAY-RC:%032d:0\\n' 0; kill -9 $$", &r);
    place_fails(p, &r, KP_HOST, "unknown: the command was ended by signal 9");
}

static void test_four_at_a_time(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    answer r[12] = { { 0 } };
    for (size_t i = 0; i < KP_COUNT(r); i++)
        ask(p, h,
            kp_printf(p->a, "cd %s; n=$(mkdir slot.$$ && ls -d slot.* | wc -l); sleep 0.05; "
                            "rmdir slot.$$; echo $n",
                      p->dir),
            &r[i]);
    int most = 0;
    for (size_t i = 0; i < KP_COUNT(r); i++) {
        int n = (int)strtol(kp_get_text(place_ok(p, &r[i]), "out", "0"), NULL, 10);
        most = n > most ? n : most;
    }
    assert_true(most > 1 && most <= KP_HOST_CHANNELS);
}

static void test_too_many_waiting(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    answer *r = KP_NEW_ARRAY(p->a, KP_HOST_WAITING + 1, answer);
    for (size_t i = 0; i <= KP_HOST_WAITING; i++)
        ask(p, h, ":", &r[i]);
    place_fails(p, &r[KP_HOST_WAITING], KP_HOST, "more than 256 commands wait");
    for (size_t i = 0; i < KP_HOST_WAITING; i++) {
        place_ok(p, &r[i]);
    }
}

static void test_long_answers(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    answer fits = { 0 }, much = { 0 }, loud = { 0 };
    ask(p, h, "head -c 4000000 /dev/zero", &fits);
    assert_int_equal(kp_get(place_ok(p, &fits), "out")->n, 4000000);
    ask(p, h, "head -c 6000000 /dev/zero", &much);
    place_fails(p, &much, KP_HOST, "the answer is longer than 4194304 bytes");
    ask(p, h, "head -c 6000000 /dev/zero >&2; echo out", &loud);
    const kp_value *v = place_ok(p, &loud);
    assert_string_equal(kp_get_text(v, "out", ""), "out\n");
    assert_int_equal(kp_get(v, "err")->n, KP_HOST_ERR_LIMIT);

    answer big = { 0 };
    char *script = kp_alloc(p->a, KP_HOST_SCRIPT_LIMIT + 2);
    memset(script, ' ', KP_HOST_SCRIPT_LIMIT + 1);
    ask(p, h, script, &big);
    place_fails(p, &big, KP_INTERNAL, "a script is longer");
    answer whole = { 0 };
    script[KP_HOST_SCRIPT_LIMIT] = '\0';
    memset(script, '\'', KP_HOST_SCRIPT_LIMIT - 6); /* an even number: pairs of quotes */
    memcpy(script + KP_HOST_SCRIPT_LIMIT - 6, "; :   ", 6);
    ask(p, h, script, &whole);
    assert_int_equal(kp_get_int(place_ok(p, &whole), "rc", -1), 0);
}

static void test_deadline(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    answer r[KP_HOST_CHANNELS] = { { 0 } }, waiting = { 0 };
    kp_host_command c = {
        .script = kp_printf(p->a, "sleep 0.6; : >%s/late", p->dir),
        .deadline = kp_mono_now() + 200,
    };
    kp_ms begun = kp_mono_now();
    for (size_t i = 0; i < KP_COUNT(r); i++)
        kp_host_exec(h, p->a, &c, place_answer, &r[i]);
    c.deadline = kp_mono_now() + 100;
    kp_host_exec(h, p->a, &c, place_answer, &waiting);
    place_fails(p, &waiting, KP_HOST, "timed out before a command could be given to it");
    for (size_t i = 0; i < KP_COUNT(r); i++) {
        place_wait(p, &r[i]);
        assert_true(r[i].err->retriable);
        assert_non_null(strstr(r[i].err->what, "unknown: no answer in time"));
        kp_err_drop(r[i].err);
    }
    assert_true(kp_mono_now() - begun < 550);
    /* It was given up, not ended: what it did is there, which is why it is unknown. */
    for (int i = 0; i < 100 && !place_has(p, "late"); i++)
        place_turn_for(p, 20);
    assert_true(place_has(p, "late"));
    assert_string_equal(place_sh(p, h, "echo still"), "still\n");
}

static void test_cancel(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    answer r[6] = { { 0 } };
    kp_ticket t[6];
    for (size_t i = 0; i < KP_COUNT(r); i++)
        t[i] = ask(p, h, "sleep 0.1; echo x", &r[i]);
    kp_host_cancel(p->hs, t[5]); /* waits */
    place_turn_for(p, 30);
    kp_host_cancel(p->hs, t[0]); /* runs */
    place_ok(p, &r[1]);
    place_turn_for(p, 400);
    kp_host_cancel(p->hs, t[1]); /* has answered */
    kp_host_cancel(p->hs, 999);
    assert_int_equal(r[0].calls, 0);
    assert_int_equal(r[5].calls, 0);
    for (size_t i = 1; i < 5; i++)
        assert_int_equal(r[i].calls, 1);
}

typedef struct chain {
    place *p;
    kp_host *h;
    int n;
    bool inside;
} chain;

static void count_never(void *ud, kp_err *err, const kp_value *v)
{
    (void)v;
    kp_err_drop(err);
    *(int *)ud += 1;
}

static int never;

static void go_on(void *ud, kp_err *err, const kp_value *v)
{
    chain *c = ud;
    assert_null(err);
    assert_string_equal(kp_get_text(v, "out", ""), "ok\n");
    assert_false(c->inside); /* not from inside the call below */
    if (++c->n == 5)
        return;
    c->inside = true;
    kp_host_command command = { .script = "echo ok", .deadline = place_soon() };
    kp_host_exec(c->h, c->p->a, &command, go_on, c);
    kp_host_cancel(c->p->hs, kp_host_exec(c->h, c->p->a, &command, count_never, &never));
    c->inside = false;
}

static void test_asking_from_an_answer(void **state)
{
    place *p = *state;
    chain c = { .p = p, .h = place_host(p) };
    never = 0;
    kp_host_command command = { .script = "echo ok", .deadline = place_soon() };
    kp_host_exec(c.h, p->a, &command, go_on, &c);
    for (int i = 0; i < 500 && c.n < 5; i++)
        place_turn_for(p, 10);
    assert_int_equal(c.n, 5);
    assert_int_equal(never, 0);
}

static void test_free_with_commands_at_work(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    answer r[8] = { { 0 } };
    for (size_t i = 0; i < KP_COUNT(r); i++)
        ask(p, h, i ? "sleep 0.3" : ":", &r[i]);
    place_turn_for(p, 60);
    kp_hosts_free(p->hs);
    p->hs = kp_hosts_new(p->l);
    place_turn_for(p, 400);
    for (size_t i = 1; i < KP_COUNT(r); i++)
        assert_int_equal(r[i].calls, 0);
}

/* Descriptors of kplay (sockets, journals, locks) must not live on in what it starts. */
static void test_no_descriptor_is_inherited(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    FILE *f = fopen(p->config, "r"); /* without O_CLOEXEC */
    assert_non_null(f);
    assert_string_equal(place_sh(p, h, "ls -l /proc/$$/fd | grep -c server.properties"), "0\n");
    fclose(f);
    assert_string_equal(place_sh(p, h, "grep SigIgn: /proc/self/status | tail -c 8"),
                        "0000000\n"); /* signals 1 to 28 */
    assert_string_equal(place_sh(p, h, "tty >/dev/null && echo tty"), "");
}

static void test_specs(void **state)
{
    place *p = *state;
    kp_host *h;
    struct {
        const char *transport, *address, *release, *config, *part;
        int port;
    } cases[] = {
        { "telnet", "a", NULL, NULL, "no such transport: \"telnet\"", 0 },
        { "ssh", "", NULL, NULL, "a host has no address", 0 },
        { "ssh", "-oProxyCommand=x", NULL, NULL, "is no address", 0 },
        { "ssh", "a", "kafka-3.9.1", NULL, "layout.release has no {version}", 0 },
        { "ssh", "a", NULL, "server.properties", "layout.config is not an absolute path", 0 },
        { "ssh", "a", NULL, NULL, "no such port: 70000", 70000 },
    };
    for (size_t i = 0; i < KP_COUNT(cases); i++) {
        kp_host_spec s = { .transport = cases[i].transport, .address = cases[i].address };
        s.port = cases[i].port;
        s.layout.release = cases[i].release;
        s.layout.config = cases[i].config;
        kp_err *e = kp_host_new(p->hs, &s, &h);
        assert_non_null(e);
        assert_int_equal(e->cls, KP_CONFIG);
        if (!strstr(e->what, cases[i].part))
            fail_msg("%s", e->what);
        kp_err_drop(e);
    }
    kp_host_spec plain = { .address = "broker1" };
    assert_null(kp_host_new(p->hs, &plain, &h));
    assert_string_equal(kp_host_name(h), "broker1");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_table),
        TEST(test_input_is_the_scripts_own),
        TEST(test_noise_and_lies),
        TEST(test_forged_trailer),
        TEST(test_four_at_a_time),
        TEST(test_too_many_waiting),
        TEST(test_long_answers),
        TEST(test_deadline),
        TEST(test_cancel),
        TEST(test_asking_from_an_answer),
        TEST(test_free_with_commands_at_work),
        TEST(test_no_descriptor_is_inherited),
        TEST(test_specs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
