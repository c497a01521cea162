/* Hosts in the words of world.h: on this machine, below a directory that looks like a Kafka host.
 * The node's process is a shell that sleeps under a broker's command line, as long as its directory
 * exists. */
#include "with_live.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static kp_request ask(kp_req kind)
{
    kp_request q = { .kind = kind,
                     .node = 1,
                     .within = 20 * KP_SECOND,
                     .op = { .id = "7f3a.x~1", .epoch = 1, .holder = "run 7f3a" } };
    if (kind == KP_Q_HOST)
        q.host.since = -1;
    return q;
}

/* No broker answers: the cluster is the one its log dir names. */
static site *host(void)
{
    site *s = site_new(1, 0);
    site_write(
        s, 1, "server.properties",
        kp_printf(s->a, "node.id=1\nprocess.roles=broker\nlog.dirs=%s\n", site_path(s, 1, "data")));
    site_write(s, 1, "data/meta.properties", "node.id=1\ncluster.id=cluster-1\n");
    site_write(s, 1, "data/.kafka_cleanshutdown", "");
    site_write(s, 1, "releases/kafka_2.13-3.7.2/libs/kafka-clients-3.7.2.jar", "");
    site_write(s, 1, "releases/kafka_2.13-3.9.1/libs/kafka-clients-3.9.1.jar", "");
    site_write(s, 1, "server.log", "one\n[x] ERROR which is not enabled\n");
    assert_int_equal(symlink("releases/kafka_2.13-3.7.2", site_path(s, 1, "current")), 0);
    return s;
}

#define SLEEPER "n=0; while [ -e \"$0\" ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done"

static int start_process(site *s)
{
    const char *config = site_path(s, 1, "server.properties");
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execl("/bin/sh", "java", "-c", SLEEPER, config, "-cp", "kafka-clients-3.7.2.jar",
              "kafka.Kafka", config, (char *)NULL);
        _exit(127);
    }
    kp_ms until = kp_mono_now() + 20 * KP_SECOND;
    while (kp_get_int(site_value(s, ask(KP_Q_HOST)), "pid", 0) != pid)
        assert_true(kp_mono_now() < until);
    return pid;
}

static bool has_keys(const kp_value *map, const char *keys)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4096);
    for (uint32_t i = 0; map && i < map->n; i++)
        kp_buf_fmt(&b, "%s%s", i ? " " : "", map->keys[i]);
    if (strcmp(kp_buf_text(&b), keys) != 0)
        fail_msg("keys are  %s\nnot       %s", kp_buf_text(&b), keys);
    return true;
}

static void test_the_state_has_the_shape_of_the_world(void **state)
{
    (void)state;
    site *s = host();
    kp_request q = ask(KP_Q_HOST);
    const kp_value *v = site_value(s, q);
    has_keys(v,
             "boot_id clean_dirs config config_sha256 dirs dirs_by fence free link link_release "
             "log_dirs log_size pid releases releases_other releases_partial service");
    assert_json(s, kp_get(v, "config"),
                "{\"cluster_id\":\"cluster-1\",\"mode\":\"kraft\",\"node_id\":1,"
                "\"problems\":[],\"roles\":\"broker\"}");
    assert_int_equal(kp_get_int(v, "pid", -1), 0);
    assert_int_equal(kp_get_int(v, "clean_dirs", -1), 1);
    assert_int_equal(kp_get_int(v, "dirs", -1), 1);
    assert_string_equal(kp_get_text(v, "link_release", ""), "3.7.2");
    assert_json(s, kp_get(v, "releases"), "[\"3.7.2\",\"3.9.1\"]");
    assert_int_equal(kp_get_int(kp_get(v, "fence"), "epoch", -1), 0);

    int pid = start_process(s);
    q.host.since = 4;
    v = site_value(s, q);
    has_keys(v,
             "boot_id clean_dirs config config_sha256 dirs dirs_by fence free link link_release "
             "log_dirs log_size pid process releases releases_other releases_partial running_release "
             "service signs start_time");
    assert_int_equal(kp_get_int(v, "pid", -1), pid);
    has_keys(kp_get(v, "process"),
             "cluster_id config cwd listening mode node_id problems releases roles");
    has_keys(kp_get(v, "config"), "cluster_id mode node_id problems roles");
    assert_json(s, kp_get(kp_get(v, "process"), "releases"), "[\"3.7.2\"]");
    assert_string_equal(kp_get_text(kp_get(v, "process"), "cluster_id", ""), "cluster-1");
    assert_true(kp_get_bool(kp_get(v, "signs"), "mis_pinned", false));
    assert_int_equal(kp_len(kp_get(kp_get(v, "signs"), "errors")), 1);
    q.host.since = kp_get_int(v, "log_size", -1);
    assert_int_equal(kp_len(kp_get(kp_get(site_value(s, q), "signs"), "errors")), 0);
    kill(pid, SIGKILL);
    site_end(s);
}

static void test_files(void **state)
{
    (void)state;
    site *s = host();
    const char *was = site_read(s, 1, "server.properties");
    const kp_value *v = site_value(s, ask(KP_Q_FILE));
    has_keys(v, "bytes path sha256");
    assert_string_equal(kp_get_text(v, "bytes", ""), was);
    assert_string_equal(kp_get_text(v, "sha256", ""), kp_sha256_hex(s->a, was, strlen(was)));

    kp_request q = ask(KP_A_FILE);
    const char *now = kp_printf(s->a, "%snew=1\n", was);
    q.file.bytes = (kp_span) { now, strlen(now) };
    q.file.expect = kp_get_text(v, "sha256", "");
    site_fails(s, q, KP_REFUSED, "no kplay has taken this host over");
    site_value(s, ask(KP_A_FENCE));
    assert_null(site_value(s, q));
    assert_string_equal(site_read(s, 1, "server.properties"), now);
    q.op.id = "7f3a.y~1";
    q.file.bytes = (kp_span) { "other\n", 6 };
    site_fails(s, q, KP_REFUSED, "is not the file that was read");

    unlink(site_path(s, 1, "server.properties"));
    site_fails(s, ask(KP_Q_FILE), KP_HOST, "there is no file");
    site_end(s);
}

static void test_links_and_fences(void **state)
{
    (void)state;
    site *s = host();
    kp_request mine = ask(KP_A_FENCE);
    mine.fence.who = "ops@bastion1";
    site_value(s, mine);
    kp_request q = ask(KP_A_LINK);
    q.link.version = "3.9.1";
    assert_null(site_value(s, q));
    const kp_value *v = site_value(s, ask(KP_Q_HOST));
    assert_string_equal(kp_get_text(v, "link_release", ""), "3.9.1");
    assert_true(kp_get_int(kp_get(v, "fence"), "since", 0) > 0);
    assert_json(s, kp_map_with(s->a, kp_get(v, "fence"), "since", NULL),
                "{\"by\":\"ops@bastion1\",\"epoch\":1,\"holder\":\"run 7f3a\"}");

    kp_request other = ask(KP_A_FENCE);
    other.op.holder = "run 8888";
    site_fails(s, other, KP_REFUSED, "fenced by run 7f3a at 1");
    other.op.epoch = 2; /* a higher number alone takes nothing from a run that holds the host */
    site_fails(s, other, KP_REFUSED, "fenced by run 7f3a at 1");
    other.fence.over = "run 7f3a";
    site_value(s, other);
    q.op.id = "7f3a.y~1";
    q.link.version = "3.7.2";
    site_fails(s, q, KP_REFUSED, "fenced by run 8888 at 2");
    kp_request back = ask(KP_A_UNFENCE);
    back.op.epoch = 2;
    site_fails(s, back, KP_REFUSED, "fenced by run 8888 at 2");
    back.op.holder = "run 8888";
    site_value(s, back);
    q.op.epoch = 2;
    q.op.id = "8888.z~1";
    site_fails(s, q, KP_REFUSED, "nobody holds this host since run 8888 gave it back at 2");
    q.link.version = "";
    site_fails(s, q, KP_INTERNAL, "without a version");
    site_end(s);
}

static const kp_value *job_when_done(site *s, const char *op_id)
{
    kp_ms until = kp_mono_now() + 20 * KP_SECOND;
    for (;;) {
        kp_request q = ask(KP_Q_JOB);
        q.op.id = op_id;
        const kp_value *v = site_value(s, q);
        if (!kp_streq(kp_get_text(v, "state", ""), "running"))
            return v;
        assert_true(kp_mono_now() < until);
    }
}

static void test_jobs(void **state)
{
    (void)state;
    site *s = host();
    site_value(s, ask(KP_A_FENCE));
    assert_json(s, job_when_done(s, "7f3a.none~1"), "{\"output\":\"\",\"state\":\"none\"}");
    kp_request q = ask(KP_A_JOB);
    q.job.argv = json(
        s, "[\"sh\",\"-c\",\"printf '%s|' \\\"$@\\\"; exit 3\",\"sh\",\"it's\",\"$HOME; x\",\"\"]");
    assert_null(site_value(s, q));
    assert_json(s, job_when_done(s, q.op.id),
                "{\"output\":\"it's|$HOME; x||\",\"rc\":3,\"state\":\"done\"}");
    /* The same op id acts once. */
    q.job.argv = json(s, "[\"touch\",\"/nonexistent/x\"]");
    assert_null(site_value(s, q));
    assert_int_equal(kp_get_int(job_when_done(s, q.op.id), "rc", 0), 3);
    site_end(s);
}

static void test_a_stop_is_for_the_process_it_means(void **state)
{
    (void)state;
    site *s = host();
    site_value(s, ask(KP_A_FENCE));
    int pid = start_process(s);
    const kp_value *was = site_value(s, ask(KP_Q_HOST));
    kp_request q = ask(KP_A_STOP);
    q.stop.pid = kp_get_int(was, "pid", 0);
    q.stop.start_time = kp_get_int(was, "start_time", 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);

    int second = start_process(s); /* by somebody else, and it was looked at since */
    site_fails(s, q, KP_REFUSED, "in its place");
    assert_int_equal(waitpid(second, NULL, WNOHANG), 0);

    const kp_value *is = site_value(s, ask(KP_Q_HOST));
    q.stop.pid = kp_get_int(is, "pid", 0);
    q.stop.start_time = kp_get_int(is, "start_time", 0);
    q.op.id = "7f3a.y~1";
    assert_null(site_value(s, q));
    int status;
    assert_int_equal(waitpid(second, &status, 0), second);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    site_end(s);
}

static void test_a_start_runs_the_service(void **state)
{
    (void)state;
    site *s = host();
    site_write(s, 1, "start", kp_printf(s->a, "echo up >%s\n", site_path(s, 1, "started")));
    site_value(s, ask(KP_A_FENCE));
    assert_null(site_value(s, ask(KP_A_START)));
    assert_int_equal(kp_get_int(job_when_done(s, ask(KP_A_START).op.id), "rc", -1), 0);
    assert_string_equal(site_read(s, 1, "started"), "up\n");
    site_end(s);
}

static void test_what_is_not_allowed_is_a_list_of_text(void **state)
{
    (void)state;
    site *s = host();
    assert_json(s, site_value(s, ask(KP_Q_GRANTS)), "[]");
    unlink(site_path(s, 1, "server.properties"));
    const kp_value *v = site_value(s, ask(KP_Q_GRANTS));
    assert_true(kp_len(v) > 0);
    for (size_t i = 0; i < kp_len(v); i++)
        assert_true(kp_is(kp_at(v, i), KP_BYTES));
    assert_non_null(strstr(kp_as_text(kp_at(v, 0), ""), "config: "));
    site_end(s);
}

static void test_a_staged_release_is_asked(void **state)
{
    (void)state;
    site *s = host();
    kp_request q = ask(KP_Q_PROOF);
    q.proof.version = "3.9.1";
    const kp_value *v = site_value(s, q);
    assert_string_equal(kp_get_text(v, "kind", ""), "incomplete");
    assert_non_null(strstr(kp_get_text(v, "problem", ""), "there is no kafka_2.1*.jar in "));
    assert_string_equal(kp_get_text(v, "release_dir", ""),
                        site_path(s, 1, "releases/kafka_2.13-3.9.1"));
    q.proof.version = "3.8.1";
    assert_string_equal(kp_get_text(site_value(s, q), "kind", ""), "missing");
    q.proof.version = NULL;
    site_fails(s, q, KP_INTERNAL, "proof was asked without a version");
    site_end(s);
}

static void test_without_a_process_nobody_is_known_to_be_connected(void **state)
{
    (void)state;
    site *s = host();
    assert_json(s, site_value(s, ask(KP_Q_CLIENTS)),
                "{\"problem\":\"no process of this node runs\"}");
    site_end(s);
}

/* Without a broker and without log dirs nobody knows which cluster this is: the state can be read,
 * nothing acts. */
static void test_an_unknown_cluster_is_not_acted_on(void **state)
{
    (void)state;
    site *s = host();
    unlink(site_path(s, 1, "data/meta.properties"));
    const kp_value *v = site_value(s, ask(KP_Q_HOST));
    assert_int_equal(kp_get_int(kp_get(v, "fence"), "epoch", -1), 0);
    site_fails(s, ask(KP_A_FENCE), KP_CLUSTER, "no log dir here tells the cluster's id");
    site_fails(s, ask(KP_A_STOP), KP_CLUSTER, "no log dir here tells the cluster's id");
    /* A cluster that a node has told goes before what log dirs say. */
    kp_live_learn(s->lv, "cluster-2", -1);
    kp_live_learn(s->lv, "cluster-3", -1);
    site_value(s, ask(KP_A_FENCE));
    assert_true(
        kp_starts_with(site_read(s, 1, "releases/.kplay/cluster-2/epoch"), "1 run 7f3a\n"));
    site_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_state_has_the_shape_of_the_world),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_links_and_fences),
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_a_stop_is_for_the_process_it_means),
        cmocka_unit_test(test_a_start_runs_the_service),
        cmocka_unit_test(test_what_is_not_allowed_is_a_list_of_text),
        cmocka_unit_test(test_a_staged_release_is_asked),
        cmocka_unit_test(test_without_a_process_nobody_is_known_to_be_connected),
        cmocka_unit_test(test_an_unknown_cluster_is_not_acted_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
