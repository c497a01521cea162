/* Detached commands under a claim: once however often launched and wherever cut, and the four
 * answers of a poll. */
#include "with_host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLUSTER "clusterA"
#define OPS "releases/.kplay/" CLUSTER "/op/"

static kp_host_op op(const char *id)
{
    return (kp_host_op) { .id = id, .cluster = CLUSTER, .epoch = 1, .deadline = place_soon() };
}

static const char *launch(place *p, kp_host *h, const char *id, const char *script)
{
    answer r = { 0 };
    kp_host_op o = op(id);
    kp_host_job(h, p->a, &o, "test", script, place_answer, &r);
    return kp_get_text(place_ok(p, &r), "did", "");
}

static const kp_value *poll(place *p, kp_host *h, const char *id, int64_t since)
{
    answer r = { 0 };
    kp_host_op o = op(id);
    kp_host_job_poll(h, p->a, &o, since, place_answer, &r);
    return place_ok(p, &r);
}

static const char *state_of(place *p, kp_host *h, const char *id)
{
    return kp_get_text(poll(p, h, id, 0), "state", "");
}

static const kp_value *until(place *p, kp_host *h, const char *id, const char *state)
{
    for (int i = 0; i < 200; i++) {
        const kp_value *v = poll(p, h, id, 0);
        if (kp_streq(kp_get_text(v, "state", ""), state))
            return v;
    }
    fail_msg("%s is never %s", id, state);
    return NULL;
}

static kp_host *ready(place *p)
{
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    return h;
}

static void test_life(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    assert_string_equal(state_of(p, h, "1.a/2~1"), "none");
    /* It waits to be let go, and ends by itself when this test has ended without doing so:
     * detached as it is, nobody else would end it. */
    assert_string_equal(
        launch(p, h, "1.a/2~1",
               kp_printf(p->a,
                         "echo out; echo err >&2; n=0; while [ ! -e %s/go ] && [ $n -lt 1500 ]; "
                         "do sleep 0.02; n=$((n+1)); done; echo more; exit 3",
                         p->dir)),
        "asked");
    const kp_value *v = poll(p, h, "1.a/2~1", 0);
    assert_string_equal(kp_get_text(v, "state", ""), "running");
    assert_null(kp_get(v, "rc"));
    assert_string_equal(launch(p, h, "1.a/2~1", "echo never >>never"), "attached");
    place_write(p, "go", "%s", "");
    v = until(p, h, "1.a/2~1", "done");
    assert_int_equal(kp_get_int(v, "rc", -1), 3);
    assert_string_equal(kp_get_text(v, "output", ""), "out\nerr\nmore\n");
    assert_int_equal(kp_get_int(v, "output_size", -1), 13);
    assert_string_equal(kp_get_text(poll(p, h, "1.a/2~1", 8), "output", ""), "more\n");
    assert_string_equal(kp_get_text(poll(p, h, "1.a/2~1", 99), "output", "-"), "");
    assert_string_equal(launch(p, h, "1.a/2~1", "echo never"), "attached");
    assert_true(place_has(p, OPS "1.a%2F2~1/rc"));
    assert_int_equal(place_count(place_read(p, "releases/.kplay/" CLUSTER "/acts.log"), "\n"), 1);
}

static void test_scripts_of_all_kinds(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    static const struct {
        const char *script;
        int rc;
        const char *out;
    } rows[] = {
        { ":", 0, "" },
        { "cat", 0, "" }, /* nothing to read, and nobody to wait for */
        { "exit 255", 255, "" },
        { "if", 2, NULL },
        { "kill -9 $(sh -c 'echo $PPID')", 137, NULL },
        { "printf %s \"it's \\$x\"", 0, "it's $x" },
        { "cat <<'E'\n$HOME `id` '\nE\n", 0, "$HOME `id` '\n" },
        { "state=x claim=y op=z; exit 0", 0, "" }, /* our own variables are not its business */
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *id = kp_printf(p->a, "1.s.%zu~1", i);
        assert_string_equal(launch(p, h, id, rows[i].script), "asked");
        const kp_value *v = until(p, h, id, "done");
        assert_int_equal(kp_get_int(v, "rc", -1), rows[i].rc);
        if (rows[i].out)
            assert_string_equal(kp_get_text(v, "output", "-"), rows[i].out);
    }
}

static void test_output_is_capped(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    launch(p, h, "1.big~1", "head -c 200000 /dev/zero | tr '\\0' x");
    const kp_value *v = until(p, h, "1.big~1", "done");
    assert_int_equal(kp_get(v, "output")->n, 64 << 10);
    assert_int_equal(kp_get_int(v, "output_size", -1), 200000);
    assert_int_equal(kp_get(poll(p, h, "1.big~1", 199990), "output")->n, 10);
}

/* Fifty launches of one id, most of them given up somewhere on the way: it runs once. */
static void test_fifty_launches_run_once(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    kp_host_op o = op("1.once~1");
    const char *script = kp_printf(p->a, "echo ran >>%s/ran; sleep 0.2", p->dir);
    answer r[50] = { { 0 } };
    kp_ticket t[50];
    unsigned seed = 20260101;
    for (int i = 0; i < 50; i++) {
        t[i] = kp_host_job(h, p->a, &o, "test", script, place_answer, &r[i]);
        seed = seed * 1103515245 + 12345;
        place_turn_for(p, (kp_ms)(seed >> 16) % 8);
        if (i % 5)
            kp_host_cancel(p->hs, t[i]); /* its streams are closed wherever it was */
    }
    for (int i = 0; i < 50; i += 5)
        place_ok(p, &r[i]);
    const kp_value *v = until(p, h, "1.once~1", "done");
    assert_int_equal(kp_get_int(v, "rc", -1), 0);
    assert_string_equal(place_read(p, "ran"), "ran\n");
    assert_int_equal(place_count(place_read(p, "releases/.kplay/" CLUSTER "/acts.log"), "\n"), 1);
}

/* Kills the shells this test launches with, not what they have detached. */
static int shoot_launchers(void)
{
    char path[64], line[300];
    int pid;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "r");
    int shot = 0;
    while (fscanf(children, "%d", &pid) == 1) {
        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        FILE *f = fopen(path, "r");
        size_t n = f ? fread(line, 1, sizeof line, f) : 0;
        if (f)
            fclose(f);
        if (memmem(line, n, "head -c", 7) && kill(pid, SIGKILL) == 0)
            shot++;
    }
    fclose(children);
    return shot;
}

/* The same when the launching shells are killed at random moments, as a dying sshd might. */
static void test_killed_launchers_run_once(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    unsigned seed = 7;
    int kills = 0, unknown = 0;
    for (int job = 0; job < 20; job++) {
        const char *id = kp_printf(p->a, "1.k.%d~1", job);
        const char *script = kp_printf(p->a, "echo %d >>%s/ran%d", job, p->dir, job);
        kp_host_op o = op(id);
        answer r[4] = { { 0 } };
        for (size_t i = 0; i < KP_COUNT(r); i++)
            kp_host_job(h, p->a, &o, "test", script, place_answer, &r[i]);
        seed = seed * 1103515245 + 12345;
        place_turn_for(p, (kp_ms)(seed >> 16) % 60);
        kills += shoot_launchers();
        for (size_t i = 0; i < KP_COUNT(r); i++) {
            place_wait(p, &r[i]);
            if (r[i].err) {
                unknown++;
                place_fails(p, &r[i], KP_HOST, "unknown: the command was ended by signal 9");
            }
        }
        const char *did = launch(p, h, id, script);
        assert_true(kp_streq(did, "asked") || kp_streq(did, "attached"));
        until(p, h, id, "done");
        assert_string_equal(place_read(p, kp_printf(p->a, "ran%d", job)),
                            kp_printf(p->a, "%d\n", job));
    }
    assert_true(unknown > 10 && unknown <= kills);
}

static void test_executor_gone_is_stale(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    launch(p, h, "1.dead~1", kp_printf(p->a, "echo started; : >%s/up; sleep 1; echo late", p->dir));
    for (int i = 0; i < 200 && !place_has(p, "up"); i++)
        place_turn_for(p, 10);
    assert_string_equal(state_of(p, h, "1.dead~1"), "running");
    int pid = (int)strtol(strchr(place_read(p, OPS "1.dead~1/who"), ' '), NULL, 10);
    assert_true(pid > 1);
    kill(pid, SIGKILL);
    place_gone(p, pid);
    const kp_value *v = poll(p, h, "1.dead~1", 0);
    assert_string_equal(kp_get_text(v, "state", ""), "stale");
    assert_null(kp_get(v, "rc"));
    assert_string_equal(kp_get_text(v, "output", ""), "started\n");
    assert_string_equal(launch(p, h, "1.dead~1", "echo again >>again"), "attached");
    assert_string_equal(state_of(p, h, "1.dead~1"), "stale");
}

/* Claims as they may be found: each row a who file and an rc file, "-" for none. */
static void test_claims_as_found(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    const char *boot = place_read(p, "../../proc/sys/kernel/random/boot_id");
    boot = kp_strndup(p->a, boot, strcspn(boot, "\n"));
    const char *self = place_sh(p, h,
                                kp_printf(p->a,
                                          "sed 's/^.*) //' /proc/%d/stat | "
                                          "cut -d' ' -f20",
                                          (int)getpid()));
    const struct {
        const char *who, *rc, *state;
    } rows[] = {
        { kp_printf(p->a, "%s %d %s", boot, (int)getpid(), self), "-", "running" },
        { kp_printf(p->a, "%s %d 1\n", boot, (int)getpid()), "-", "stale" }, /* pid reused */
        { kp_printf(p->a, "%s 4194399 1\n", boot), "-", "stale" },
        { kp_printf(p->a, "another-boot %d %s", (int)getpid(), self), "-", "stale" },
        { kp_printf(p->a, "another-boot %d %s", (int)getpid(), self), "0\n", "done" },
        { "-", "-", "stale" },
        { "-", "5\n", "done" },
        { "garbage\n", "-", "stale" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *id = kp_printf(p->a, "1.f.%zu~1", i);
        if (!kp_streq(rows[i].who, "-"))
            place_write(p, kp_printf(p->a, OPS "%s/who", id), "%s", rows[i].who);
        else
            mkdir(place_path(p, kp_printf(p->a, OPS "%s", id)), 0755);
        if (!kp_streq(rows[i].rc, "-"))
            place_write(p, kp_printf(p->a, OPS "%s/rc", id), "%s", rows[i].rc);
        const char *found = state_of(p, h, id);
        if (!kp_streq(found, rows[i].state))
            fail_msg("row %zu: %s, not %s", i, found, rows[i].state);
    }
}

/* A claim that is just being made has no who yet; the poll waits for its maker's lock. */
static void test_poll_waits_for_a_claim_in_the_making(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    int fd = open(place_path(p, "releases/.kplay/" CLUSTER "/lock"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    mkdir(place_path(p, OPS "1.new~1"), 0755);
    answer r = { 0 };
    kp_host_op o = op("1.new~1");
    kp_host_job_poll(h, p->a, &o, 0, place_answer, &r);
    place_turn_for(p, 300);
    assert_int_equal(r.calls, 0);
    place_write(p, OPS "1.new~1/rc", "0\n");
    place_write(p, OPS "1.new~1/who", "x 1 1\n");
    close(fd);
    const kp_value *v = place_ok(p, &r);
    assert_string_equal(kp_get_text(v, "state", ""), "done");
}

static void test_claim_that_can_not_be_made(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    /* A file where the directory of claims should be: no permission bits, which root ignores. */
    assert_int_equal(rmdir(place_path(p, OPS)), 0);
    place_write(p, "releases/.kplay/" CLUSTER "/op", "%s", "");
    answer r = { 0 };
    kp_host_op o = op("1.x~1");
    kp_host_job(h, p->a, &o, "test", kp_printf(p->a, ": >%s/ran", p->dir), place_answer, &r);
    place_fails(p, &r, KP_HOST, "cannot be made");
    place_turn_for(p, 100);
    assert_false(place_has(p, "ran"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_life),
        TEST(test_scripts_of_all_kinds),
        TEST(test_output_is_capped),
        TEST(test_fifty_launches_run_once),
        TEST(test_killed_launchers_run_once),
        TEST(test_executor_gone_is_stale),
        TEST(test_claims_as_found),
        TEST(test_poll_waits_for_a_claim_in_the_making),
        TEST(test_claim_that_can_not_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
