/* Stop and start: by systemd, by command, by signal; the right process or none, once per op id. */
#include "with_host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLUSTER "clusterA"

static const char *acts(place *p)
{
    return place_read(p, "releases/.kplay/" CLUSTER "/acts.log");
}

static const kp_value *words(place *p, const char *const *w)
{
    kp_builder b = kp_list_begin(p->a);
    for (; *w; w++)
        kp_list_add(&b, kp_text(p->a, *w));
    return kp_list_end(&b);
}

static kp_host_op op(const char *id)
{
    return (kp_host_op){ .id = id, .cluster = CLUSTER, .epoch = 1, .deadline = place_soon() };
}

static const char *stop(place *p, kp_host *h, const char *id, int64_t pid, int64_t start)
{
    answer r = { 0 };
    kp_host_op o = op(id);
    kp_host_stop(h, p->a, &o, pid, start, place_answer, &r);
    return kp_get_text(place_ok(p, &r), "did", "");
}

static void stop_fails(place *p, kp_host *h, const char *id, int64_t pid, int64_t start,
                       kp_class cls, const char *part)
{
    answer r = { 0 };
    kp_host_op o = op(id);
    kp_host_stop(h, p->a, &o, pid, start, place_answer, &r);
    place_fails(p, &r, cls, part);
}

static const char *start(place *p, kp_host *h, const char *id)
{
    answer r = { 0 };
    kp_host_op o = op(id);
    kp_host_start(h, p->a, &o, place_answer, &r);
    return kp_get_text(place_ok(p, &r), "did", "");
}

static const kp_value *poll(place *p, kp_host *h, const char *id)
{
    answer r = { 0 };
    kp_host_op o = op(id);
    kp_host_job_poll(h, p->a, &o, 0, place_answer, &r);
    return place_ok(p, &r);
}

static void until_done(place *p, kp_host *h, const char *id)
{
    for (int i = 0; i < 200; i++)
        if (kp_streq(kp_get_text(poll(p, h, id), "state", ""), "done"))
            return;
    fail_msg("%s did not end", id);
}

/* ---- by signal ---- */

static void test_signal_to_the_one_process(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    place_write(p, "other.properties", "broker.id=2\n");
    int other = place_broker(p, "3.5.2", place_path(p, "other.properties"));
    int pid = place_broker(p, "3.5.2", p->config);
    int64_t began = kp_get_int(place_state(p, h, NULL, -1), "start_time", 0);

    stop_fails(p, h, "1.wrong-start~1", pid, began + 1, KP_REFUSED, "runs in its place");
    stop_fails(p, h, "1.wrong-process~1", other, began - 1000000, KP_REFUSED, "runs in its place");
    int64_t other_began = strtoll(
        place_sh(p, h, kp_printf(p->a, "sed 's/^.*) //' /proc/%d/stat | cut -d' ' -f20", other)),
        NULL, 10);
    stop_fails(p, h, "1.other~1", other, other_began, KP_REFUSED, "does not run");
    assert_true(place_alive(pid) && place_alive(other));
    assert_string_equal(acts(p), "");

    assert_string_equal(stop(p, h, "1.stop~1", pid, began), "asked");
    place_gone(p, pid);
    assert_true(place_alive(other));
    assert_string_equal(stop(p, h, "1.stop~1", pid, began), "attached");
    assert_string_equal(stop(p, h, "1.stop~2", pid, began), "already");
    assert_string_equal(stop(p, h, "1.stop~3", 0, 0), "already");
    assert_int_equal(place_count(acts(p), "\n"), 1);
    assert_int_equal(place_count(acts(p), kp_printf(p->a, "Z 1.stop~1 stop pid %d\n", pid)), 1);
    assert_string_equal(kp_get_text(poll(p, h, "1.stop~1"), "state", ""), "done");

    /* Whatever runs; and the same op id never a second time. */
    int again = place_broker(p, "3.5.2", p->config);
    stop_fails(p, h, "1.stop~4", pid, began, KP_REFUSED, "runs in its place");
    assert_string_equal(stop(p, h, "1.stop~1", again, 0), "attached");
    assert_true(place_alive(again));
    assert_string_equal(stop(p, h, "1.stop~5", 0, 0), "asked");
    place_gone(p, again);
}

static void test_signal_is_sent_once_under_many_launches(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    /* A broker that notes every SIGTERM and takes its time. */
    const char *script = place_write(
        p, "slow.sh",
        "trap 'echo term >>%s/terms' TERM\nn=0\nwhile [ -e \"$2\" ] && [ $n -lt 1200 ]; do "
        "sleep 0.05; n=$((n+1)); done\n",
        p->dir);
    place_sh(p, h, kp_printf(p->a, "setsid sh %s kafka.Kafka %s </dev/null >/dev/null 2>&1 &",
                             script, p->config));
    const kp_value *v = place_state(p, h, NULL, -1);
    for (int i = 0; i < 100 && kp_get_int(v, "pid", 0) == 0; i++)
        v = place_state(p, h, NULL, -1);
    int64_t pid = kp_get_int(v, "pid", 0), began = kp_get_int(v, "start_time", 0);
    assert_true(pid > 0);
    answer r[20] = { { 0 } };
    kp_host_op o = op("1.stop~1");
    for (size_t i = 0; i < KP_COUNT(r); i++)
        kp_host_stop(h, p->a, &o, pid, began, place_answer, &r[i]);
    int asked = 0;
    for (size_t i = 0; i < KP_COUNT(r); i++)
        asked += kp_streq(kp_get_text(place_ok(p, &r[i]), "did", ""), "asked");
    place_turn_for(p, 200);
    assert_int_equal(asked, 1);
    assert_string_equal(place_read(p, "terms"), "term\n");
    assert_int_equal(place_count(acts(p), "\n"), 1);
    assert_true(place_alive((int)pid)); /* not killed because it is slow */
}

static void test_several_processes_are_refused(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    int a = place_broker(p, "3.5.2", p->config), b = place_broker(p, "3.5.2", p->config);
    stop_fails(p, h, "1.stop~1", 0, 0, KP_REFUSED, "several processes run");
    assert_true(place_alive(a) && place_alive(b));
}

static void test_status_that_names_a_stranger(void **state)
{
    place *p = *state;
    const char *argv[] = { "sh", "-c", kp_printf(p->a, "echo %d", (int)getpid()), NULL };
    p->spec.service.status = words(p, argv);
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    stop_fails(p, h, "1.stop~1", 0, 0, KP_REFUSED, "is no Kafka");
}

/* ---- by command ---- */

static void test_commands(void **state)
{
    place *p = *state;
    const char *broker = place_write(
        p, "broker.sh", "n=0\nwhile [ -e \"$2\" ] && [ $n -lt 1200 ]; do sleep 0.05; "
                        "n=$((n+1)); done\n");
    place_write(p, "start.sh",
                "echo starting {$1}; echo run >>%s/starts; umask; echo ${LC_ALL-no LC_ALL}\n"
                "nohup sh %s kafka.Kafka \"$1\" </dev/null >/dev/null 2>&1 &\n",
                p->dir, broker);
    place_write(p, "stop.sh", "echo run >>%s/stops\nkill -TERM $(cat %s/pid)\n", p->dir, p->dir);
    const char *start_argv[] = { "sh", place_path(p, "start.sh"), "{config}", NULL };
    const char *stop_argv[] = { "sh", place_path(p, "stop.sh"), NULL };
    p->spec.service.start = words(p, start_argv);
    p->spec.service.stop = words(p, stop_argv);
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");

    assert_string_equal(start(p, h, "1.start~1"), "asked");
    until_done(p, h, "1.start~1");
    const kp_value *v = poll(p, h, "1.start~1");
    assert_int_equal(kp_get_int(v, "rc", -1), 0);
    const char *out = kp_get_text(v, "output", "");
    assert_int_equal(place_count(out, kp_printf(p->a, "starting {%s}\n", p->config)), 1);
    const kp_value *seen = place_state(p, h, NULL, -1);
    int64_t pid = kp_get_int(seen, "pid", 0), began = kp_get_int(seen, "start_time", 0);
    assert_true(pid > 0);
    assert_string_equal(start(p, h, "1.start~1"), "attached");
    assert_string_equal(start(p, h, "1.start~2"), "already");

    place_write(p, "pid", "%d\n", (int)pid);
    stop_fails(p, h, "1.stop~0", pid, began + 5, KP_REFUSED, "runs in its place");
    assert_string_equal(stop(p, h, "1.stop~1", pid, began), "asked");
    place_gone(p, (int)pid);
    until_done(p, h, "1.stop~1");
    assert_string_equal(stop(p, h, "1.stop~1", pid, began), "attached");
    assert_string_equal(stop(p, h, "1.stop~2", pid, began), "already");
    assert_string_equal(place_read(p, "starts"), "run\n");
    assert_string_equal(place_read(p, "stops"), "run\n");
    assert_int_equal(place_count(acts(p), "\n"), 2);
    assert_int_equal(place_count(acts(p), "1.start~1 start command\n"), 1);
    assert_int_equal(place_count(acts(p), "1.stop~1 stop command\n"), 1);
}

/* A command keeps the login's own language and file mode mask; only our tools run in C. */
static void test_command_environment(void **state)
{
    place *p = *state;
    const char *argv[] = { "sh", "-c", "umask; echo \"${LC_ALL-none}\"; ls -l /proc/$$/fd", NULL };
    p->spec.service.start = words(p, argv);
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    static const char *const languages[] = { NULL, "de_DE.UTF-8" };
    for (size_t i = 0; i < 2; i++) {
        if (languages[i])
            setenv("LC_ALL", languages[i], 1);
        else
            unsetenv("LC_ALL");
        mode_t mask = umask(027);
        const char *id = kp_printf(p->a, "1.start~%zu", i);
        assert_string_equal(start(p, h, id), "asked");
        until_done(p, h, id);
        umask(mask);
        const char *out = kp_get_text(poll(p, h, id), "output", "");
        const char *wanted = kp_printf(p->a, "0027\n%s\n", languages[i] ? languages[i] : "none");
        assert_memory_equal(out, wanted, strlen(wanted));
        assert_int_equal(place_count(out, "/lock"), 0);
        assert_int_equal(place_count(out, "pipe:"), 0);
    }
    unsetenv("LC_ALL");
}

static void test_no_start_command(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    answer r = { 0 };
    kp_host_op o = op("1.start~1");
    kp_host_start(h, p->a, &o, place_answer, &r);
    place_fails(p, &r, KP_CONFIG, "not told how to start Kafka");
}

/* ---- two users: `service` may act, `files` may write.  env stands in for sudo. ---- */

static void test_become(void **state)
{
    place *p = *state;
    p->spec.become_service = "env AS=service";
    p->spec.become_files = "env AS=files";
    const char *argv[] = { "sh", "-c", kp_printf(p->a, "echo \"$AS\" >>%s/who", p->dir), NULL };
    p->spec.service.start = words(p, argv);
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    assert_string_equal(start(p, h, "1.start~1"), "asked");
    until_done(p, h, "1.start~1");
    assert_string_equal(place_read(p, "who"), "service\n");
    p->spec.become_service = "";
    h = place_host(p);
    assert_string_equal(start(p, h, "1.start~2"), "asked");
    until_done(p, h, "1.start~2");
    assert_string_equal(place_read(p, "who"), "service\nfiles\n");
    answer r = { 0 };
    kp_host_command c = { .script = "echo $AS", .as = KP_AS_FILES, .deadline = place_soon() };
    kp_host_exec(h, p->a, &c, place_answer, &r);
    assert_string_equal(kp_get_text(place_ok(p, &r), "out", ""), "files\n");
    assert_string_equal(place_sh(p, h, "echo $AS"), "\n");
    p->spec.become_files = "false";
    h = place_host(p);
    answer no = { 0 };
    kp_host_exec(h, p->a, &c, place_answer, &no);
    place_fails(p, &no, KP_HOST, "no shell came up (exit 1)");
}

/* ---- by systemd: a systemctl that shows what a test wrote, and notes what it was asked ---- */

static kp_host *systemd_host(place *p)
{
    const char *tool = place_write(p, "bin/systemctl",
                                   "#!/bin/sh\ncase $1 in\nshow) cat %s/unit ;;\n"
                                   "*) echo \"$*\" >>%s/asked; cat %s/answer; "
                                   "exit $(cat %s/rc 2>/dev/null || echo 0) ;;\nesac\n",
                                   p->dir, p->dir, p->dir, p->dir);
    assert_int_equal(chmod(tool, 0755), 0);
    place_write(p, "answer", "%s", "");
    static char path[4000];
    if (!path[0])
        snprintf(path, sizeof path, "%s", getenv("PATH"));
    setenv("PATH", kp_printf(p->a, "%s:%s", place_path(p, "bin"), path), 1);
    p->spec.service.unit = "kafka@1";
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    return h;
}

static void test_systemd(void **state)
{
    place *p = *state;
    kp_host *h = systemd_host(p);
    int pid = place_broker(p, "3.5.2", p->config);
    place_write(p, "unit", "ActiveState=active\nMainPID=%d\n", pid);
    int64_t began = kp_get_int(place_state(p, h, NULL, -1), "start_time", 0);
    assert_string_equal(start(p, h, "1.start~0"), "already");
    stop_fails(p, h, "1.stop~0", pid, began + 1, KP_REFUSED, "is gone and kafka@1 is active");
    assert_string_equal(place_read(p, "asked"), "");
    assert_string_equal(stop(p, h, "1.stop~1", pid, began), "asked");
    assert_string_equal(place_read(p, "asked"), "stop --no-block kafka@1\n");
    assert_string_equal(stop(p, h, "1.stop~2", 0, 0), "asked"); /* a unit that flaps has no pid */

    place_write(p, "unit", "ActiveState=deactivating\nMainPID=%d\n", pid);
    assert_string_equal(stop(p, h, "1.stop~3", pid, began), "already");
    answer r = { 0 };
    kp_host_op o = op("1.start~1");
    kp_host_start(h, p->a, &o, place_answer, &r);
    place_fails(p, &r, KP_REFUSED, "is still stopping");

    place_write(p, "unit", "ActiveState=failed\nMainPID=0\n");
    assert_string_equal(stop(p, h, "1.stop~4", pid, began), "already");
    assert_string_equal(start(p, h, "1.start~2"), "asked");
    assert_string_equal(place_read(p, "asked"),
                        "stop --no-block kafka@1\nstop --no-block kafka@1\n"
                        "start --no-block kafka@1\n");
    assert_int_equal(place_count(acts(p), "\n"), 3);
    assert_int_equal(place_count(acts(p), "1.stop~1 stop kafka@1\n"), 1);
    assert_int_equal(place_count(acts(p), "1.start~2 start kafka@1\n"), 1);
    assert_true(place_alive(pid));
}

static void test_systemd_says_no(void **state)
{
    place *p = *state;
    kp_host *h = systemd_host(p);
    place_write(p, "unit", "ActiveState=inactive\nMainPID=0\n");
    place_write(p, "rc", "4");
    place_write(p, "answer", "Failed to start kafka: Interactive authentication required\n");
    answer r = { 0 }, none = { 0 };
    kp_host_op o = op("1.start~1");
    kp_host_start(h, p->a, &o, place_answer, &r);
    place_fails(p, &r, KP_HOST, "systemctl start kafka@1: Failed to start kafka: Interact");
    place_write(p, "unit", "%s", "");
    kp_host_start(h, p->a, &o, place_answer, &none);
    place_fails(p, &none, KP_HOST, "systemctl shows no state of kafka@1");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_signal_to_the_one_process),
        TEST(test_signal_is_sent_once_under_many_launches),
        TEST(test_several_processes_are_refused),
        TEST(test_status_that_names_a_stranger),
        TEST(test_commands),
        TEST(test_command_environment),
        TEST(test_no_start_command),
        TEST(test_become),
        TEST(test_systemd),
        TEST(test_systemd_says_no),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
