/* A simulated cluster in a file: it goes on existing when the process that used it is killed. */
#include "sim/with_sim.h"

#include "sim/state.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define SPEC "{'brokers':4,'racks':['a','b'],'topics':[{'name':'t','partitions':40},{'name':'u'}]}"

static char dir[200], path[240];

static int make_dir(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(dir, sizeof dir, "%s/kplay-sim-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/cluster.sim", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static cluster reopen(void)
{
    kp_sim *sim;
    sound(kp_sim_open_file(path, &sim));
    return cluster_from(sim);
}

/* Run in a process of its own, which ends with SIGKILL unless it fails. */
static void killed_child(void (*work)(void))
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        work();
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void stop_broker_2(void)
{
    cluster c = cluster_in_file(SPEC, path);
    fault(&c, "{'fault':'crash','node':4,'at':'10m'}");
    told(&c, (kp_request) { .kind = KP_A_FENCE, .node = 2, .op.epoch = 3, .op.holder = "run-a" });
    told(&c, (kp_request) { .kind = KP_A_STOP, .node = 2, .op.epoch = 3, .op.id = "stop-2" });
    pass(&c, 50); /* it has not even begun to move its leaders */
}

static void edit_and_start(void)
{
    cluster c = reopen();
    told(&c, (kp_request) { .kind = KP_A_LINK,
                            .node = 2,
                            .op.epoch = 3,
                            .op.id = "link-2",
                            .link.version = "3.9.1" });
    const kp_value *file = told(&c, (kp_request) { .kind = KP_Q_FILE, .node = 2 });
    told(&c, (kp_request) { .kind = KP_A_FILE,
                            .node = 2,
                            .op.epoch = 3,
                            .op.id = "file-2",
                            .file = { .bytes = { "node.id=2\nprocess.roles=broker\n", 31 },
                                      .expect = kp_get_text(file, "sha256", "") } });
    told(&c, (kp_request) { .kind = KP_A_START, .node = 2, .op.epoch = 3, .op.id = "start-2" });
}

static void the_cluster_outlives_the_process(void **state)
{
    (void)state;
    killed_child(stop_broker_2);
    cluster c = reopen();
    kp_ms then = kp_mono(c.w);
    assert_true(then > 1000 && then < 5000); /* the clock stood still meanwhile */
    assert_true(kp_sim_op_acted(c.sim, 2, "stop-2"));
    assert_int_equal(kp_get_int(kp_get(host_of(&c, 2), "fence"), "epoch", 0), 3);
    told(&c, (kp_request) {
                 .kind = KP_A_STOP, .node = 2, .op.epoch = 3, .op.id = "stop-2" }); /* attaches */
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    assert_int_equal(kp_get_int(host_of(&c, 2), "clean_dirs", 0), 1);
    assert_int_equal(kp_get_int(kp_sim_host_counts(c.a, c.sim, 2), "stops", 0), 1);
    cluster_close(&c);

    killed_child(edit_and_start);
    c = reopen();
    assert_true(kp_mono(c.w) > then);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    const kp_value *h = host_of(&c, 2);
    assert_string_equal(kp_get_text(h, "running_release", ""), "3.9.1");
    assert_string_equal(
        kp_get_text(told(&c, (kp_request) { .kind = KP_Q_FILE, .node = 2 }), "bytes", ""),
        "node.id=2\nprocess.roles=broker\n");
    const kp_value *n = kp_sim_host_counts(c.a, c.sim, 2);
    assert_int_equal(kp_get_int(n, "links", 0), 1);
    assert_int_equal(kp_get_int(n, "files", 0), 1);
    assert_int_equal(kp_get_int(n, "starts", 0), 1);
    assert_int_equal(kp_get_int(n, "repeated", 0), 1);
    assert_int_equal(kp_len(kp_sim_acts(c.a, c.sim)), 5);
    assert_true(kp_get_int(host_of(&c, 4), "pid", 0) > 0);
    pass(&c, 10 * KP_MINUTE);
    assert_int_equal(kp_get_int(host_of(&c, 4), "pid", -1), 0); /* the planned fault came */
    cluster_close(&c);
}

/* What is in force at a kill goes on: a catch-up half done, a stale view, an interrupted stop. */
static void in_the_middle(void)
{
    cluster c = cluster_in_file("{'topics':[{'name':'t','partitions':60,'rate':'30MB/s'}]}", path);
    stop(&c, 2);
    until_off(&c, 2, KP_MINUTE);
    pass(&c, KP_MINUTE);
    start(&c, 2);
    until_listed(&c, 2, true, KP_MINUTE);
    pass(&c, 20 * KP_SECOND);
}

static void a_catch_up_goes_on(void **state)
{
    (void)state;
    unlink(path);
    killed_child(in_the_middle);
    cluster c = reopen();
    uint32_t out = view_of(&c, 1)->out_of_sync[1];
    assert_in_range(out, 1, 59);
    const kp_value *dir_2 = kp_at(told(&c, (kp_request) { .kind = KP_Q_LOG_DIRS, .node = 2 }), 0);
    assert_true(kp_get_int(dir_2, "behind", 0) > 0);
    pass(&c, 2 * KP_SECOND);
    assert_true(view_of(&c, 1)->out_of_sync[1] < out);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    cluster_close(&c);
}

static void a_request_that_had_not_landed_never_does(void)
{
    cluster c = cluster_in_file(SPEC, path);
    kp_request q = { .kind = KP_A_STOP, .node = 2, .op.id = "s" };
    kp_send(c.w, c.a, &q);
    pass(&c, 10); /* on its way for 25 ms */
}

static void requests_under_way_are_lost(void **state)
{
    (void)state;
    unlink(path);
    killed_child(a_request_that_had_not_landed_never_does);
    cluster c = reopen();
    pass(&c, KP_MINUTE);
    assert_false(kp_sim_op_acted(c.sim, 2, "s"));
    assert_true(kp_get_int(host_of(&c, 2), "pid", 0) > 0);
    cluster_close(&c);
}

/* Killed at any instant by somebody else, over and over: the cluster is always one that could
 * have been. */
static void work_without_end(void)
{
    cluster c = reopen();
    for (int i = 0;; i++) {
        int node = 1 + i % 4;
        kp_arena *a = kp_arena_new("t", 16 << 20);
        kp_request q = { .kind = i % 3 == 0 ? KP_A_STOP : KP_A_START,
                         .node = node,
                         .op.id = kp_printf(a, "%d-%d", (int)getpid(), i % 300) };
        kp_send(c.w, a, &q);
        kp_reply *r = kp_wait(c.w, KP_NEVER);
        kp_err_drop(r->err);
        kp_wait(c.w, kp_mono(c.w) + 700);
        kp_arena_free(a);
    }
}

static void killed_at_any_instant(void **state)
{
    (void)state;
    unlink(path);
    cluster c = cluster_in_file("{'brokers':4,'topics':[{'name':'t','partitions':3000}]}", path);
    uint64_t whole = view_of(&c, 1)->digest;
    cluster_close(&c);
    for (int round = 0; round < 12; round++) {
        int status;
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            work_without_end();
        usleep((useconds_t)(15000 + 1777 * round));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        c = reopen(); /* audits */
        cluster_close(&c);
    }
    c = reopen();
    for (int round = 0; round < 2; round++)
        for (int id = 1; id <= 4; id++) {
            start(&c, id);
            pass(&c, KP_MINUTE);
        }
    /* The faster the machine, the more time has passed for one that was down. */
    for (int id = 1; id <= 4; id++)
        assert_true(until_in_sync(&c, id, 24 * KP_HOUR) >= 0);
    told(&c, (kp_request) { .kind = KP_A_ELECT, .node = KP_ANY_NODE });
    const kp_view *v = view_of(&c, 1);
    assert_int_equal(v->counts.urp, 0);
    assert_true(v->digest == whole);
    cluster_close(&c);
}

static void only_one_process_uses_a_file(void **state)
{
    kp_sim *sim;
    (void)state;
    unlink(path);
    cluster c = cluster_in_file(SPEC, path);
    kp_err *e = kp_sim_open_file(path, &sim);
    assert_non_null(e);
    assert_non_null(strstr(e->what, "another process uses"));
    assert_string_equal(e->where, path);
    kp_err_drop(e);
    cluster other = cluster_of(SPEC);
    e = kp_sim_keep(other.sim, path); /* nor is one put in the place of it */
    assert_non_null(e);
    assert_non_null(strstr(e->what, "another process uses"));
    kp_err_drop(e);
    cluster_close(&c);
    c = reopen();
    cluster_close(&c);
    sound(kp_sim_keep(other.sim, path)); /* nobody uses it any more */
    cluster_close(&other);
    c = reopen();
    cluster_close(&c);
}

static void anybody_may_look(void **state)
{
    kp_sim *sim;
    (void)state;
    cluster c = reopen();
    stop(&c, 2);
    until_off(&c, 2, KP_MINUTE);
    sound(kp_sim_look(path, &sim));
    cluster copy = cluster_from(sim);
    assert_true(kp_mono(copy.w) == kp_mono(c.w));
    assert_int_equal(kp_get_int(host_of(&copy, 2), "pid", -1), 0);
    start(&copy, 2); /* of the copy alone */
    pass(&copy, KP_MINUTE);
    assert_int_equal(kp_get_int(host_of(&c, 2), "pid", -1), 0);
    cluster_close(&copy);
    cluster_close(&c);
    c = reopen();
    assert_int_equal(kp_get_int(host_of(&c, 2), "pid", -1), 0);
    cluster_close(&c);
}

static void where_nothing_can_be_written_is_said(void **state)
{
    (void)state;
    cluster c = cluster_of(SPEC);
    kp_err *e = kp_sim_keep(c.sim, "/nonexistent/cluster.sim");
    assert_non_null(e);
    assert_int_equal(e->cls, KP_CONFIG);
    kp_err_drop(e);
    pass(&c, KP_MINUTE); /* it lives on in memory */
    cluster_close(&c);
}

static void write_at(off_t at, const void *p, size_t n)
{
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, p, n, at), n);
    close(fd);
}

static void what_is_no_such_file_is_refused(void **state)
{
    kp_sim *sim;
    struct stat st;
    (void)state;
    unlink(path);
    kp_err *e = kp_sim_open_file(path, &sim);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_CONFIG);
    kp_err_drop(e);
    cluster c = cluster_in_file(SPEC, path);
    cluster_close(&c);
    assert_int_equal(stat(path, &st), 0);
    off_t size = (st.st_size - PAGE) / 2; /* of each of the two copies */
    /* one byte less, another format, a count that does not fit, an empty file */
    char *whole = kp_malloc((size_t)st.st_size);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, whole, (size_t)st.st_size), st.st_size);
    close(fd);
    for (int i = 0; i < 5; i++) {
        write_at(0, whole, (size_t)st.st_size);
        uint32_t odd = 77;
        if (i == 0)
            assert_int_equal(truncate(path, st.st_size - 1), 0);
        else if (i == 1)
            write_at(8, &odd, 4);
        else if (i == 2)
            for (int k = 0; k < 2; k++)
                write_at(PAGE + k * size + (off_t)offsetof(kp_sim_header, n_nodes), &odd, 4);
        else if (i == 3)
            write_at(0, "no magic", 8);
        else
            assert_int_equal(truncate(path, 0), 0);
        e = kp_sim_open_file(path, &sim);
        assert_non_null(e);
        assert_non_null(strstr(e->what, "not a simulated cluster"));
        kp_err_drop(e);
    }
    /* every byte of the heads flipped in turn: refused or sound, never a crash */
    assert_int_equal(truncate(path, st.st_size), 0);
    write_at(0, whole, (size_t)st.st_size);
    for (off_t at = 0; at < 3 * 800; at += at < 24 ? 1 : 3) {
        off_t where = at < 24 ? at : PAGE + at % 2 * size + at % 800;
        char flipped = (char)(whole[where] ^ 0x55);
        write_at(where, &flipped, 1);
        e = kp_sim_open_file(path, &sim);
        if (!e)
            kp_sim_close(sim);
        kp_err_drop(e);
        write_at(where, whole + where, 1);
    }
    free(whole);
}

/* Two futures from one present. */
static void a_copy_goes_its_own_way(void **state)
{
    (void)state;
    cluster c = cluster_of(SPEC);
    fault(&c, "{'fault':'stale_metadata','node':3}");
    stop(&c, 2);
    until_off(&c, 2, KP_MINUTE);
    start(&c, 2);
    pass(&c, 1500);
    cluster d = cluster_from(kp_sim_copy(c.sim));
    kp_sim_stats x = kp_sim_stats_of(c.sim), y = kp_sim_stats_of(d.sim);
    assert_memory_equal(&x, &y, sizeof x);
    assert_true(view_of(&c, 3)->digest == view_of(&d, 3)->digest);
    uint64_t stopped = x.isr_digest;
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    y = kp_sim_stats_of(d.sim);
    assert_true(y.isr_digest == stopped); /* nothing of it happened to the copy */
    assert_true(until_in_sync(&d, 2, KP_MINUTE) >= 0);
    x = kp_sim_stats_of(c.sim);
    y = kp_sim_stats_of(d.sim);
    assert_memory_equal(&x, &y, sizeof x); /* and then the same happened */
    cluster_close(&c);
    assert_int_equal(view_of(&d, 3)->counts.urp, 0);
    cluster_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cluster_outlives_the_process),
        cmocka_unit_test(a_catch_up_goes_on),
        cmocka_unit_test(requests_under_way_are_lost),
        cmocka_unit_test(killed_at_any_instant),
        cmocka_unit_test(only_one_process_uses_a_file),
        cmocka_unit_test(anybody_may_look),
        cmocka_unit_test(where_nothing_can_be_written_is_said),
        cmocka_unit_test(what_is_no_such_file_is_refused),
        cmocka_unit_test(a_copy_goes_its_own_way),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
