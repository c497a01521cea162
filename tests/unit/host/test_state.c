/* The state of a host: which process, whose file, which release, which log dirs, what the log
 * says.  The broker is a fake one: a shell with a broker's command line. */
#include "with_host.h"

#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_nothing_there(void **state)
{
    place *p = *state;
    const kp_value *v = place_state(p, place_host(p), "clusterA", -1);
    assert_int_equal(kp_get_int(v, "pid", -1), 0);
    assert_null(kp_get(v, "start_time"));
    assert_null(kp_get(v, "process"));
    assert_int_equal(strlen(kp_get_text(v, "boot_id", "")), 36);
    const kp_value *config = kp_get(v, "config");
    assert_int_equal(kp_get_int(config, "node_id", -1), 1);
    assert_string_equal(kp_get_text(config, "roles", ""), "broker");
    assert_string_equal(kp_get_text(config, "mode", ""), "zookeeper");
    char *text = place_read(p, "etc/server.properties");
    assert_string_equal(kp_get_text(v, "config_sha256", ""),
                        kp_sha256_hex(p->a, text, strlen(text)));
    assert_int_equal(kp_get_int(v, "dirs", -1), 2);
    assert_int_equal(kp_get_int(v, "clean_dirs", -1), 0);
    const kp_value *dir = kp_at(kp_get(v, "log_dirs"), 1);
    assert_string_equal(kp_get_text(dir, "path", ""), place_path(p, "data2"));
    assert_false(kp_get_bool(dir, "found", true));
    assert_null(kp_get(v, "free"));
    assert_null(kp_get(v, "link"));
    assert_int_equal(kp_len(kp_get(v, "releases")), 0);
    assert_string_equal(kp_get_text(kp_get(v, "service"), "state", ""), "inactive");
    assert_string_equal(kp_get_text(kp_get(v, "service"), "manager", ""), "command");
    assert_int_equal(kp_get_int(kp_get(v, "fence"), "epoch", -1), 0);
    assert_null(kp_get(v, "signs"));
    assert_null(kp_get(v, "log_size"));
}

static void test_no_files_at_all(void **state)
{
    place *p = *state;
    p->spec.layout = (kp_host_layout){ .config = place_path(p, "absent") };
    const kp_value *v = place_state(p, place_host(p), NULL, 0);
    assert_int_equal(kp_get_int(v, "pid", -1), 0);
    assert_null(kp_get(v, "config"));
    assert_null(kp_get(v, "config_sha256"));
    assert_int_equal(kp_get_int(v, "dirs", -1), 0);
}

static void test_a_running_broker(void **state)
{
    place *p = *state;
    place_write(p, "data1/meta.properties", "version=0\nbroker.id=1\ncluster.id=AbC-12_x\n");
    place_write(p, "data2/meta.properties", "version=1\nnode.id=1\ncluster.id=AbC-12_x\n");
    place_write(p, "data2/.kafka_cleanshutdown", "%s", "");
    place_write(p, "releases/kafka_2.13-3.5.2/libs/kafka-clients-3.5.2.jar", "%s", "");
    place_write(p, "releases/kafka_2.13-3.9.1/libs/kafka-clients-3.9.1.jar", "%s", "");
    place_write(p, "releases/kafka_2.13-3.9.1/libs/kafka_2.13-3.9.1.jar", "%s", "");
    place_write(p, "releases/kafka_2.13-4.0.0/incomplete", "%s", "");
    place_write(p, "releases/other-1/libs/kafka-clients-1.jar", "%s", "");
    assert_int_equal(symlink(place_path(p, "releases/kafka_2.13-3.9.1"), place_path(p, "current")),
                     0);
    place_write(p, "elsewhere.properties", "broker.id=2\n");
    int other = place_broker(p, "2.8.2", place_path(p, "elsewhere.properties"));
    int pid = place_broker(p, "3.5.2", p->config);
    kp_host *h = place_host(p);
    const kp_value *v = place_state(p, h, "AbC-12_x", -1);
    assert_int_equal(kp_get_int(v, "pid", 0), pid);
    assert_int_not_equal(pid, other);
    assert_true(kp_get_int(v, "start_time", 0) > 0);
    assert_null(kp_get(v, "pids"));
    const kp_value *process = kp_get(v, "process");
    assert_string_equal(kp_get_text(process, "config", ""), p->config);
    assert_int_equal(kp_get_int(process, "node_id", -1), 1);
    assert_string_equal(kp_get_text(process, "cluster_id", ""), "AbC-12_x");
    assert_string_equal(kp_get_text(process, "roles", ""), "broker");
    assert_string_equal(kp_get_text(process, "mode", ""), "zookeeper");
    assert_string_equal(kp_get_text(kp_get(v, "config"), "cluster_id", ""), "AbC-12_x");
    /* The link already points to what will run next. */
    assert_string_equal(kp_get_text(v, "running_release", ""), "3.5.2");
    assert_string_equal(kp_get_text(v, "running_release_by", ""), "class path");
    assert_string_equal(kp_get_text(v, "link", ""), place_path(p, "releases/kafka_2.13-3.9.1"));
    assert_string_equal(kp_get_text(v, "link_release", ""), "3.9.1");
    assert_string_equal(kp_json_text(p->a, kp_get(v, "releases")), "[\"3.5.2\",\"3.9.1\"]");
    assert_int_equal(kp_get_int(v, "dirs", -1), 2);
    assert_int_equal(kp_get_int(v, "clean_dirs", -1), 1);
    const kp_value *dir = kp_at(kp_get(v, "log_dirs"), 0);
    assert_string_equal(kp_get_text(dir, "cluster_id", ""), "AbC-12_x");
    assert_int_equal(kp_get_int(dir, "node_id", -1), 1);
    assert_false(kp_get_bool(dir, "clean", true));
    assert_true(kp_get_bool(kp_at(kp_get(v, "log_dirs"), 1), "clean", false));
    assert_true(kp_get_int(dir, "free", 0) > 0);
    assert_true(kp_get_int(v, "free", 0) > 0);
    assert_string_equal(kp_get_text(kp_get(v, "service"), "state", ""), "active");

    /* The same process is the same; a restarted one is not. */
    int64_t start = kp_get_int(v, "start_time", 0);
    assert_int_equal(kp_get_int(place_state(p, h, NULL, -1), "start_time", 0), start);
    kill(pid, SIGKILL); /* it stays a zombie of this test: gone all the same */
    place_gone(p, pid);
    assert_int_equal(kp_get_int(place_state(p, h, NULL, -1), "pid", -1), 0);
}

/* The unit runs another file than the layout names: both are told, and not mixed. */
static void test_process_of_another_file(void **state)
{
    place *p = *state;
    const char *other = place_write(p, "other.properties",
                                    "node.id=9\nprocess.roles=broker\nlog.dirs=%s/o\n", p->dir);
    place_write(p, "o/meta.properties", "node.id=9\ncluster.id=Other\n");
    place_write(p, "data1/meta.properties", "broker.id=1\ncluster.id=Ours\n");
    int pid = place_broker(p, "3.9.1", other);
    const char *argv[] = { "echo", kp_printf(p->a, "%d", pid) };
    kp_builder status = kp_list_begin(p->a);
    for (size_t i = 0; i < 2; i++)
        kp_list_add(&status, kp_text(p->a, argv[i]));
    p->spec.service.status = kp_list_end(&status);
    const kp_value *v = place_state(p, place_host(p), NULL, -1);
    assert_int_equal(kp_get_int(v, "pid", 0), pid);
    const kp_value *process = kp_get(v, "process"), *config = kp_get(v, "config");
    assert_string_equal(kp_get_text(process, "config", ""), other);
    assert_int_equal(kp_get_int(process, "node_id", -1), 9);
    assert_string_equal(kp_get_text(process, "cluster_id", ""), "Other");
    assert_int_equal(kp_get_int(config, "node_id", -1), 1);
    assert_null(kp_get(config, "cluster_id"));
    assert_int_equal(kp_get_int(v, "dirs", -1), 1);
}

static void test_two_processes_on_one_file(void **state)
{
    place *p = *state;
    int a = place_broker(p, "3.5.2", p->config), b = place_broker(p, "3.5.2", p->config);
    const kp_value *v = place_state(p, place_host(p), NULL, -1);
    assert_int_equal(kp_len(kp_get(v, "pids")), 2);
    assert_true(kp_list_has_int(kp_get(v, "pids"), a));
    assert_true(kp_list_has_int(kp_get(v, "pids"), b));
}

/* The open files of a process tell more than its class path. */
static void test_release_by_open_files(void **state)
{
    place *p = *state;
    const char *jar = place_write(p, "r/libs/kafka_2.13-3.9.1.jar", "%s", "");
    place_write(p, "r/libs/kafka-clients-3.9.1-sources.jar", "%s", "");
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "java", "-c",
              "exec 3<\"$1\"; while [ -e \"$3\" ]; do sleep 0.05; done", "x", jar, "kafka.Kafka",
              p->config, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 100; i++) {
        const kp_value *v = place_state(p, place_host(p), NULL, -1);
        if (kp_streq(kp_get_text(v, "running_release_by", ""), "open files")) {
            assert_string_equal(kp_get_text(v, "running_release", ""), "3.9.1");
            return;
        }
    }
    fail_msg("no open file was seen");
}

/* Rows of the properties reader: a file, overrides on the command line, and what must come out. */
static void test_properties(void **state)
{
    place *p = *state;
    static const struct {
        const char *text, *override; /* NULL: not running */
        int node_id;                 /* -1: absent */
        const char *roles, *mode, *dirs;
    } rows[] = {
        { "broker.id=1\n", NULL, 1, "broker", "zookeeper", "/tmp/kafka-logs" },
        { "broker.id = 7 \r\n", NULL, 7, "broker", "zookeeper", "/tmp/kafka-logs" },
        { "broker.id:7\n", NULL, 7, "broker", "zookeeper", "/tmp/kafka-logs" },
        { "  broker.id 7\n", NULL, 7, "broker", "zookeeper", "/tmp/kafka-logs" },
        { "broker.id=1\nbroker.id=2\n", NULL, 2, "broker", "zookeeper", "/tmp/kafka-logs" },
        { "#broker.id=3\n!broker.id=4\n", NULL, -1, "broker", "zookeeper", "/tmp/kafka-logs" },
        { "log.dir=/a\n", NULL, -1, "broker", "zookeeper", "/a" },
        { "log.dir=/a\nlog.dirs=/b, /c ,/d\n", NULL, -1, "broker", "zookeeper", "/b /c /d" },
        { "log.dirs=/b,\\\n   /c,\\\n/d\nbroker.id=5", NULL, 5, "broker", "zookeeper", "/b /c /d" },
        { "# a comment \\\nbroker.id=6\n", NULL, 6, "broker", "zookeeper", "/tmp/kafka-logs" },
        { "log.dirs=/a\\\\\nbroker.id=6\n", NULL, 6, "broker", "zookeeper", "/a\\" },
        { "log.dirs=/with\\ blank,/e\\=q\n", NULL, -1, "broker", "zookeeper", "/with blank /e=q" },
        { "log.dirs=/a=b\n", NULL, -1, "broker", "zookeeper", "/a=b" },
        { "node.id=3\nprocess.roles=controller\n", NULL, 3, "controller", "kraft",
          "/tmp/kafka-logs" },
        { "node.id=3\nbroker.id=4\nprocess.roles=controller, broker\n", NULL, 3,
          "broker,controller", "kraft", "/tmp/kafka-logs" },
        { "node.id=3\nprocess.roles=broker\nlog.dirs=/a,/b\nmetadata.log.dir=/m\n", NULL, 3,
          "broker", "kraft", "/a /b /m" },
        { "node.id=3\nprocess.roles=broker\nlog.dirs=/a,/b\nmetadata.log.dir=/b\n", NULL, 3,
          "broker", "kraft", "/a /b" },
        { "broker.id=1\nlog.dirs=/a\n", "broker.id=9", 9, "broker", "zookeeper", "/a" },
        { "broker.id=1\nlog.dirs=/a\\", "log.dirs=/over", 1, "broker", "zookeeper", "/over" },
        { "broker.id=\\u0037\nlog.dirs=/caf\\u00e9\n", NULL, 7, "broker", "zookeeper",
          "/caf\xc3\xa9" },
        { "broker.id=0\nprocess.roles=  \nlog.dirs=/a\n", NULL, 0, "broker", "zookeeper", "/a" },
        { "broker.id=1\nlog.dirs=\nlog.dir=/z\n", NULL, 1, "broker", "zookeeper", "" },
        { "broker.id=1\nlog.dirs=/a,,/b,\n", NULL, 1, "broker", "zookeeper", "/a /b" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *name = kp_printf(p->a, "etc/p%zu.properties", i);
        const char *path = place_write(p, name, "%s", rows[i].text);
        p->spec.layout.config = path;
        kp_host *h = place_host(p);
        if (rows[i].override) {
            pid_t pid = fork();
            if (pid == 0) {
                execl("/bin/sh", "java", "-c", "while [ -e \"$2\" ]; do sleep 0.05; done", "x",
                      "kafka.Kafka", path, "--override", rows[i].override, (char *)NULL);
                _exit(127);
            }
        }
        const kp_value *v = place_state(p, h, NULL, -1);
        for (int k = 0; rows[i].override && !kp_get(v, "process") && k < 100; k++)
            v = place_state(p, h, NULL, -1);
        const kp_value *who = kp_get(v, rows[i].override ? "process" : "config");
        if (kp_get_int(who, "node_id", -1) != rows[i].node_id)
            fail_msg("row %zu: node_id %d", i, (int)kp_get_int(who, "node_id", -1));
        assert_null(kp_get(who, "broker_id"));
        assert_string_equal(kp_get_text(who, "roles", ""), rows[i].roles);
        assert_string_equal(kp_get_text(who, "mode", ""), rows[i].mode);
        KP_AUTO_BUF dirs = KP_BUF_INIT(1000);
        const kp_value *list = kp_get(v, "log_dirs");
        for (size_t k = 0; k < kp_len(list); k++)
            kp_buf_fmt(&dirs, "%s%s", k ? " " : "", kp_get_text(kp_at(list, k), "path", ""));
        assert_string_equal(kp_buf_text(&dirs), rows[i].dirs);
        if (rows[i].override)
            assert_string_equal(kp_get_text(kp_get(who, "overrides"),
                                            kp_strndup(p->a, rows[i].override,
                                                       strcspn(rows[i].override, "=")),
                                            ""),
                                strchr(rows[i].override, '=') + 1);
    }
}

static void test_metadata_dir_is_no_log_dir(void **state)
{
    place *p = *state;
    place_write(p, "etc/server.properties",
                "node.id=1\nprocess.roles=broker\nlog.dirs=%s/d\nmetadata.log.dir=%s/m\n", p->dir,
                p->dir);
    place_write(p, "d/.kafka_cleanshutdown", "%s", "");
    place_write(p, "m/meta.properties", "node.id=1\ncluster.id=M\n");
    const kp_value *v = place_state(p, place_host(p), NULL, -1);
    assert_int_equal(kp_get_int(v, "dirs", -1), 1);
    assert_int_equal(kp_get_int(v, "clean_dirs", -1), 1);
    const kp_value *meta = kp_at(kp_get(v, "log_dirs"), 1);
    assert_string_equal(kp_get_text(meta, "kind", ""), "metadata");
    assert_string_equal(kp_get_text(meta, "cluster_id", ""), "M");
}

static void test_log_evidence(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    const char *before = "[1] ERROR an old one (x)\n";
    place_write(p, "log/server.log",
                "%s[2] INFO [KafkaServer id=1] started (kafka.server.KafkaServer)\n"
                "[3] WARN Received request api key FETCH with version 17 which is not enabled\n"
                "[4] INFO nothing\n"
                "[5] ERROR Error while 100%% (y)\n"
                "java.lang.IllegalStateException: z\n",
                before);
    const kp_value *v = place_state(p, h, NULL, (int64_t)strlen(before));
    const kp_value *signs = kp_get(v, "signs");
    assert_true(kp_get_bool(signs, "mis_pinned", false));
    assert_true(kp_get_bool(signs, "started", false));
    assert_null(kp_get(signs, "duplicate_registration"));
    const kp_value *errors = kp_get(signs, "errors");
    assert_int_equal(kp_len(errors), 3);
    assert_string_equal(kp_as_text(kp_at(errors, 1), ""), "[5] ERROR Error while 100% (y)");
    int64_t size = kp_get_int(v, "log_size", -1);
    assert_int_equal(size, strlen(place_read(p, "log/server.log")));
    assert_null(kp_get(v, "log_turned"));

    v = place_state(p, h, NULL, size);
    assert_int_equal(kp_len(kp_get(kp_get(v, "signs"), "errors")), 0);
    assert_null(kp_get(kp_get(v, "signs"), "mis_pinned"));

    /* layout.log may be a link, as the directories of distributions are. */
    p->spec.layout.log = place_path(p, "log/link.log");
    assert_int_equal(symlink("server.log", p->spec.layout.log), 0);
    v = place_state(p, place_host(p), NULL, (int64_t)strlen(before));
    assert_int_equal(kp_get_int(v, "log_size", -1), size);
    assert_true(kp_get_bool(kp_get(v, "signs"), "mis_pinned", false));
    assert_null(kp_get(v, "log_turned"));

    /* Rotated: a shorter file is read from its start, and that is said. */
    place_write(p, "log/server.log", "Got error DUPLICATE_BROKER_REGISTRATION\n");
    v = place_state(p, h, NULL, size);
    assert_true(kp_get_bool(v, "log_turned", false));
    assert_true(kp_get_bool(kp_get(v, "signs"), "duplicate_registration", false));

    /* Only the last lines, and each only so long. */
    KP_AUTO_BUF many = KP_BUF_INIT(1 << 20);
    for (int i = 0; i < 1000; i++)
        kp_buf_fmt(&many, "ERROR %d%0600d\n", i, 0);
    place_write(p, "log/server.log", "%s", kp_buf_text(&many));
    answer r = { 0 };
    kp_host_question q = { .log_since = 0, .deadline = place_soon() };
    kp_host_state(h, p->a, &q, place_answer, &r);
    errors = kp_get(kp_get(place_ok(p, &r), "signs"), "errors");
    assert_int_equal(kp_len(errors), 20);
    assert_int_equal(kp_at(errors, 0)->n, 500);
    assert_true(kp_starts_with(kp_as_text(kp_at(errors, 0), ""), "ERROR 980"));
    assert_true(kp_starts_with(kp_as_text(kp_at(errors, 19), ""), "ERROR 999"));
}

/* Every sign, by a line as Kafka writes it. */
static void test_signs(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    static const struct {
        const char *name, *line;
    } rows[] = {
        { "mis_pinned", "InvalidRequestException: Received request api key FETCH with version 17 "
                        "which is not enabled" },
        { "duplicate_registration", "[BrokerLifecycleManager id=1] Unable to register broker 1 "
                                    "because the controller returned error "
                                    "DUPLICATE_BROKER_REGISTRATION" },
        { "fetch_errors", "[ReplicaFetcher replicaId=1] Error in response for fetch request" },
        { "started", "[KafkaServer id=1] started (kafka.server.KafkaServer)" },
        { "started", "[KafkaRaftServer nodeId=1] Kafka Server started" },
        { "fatal_startup", "[KafkaServer id=1] Fatal error during KafkaServer startup. Prepare" },
        { "recovering", "Recovering 3 logs from /d since no clean shutdown file was found" },
        { "stop_timed_out", "Timed out waiting for the controller to approve controlled shutdown" },
        { "disk_failed", "Shutdown broker because all log dirs in /d have failed" },
        { "advanced", "INFO Completed load of Log(dir=/d/t-0, topicId=a, topic=t, partition=0, "
                      "highWatermark=0) with 1 segments in 7ms (1/9 completed in /d)" },
        { "advanced", "INFO [LogLoader partition=t-0, dir=/d] Recovering unflushed segment 0. 0/1 "
                      "recovered for t-0. (kafka.log.LogLoader)" },
        { "advanced", "INFO [BrokerLifecycleManager id=1] Successfully registered broker 1 with "
                      "broker epoch 9" },
        { "advanced", "INFO Registered broker 1 at path /brokers/ids/1 with addresses: x" },
        { "advanced", "INFO [BrokerLifecycleManager id=1] The broker has caught up. Transitioning "
                      "from STARTING to RECOVERY." },
        { "advanced", "INFO [BrokerLifecycleManager id=1] The broker has been unfenced. "
                      "Transitioning from RECOVERY to RUNNING." },
        { "unregistered", "Shutting down because we were unable to register with the controller "
                          "quorum." },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        place_write(p, "log/server.log", "INFO\n%s\n", rows[i].line);
        const kp_value *signs = kp_get(place_state(p, h, NULL, 0), "signs");
        bool placed = kp_streq(rows[i].name, "advanced");
        if (placed) /* where its line ends */
            assert_int_equal(kp_get_int(signs, "advanced", -1), 5 + strlen(rows[i].line) + 1);
        else
            assert_true(kp_get_bool(signs, rows[i].name, false));
        assert_int_equal(kp_len(signs), 2); /* it, and errors */
        bool trouble = !placed && !kp_streq(rows[i].name, "started") &&
                       !kp_streq(rows[i].name, "recovering");
        assert_int_equal(kp_len(kp_get(signs, "errors")), trouble);
        if (trouble)
            assert_string_equal(kp_as_text(kp_at(kp_get(signs, "errors"), 0), ""), rows[i].line);
    }
    for (const kp_host_sign *s = kp_host_signs; s->name; s++) {
        size_t i = 0;
        while (i < KP_COUNT(rows) && !kp_streq(rows[i].name, s->name))
            i++;
        if (i == KP_COUNT(rows))
            fail_msg("no row for %s", s->name);
        assert_null(strchr(s->pattern, '\\'));
    }
}

/* Progress of a start is told by where, so that a line that only repeats is none, nor is growth. */
static void test_where_a_start_got_on(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    const char *first = "INFO Completed load of Log(dir=a) with 1 segments\n";
    place_write(p, "log/server.log", "%sINFO Loading logs\nINFO nothing\n", first);
    const kp_value *signs = kp_get(place_state(p, h, NULL, 0), "signs");
    assert_int_equal(kp_get_int(signs, "advanced", -1), strlen(first));
    place_write(p, "log/server.log", "x\n%sINFO Loading logs\n", first);
    signs = kp_get(place_state(p, h, NULL, 2), "signs");
    assert_int_equal(kp_get_int(signs, "advanced", -1), 2 + strlen(first));
}

/* A start script bears the words of the JVM that it is about to become, or to start. */
static void test_a_start_script_is_not_the_node_yet(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "while [ -e \"$1\" ]; do sleep 0.05; done; :", "kafka.Kafka",
              p->config, NULL);
        _exit(127);
    }
    const kp_value *v = place_state(p, h, NULL, -1);
    for (int i = 0; i < 50 && kp_get_int(v, "pid", 0) != pid; i++)
        v = place_state(p, h, NULL, -1);
    assert_int_equal(kp_get_int(v, "pid", 0), pid);
    assert_true(kp_get_bool(v, "script", false));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_null(kp_get(place_state(p, h, NULL, -1), "script"));
}

/* A systemctl that prints what a test wrote, and notes what it was asked to do. */
static void test_systemd_unit(void **state)
{
    place *p = *state;
    int pid = place_broker(p, "3.5.2", p->config);
    place_write(p, "unit",
                "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=%d\n"
                "InvocationID=c0ffee\nNRestarts=2\nResult=success\nTimeoutStopUSec=5min 30s\n"
                "Restart=on-failure\nKillMode=control-group\nSendSIGKILL=no\n",
                pid);
    const char *tool = place_write(p, "bin/systemctl", "#!/bin/sh\ncat %s/unit\n", p->dir);
    assert_int_equal(chmod(tool, 0755), 0);
    p->spec.become_files = kp_printf(p->a, "env PATH=%s:%s", place_path(p, "bin"), getenv("PATH"));
    p->spec.service.unit = "kafka";
    kp_host *h = place_host(p);
    const kp_value *v = place_state(p, h, NULL, -1);
    assert_int_equal(kp_get_int(v, "pid", -1), pid);
    const kp_value *s = kp_get(v, "service");
    assert_string_equal(kp_json_text(p->a, s),
                        kp_printf(p->a,
                                  "{\"invocation_id\":\"c0ffee\",\"kill_mode\":\"control-group\","
                                  "\"loaded\":\"loaded\",\"main_pid\":%d,\"manager\":\"systemd\","
                                  "\"restart\":\"on-failure\",\"restarts\":2,"
                                  "\"result\":\"success\",\"send_sigkill\":\"no\","
                                  "\"state\":\"active\","
                                  "\"stop_timeout\":330000,\"sub\":\"running\"}",
                                  pid));
    static const struct {
        const char *text;
        int64_t ms;
    } spans[] = {
        { "90s", 90000 },        { "1min 30s", 90000 },  { "infinity", -1 }, { "500ms", 500 },
        { "1h 2min 3s", 3723000 }, { "2.5s", 2500 },     { "1d", 86400000 }, { "7 parsecs", -1 },
    };
    for (size_t i = 0; i < KP_COUNT(spans); i++) {
        place_write(p, "unit", "ActiveState=inactive\nMainPID=0\nTimeoutStopUSec=%s\n",
                    spans[i].text);
        s = kp_get(place_state(p, h, NULL, -1), "service");
        assert_int_equal(kp_get_int(s, "stop_timeout", -9), spans[i].ms);
        assert_string_equal(kp_get_text(s, "state", ""), "inactive");
    }
    /* A unit that is down, and a broker that somebody started by hand. */
    assert_int_equal(kp_get_int(place_state(p, h, NULL, -1), "pid", -1), pid);
    /* A manager that does not answer does not say that nothing runs. */
    place_write(p, "unit", "Failed to connect to bus\n");
    answer r = { 0 };
    kp_host_question q = { .log_since = -1, .deadline = place_soon() };
    kp_host_state(h, p->a, &q, place_answer, &r);
    place_fails(p, &r, KP_HOST, "systemctl does not say whether kafka runs");
}

/* The unit's main process is a wrapper that did not exec: the broker is its only child. */
static void test_unit_with_wrapper(void **state)
{
    place *p = *state;
    pid_t wrapper = fork();
    if (wrapper == 0) {
        execl("/bin/sh", "sh", "-c",
              "sh -c 'while [ -e \"$1\" ]; do sleep 0.05; done; exit 0' kafka.Kafka \"$1\"; exit 0",
              "wrapper", p->config, (char *)NULL);
        _exit(127);
    }
    place_write(p, "unit", "ActiveState=active\nMainPID=%d\n", (int)wrapper);
    const char *tool = place_write(p, "bin/systemctl", "#!/bin/sh\ncat %s/unit\n", p->dir);
    assert_int_equal(chmod(tool, 0755), 0);
    p->spec.become_files = kp_printf(p->a, "env PATH=%s:%s", place_path(p, "bin"), getenv("PATH"));
    p->spec.service.unit = "kafka";
    kp_host *h = place_host(p);
    int64_t pid = 0;
    for (int i = 0; i < 100 && (pid == 0 || pid == wrapper); i++) {
        const kp_value *v = place_state(p, h, NULL, -1);
        pid = kp_get_int(v, "pid", 0);
        if (pid != wrapper && pid != 0)
            assert_int_equal(kp_get_int(kp_get(v, "process"), "node_id", -1), 1);
    }
    assert_true(pid != 0 && pid != wrapper);
}

static void test_status_command(void **state)
{
    place *p = *state;
    int pid = place_broker(p, "3.5.2", p->config);
    struct {
        const char *script;
        int64_t pid, rc;
    } rows[] = {
        { kp_printf(p->a, "echo %d", pid), pid, 0 },
        { kp_printf(p->a, "echo kafka is up; echo ' %d'; exit 0", pid), pid, 0 },
        /* what it does not know of runs all the same */
        { "exit 3", pid, 3 },
        { "echo not running; exit 1", pid, 1 },
        { "echo 99999999", pid, 0 }, /* a pid file that nobody removed */
        /* it does not run */
        { "exit 3", 0, 3 },
        { "echo not running; exit 1", 0, 1 },
        { "echo 99999999", 0, 0 },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        if (rows[i].pid == 0 && place_alive(pid)) {
            kill(pid, SIGKILL);
            place_gone(p, pid);
        }
        kp_builder argv = kp_list_begin(p->a);
        kp_list_add(&argv, kp_text(p->a, "sh"));
        kp_list_add(&argv, kp_text(p->a, "-c"));
        kp_list_add(&argv, kp_text(p->a, rows[i].script));
        p->spec.service.status = kp_list_end(&argv);
        const kp_value *v = place_state(p, place_host(p), NULL, -1);
        assert_int_equal(kp_get_int(v, "pid", -1), rows[i].pid);
        assert_int_equal(kp_get_int(kp_get(v, "service"), "rc", -1), rows[i].rc);
    }
    /* It alone knows of one that runs another file; a line may end as a terminal's does. */
    int other = place_broker(p, "3.5.2", place_write(p, "etc/other.properties", "broker.id=1\n"));
    kp_builder words = kp_list_begin(p->a);
    kp_list_add(&words, kp_text(p->a, "printf"));
    kp_list_add(&words, kp_text(p->a, kp_printf(p->a, "up\\r\\n%d\\r\\n", other)));
    p->spec.service.status = kp_list_end(&words);
    assert_int_equal(kp_get_int(place_state(p, place_host(p), NULL, -1), "pid", -1), other);
    kill(other, SIGKILL);

    /* The names in braces are replaced, and only they. */
    kp_builder argv = kp_list_begin(p->a);
    kp_list_add(&argv, kp_text(p->a, "echo"));
    kp_list_add(&argv, kp_text(p->a, "{id} {config} {current} {log} {other} {"));
    p->spec.service.status = kp_list_end(&argv);
    const kp_value *v = place_state(p, place_host(p), NULL, -1);
    assert_string_equal(kp_get_text(kp_get(v, "service"), "said", ""),
                        kp_printf(p->a, "1 %s %s %s {other} {", p->config,
                                  place_path(p, "current"), place_path(p, "log/server.log")));
}

/* A process that holds what a broker holds: the .lock of each log directory. */
static int broker_with_locks(place *p, const char *a, const char *b, const char *option)
{
    place_write(p, kp_printf(p->a, "%s/.lock", a), "%s", "");
    place_write(p, kp_printf(p->a, "%s/.lock", b), "%s", "");
    const char *lock_a = place_path(p, kp_printf(p->a, "%s/.lock", a));
    const char *lock_b = place_path(p, kp_printf(p->a, "%s/.lock", b));
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execl("/bin/sh", "java", "-c",
              "exec 3>\"$1\" 4>\"$2\"; while [ -e \"$4\" ]; do sleep 0.05; done", "x", lock_a,
              lock_b, "kafka.Kafka", p->config, option, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 100; i++) {
        const kp_value *v = place_state(p, place_host(p), NULL, -1);
        if (kp_len(kp_get(v, "log_dirs")) == 2)
            break;
    }
    return pid;
}

/* log.dirs by a config provider: the directories are those that the running process has locked, and
 * they are looked at by name when it is gone. */
static void test_dirs_from_a_provider(void **state)
{
    place *p = *state;
    place_write(p, "etc/server.properties",
                "config.providers=file\nbroker.id=0\nlog.dirs=${file:/etc/site:dirs}\n");
    place_write(p, "one/meta.properties", "version=0\nbroker.id=0\ncluster.id=Cc\n");
    int pid = broker_with_locks(p, "one", "two", NULL);
    kp_host *h = place_host(p);
    const kp_value *v = place_state(p, h, NULL, -1);
    assert_int_equal(kp_get_int(v, "pid", 0), pid);
    assert_string_equal(kp_get_text(v, "dirs_by", ""), "open locks");
    assert_string_equal(kp_json_text(p->a, kp_get(v, "log_paths")),
                        kp_printf(p->a, "[\"%s/one\",\"%s/two\"]", p->dir, p->dir));
    assert_int_equal(kp_get_int(v, "clean_dirs", -1), 0);
    const kp_value *process = kp_get(v, "process");
    assert_int_equal(kp_get_int(process, "node_id", -1), 0);
    assert_string_equal(kp_get_text(process, "cluster_id", ""), "Cc");
    const char *what = kp_get_text(kp_at(kp_get(process, "problems"), 0), "what", "");
    assert_non_null(strstr(what, "a config provider gives the value"));

    kill(pid, SIGKILL);
    place_gone(p, pid);
    place_write(p, "one/.kafka_cleanshutdown", "%s", "");
    place_write(p, "two/.kafka_cleanshutdown", "%s", "");
    assert_int_equal(kp_get_int(place_state(p, h, NULL, -1), "dirs", -1), 0);
    answer r = { 0 };
    kp_host_question q = { .log_since = -1, .dirs = kp_get(v, "log_paths"),
                           .deadline = place_soon() };
    kp_host_state(h, p->a, &q, place_answer, &r);
    v = place_ok(p, &r);
    assert_string_equal(kp_get_text(v, "dirs_by", ""), "question");
    assert_int_equal(kp_get_int(v, "dirs", -1), 2);
    assert_int_equal(kp_get_int(v, "clean_dirs", -1), 2);
}

/* The directory of a metadata log is locked too, and has no clean mark. */
static void test_metadata_dir_from_a_provider(void **state)
{
    place *p = *state;
    place_write(p, "etc/server.properties",
                "config.providers=file\nnode.id=1\nprocess.roles=broker\n"
                "log.dirs=${file:/etc/site:dirs}\nmetadata.log.dir=${file:/etc/site:meta}\n");
    place_write(p, "meta/__cluster_metadata-0/x", "%s", "");
    broker_with_locks(p, "meta", "logs", NULL);
    const kp_value *v = place_state(p, place_host(p), NULL, -1);
    assert_string_equal(kp_json_text(p->a, kp_get(v, "log_paths")),
                        kp_printf(p->a, "[\"%s/logs\"]", p->dir));
}

static void test_every_spelling_of_an_override(void **state)
{
    place *p = *state;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "java", "-c", "while [ -e \"$1\" ]; do sleep 0.05; done", "x", p->config,
              "--override=broker.id=0", "kafka.Kafka", p->config, "--override=log.dirs=rel",
              "--override", "broker.id=5", "-override", "a=b=c", "--override=ssl.key.password=xyz",
              (char *)NULL);
        _exit(127);
    }
    const kp_value *v = NULL;
    for (int i = 0; i < 100 && !kp_get(kp_get(v, "process"), "overrides"); i++)
        v = place_state(p, place_host(p), NULL, -1);
    const kp_value *process = kp_get(v, "process");
    assert_string_equal(kp_json_text(p->a, kp_get(process, "overrides")),
                        "{\"a\":\"b=c\",\"broker.id\":\"5\",\"log.dirs\":\"rel\","
                        "\"ssl.key.password\":\"(secret)\"}");
    assert_int_equal(kp_get_int(process, "node_id", -1), 5);
    assert_int_equal(kp_get_int(kp_get(v, "config"), "node_id", -1), 1);
    char cwd[1000];
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_string_equal(kp_get_text(process, "cwd", ""), cwd);
    assert_string_equal(kp_json_text(p->a, kp_get(v, "log_paths")),
                        kp_printf(p->a, "[\"%s/rel\"]", cwd));
}

/* Two releases in one class path: the first jar is what Java runs. */
static void test_two_releases_in_one_class_path(void **state)
{
    place *p = *state;
    place_write(p, "old/kafka_2.13-3.5.2.jar", "%s", "");
    place_write(p, "new/kafka_2.13-3.9.1.jar", "%s", "");
    place_write(p, "new/kafka-clients-3.9.1.jar", "%s", "");
    place_write(p, "new/kafka_2.13-3.9.1-sources.jar", "%s", "");
    const char *path = kp_printf(p->a, "%s/old/kafka_2.13-3.5.2.jar:%s/new/*", p->dir, p->dir);
    const char *loop = "exec 3<\"$1/new/kafka_2.13-3.9.1.jar\" 4<\"$1/old/kafka_2.13-3.5.2.jar\"; "
                       "while [ -e \"$5\" ]; do sleep 0.05; done";
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "java", "-c", loop, "x", p->dir, "-cp",
              kp_printf(p->a, "%s/old/kafka_2.13-3.5.2.jar:%s/new/kafka_2.13-3.9.1.jar", p->dir,
                        p->dir),
              "kafka.Kafka", p->config, (char *)NULL);
        _exit(127);
    }
    const kp_value *v = NULL;
    for (int i = 0; i < 100 && !kp_streq(kp_get_text(v, "running_release_by", ""), "open files");
         i++)
        v = place_state(p, place_host(p), NULL, -1);
    assert_string_equal(kp_get_text(v, "running_release", ""), "3.5.2");
    assert_string_equal(kp_json_text(p->a, kp_get(kp_get(v, "process"), "releases")),
                        "[\"3.5.2\",\"3.9.1\"]");
    kill(pid, SIGKILL);
    place_gone(p, pid);
    pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "java", "-c", "while [ -e \"$4\" ]; do sleep 0.05; done", "x", "-cp", path,
              "kafka.Kafka", p->config, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 100 && !kp_get(kp_get(v, "process"), "releases"); i++)
        v = place_state(p, place_host(p), NULL, -1);
    assert_string_equal(kp_json_text(p->a, kp_get(kp_get(v, "process"), "releases")),
                        "[\"3.5.2\",\"3.9.1\"]");
}

static void test_where_it_listens(void **state)
{
    place *p = *state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    int pid = place_broker(p, "3.5.2", p->config); /* it inherits the socket */
    const kp_value *v = place_state(p, place_host(p), NULL, -1);
    assert_int_equal(kp_get_int(v, "pid", 0), pid);
    assert_true(kp_list_has_int(kp_get(kp_get(v, "process"), "listening"), ntohs(at.sin_port)));
    close(fd);
}

/* What lies beside the staged releases, and what is only half there. */
static void test_releases_that_are_not_whole(void **state)
{
    place *p = *state;
    place_write(p, "releases/kafka_2.13-3.7.2/libs/kafka-clients-3.7.2.jar", "%s", "");
    place_write(p, "releases/kafka_2.13-3.9.1/libs/kafka-clients-3.9.1.jar", "%s", "");
    place_write(p, "releases/kafka_2.13-3.9.1/libs/kafka_2.13-3.9.1.jar", "%s", "");
    place_write(p, "releases/kafka_2.13-4.0.1/libs/kafka_2.13-4.0.1.jar", "%s", "");
    place_write(p, "releases/kafka_2.12-3.7.2/libs/kafka_2.12-3.7.2.jar", "%s", "");
    place_write(p, "releases/tools/readme", "%s", "");
    const kp_value *v = place_state(p, place_host(p), NULL, -1);
    assert_string_equal(kp_json_text(p->a, kp_get(v, "releases")), "[\"3.7.2\",\"3.9.1\"]");
    assert_string_equal(kp_json_text(p->a, kp_get(v, "releases_partial")),
                        "{\"3.7.2\":\"kafka_2.13-3.7.2.jar\",\"4.0.1\":\"kafka-clients-4.0.1.jar\"}");
    assert_string_equal(kp_json_text(p->a, kp_get(v, "releases_other")),
                        "[{\"name\":\"kafka_2.12-3.7.2\",\"version\":\"3.7.2\"}]");
}

/* A properties file that a switch of the link would swap. */
static void test_file_inside_a_release(void **state)
{
    place *p = *state;
    const char *inside = place_write(p, "releases/kafka_2.13-3.7.2/config/server.properties",
                                     "broker.id=0\n");
    assert_int_equal(symlink("releases/kafka_2.13-3.7.2", place_path(p, "current")), 0);
    const char *files[] = { place_path(p, "current/config/server.properties"), inside,
                            place_path(p, "etc/link.properties") };
    assert_int_equal(symlink(inside, files[2]), 0);
    for (size_t i = 0; i < KP_COUNT(files); i++) {
        p->spec.layout.config = files[i];
        const kp_value *config = kp_get(place_state(p, place_host(p), NULL, -1), "config");
        assert_string_equal(kp_get_text(config, "path_inside_release", ""),
                            place_path(p, "releases/kafka_2.13-3.7.2"));
        assert_int_equal(kp_get_int(config, "node_id", -1), 0);
    }
    p->spec.layout.config = place_write(p, "releases/common/server.properties", "broker.id=1\n");
    const kp_value *config = kp_get(place_state(p, place_host(p), NULL, -1), "config");
    assert_null(kp_get(config, "path_inside_release"));
}

/* The second look at a host, and every later one, is one command, and sends no file again. */
static void test_one_look_when_it_is_known(void **state)
{
    place *p = *state;
    const char *count = place_path(p, "looks");
    p->spec.become_files = kp_printf(p->a, "sh %s", place_write(p, "bin/count",
                                     "echo x >>%s\nexec \"$@\"\n", count));
    place_write(p, "data1/.kafka_cleanshutdown", "%s", "");
    kp_host *h = place_host(p);
    for (int i = 0; i < 3; i++) {
        const kp_value *v = place_state(p, h, NULL, -1);
        assert_int_equal(kp_get_int(v, "dirs", -1), 2);
        assert_int_equal(kp_get_int(v, "clean_dirs", -1), 1);
        assert_int_equal(kp_get_int(kp_get(v, "config"), "node_id", -1), 1);
        assert_null(kp_get(v, "look"));
        assert_int_equal(place_count(place_read(p, "looks"), "x"), i + 2);
    }
    /* Another file, other directories: seen at once. */
    place_write(p, "etc/server.properties", "broker.id=2\nlog.dirs=%s/data1\n", p->dir);
    const kp_value *v = place_state(p, h, NULL, -1);
    assert_int_equal(kp_get_int(v, "dirs", -1), 1);
    assert_int_equal(kp_get_int(v, "clean_dirs", -1), 1);
    assert_int_equal(kp_get_int(kp_get(v, "config"), "node_id", -1), 2);
    assert_int_equal(place_count(place_read(p, "looks"), "x"), 6);
}

/* By the script that an interpreter runs; a file of that name that is looked at is none. */
static void test_configuration_agents(void **state)
{
    static const char *const scripts[] = { "opt/bin/puppet", "opt/bin/chef-client" };
    place *p = *state;
    kp_host *h = place_host(p);
    assert_null(kp_get(place_state(p, h, NULL, -1), "agents"));
    pid_t pid[2];
    for (size_t i = 0; i < 2; i++) {
        const char *path = place_write(p, scripts[i], "#!/bin/sh\nsleep 60 & wait\n");
        assert_int_equal(chmod(path, i == 0 ? 0755 : 0644), 0);
        pid[i] = fork();
        if (pid[i] == 0) {
            setsid();
            execl("/bin/sh", "sh", path, "agent", (char *)NULL);
            _exit(127);
        }
    }
    bool seen = false, wrong = false;
    for (int i = 0; i < 50 && !seen; i++) {
        answer r = { 0 };
        kp_host_question q = { .log_since = -1, .agents = true, .deadline = place_soon() };
        kp_host_state(h, p->a, &q, place_answer, &r);
        const kp_value *agents = kp_get(place_ok(p, &r), "agents");
        assert_true(kp_is(agents, KP_LIST));
        seen = kp_list_has_text(agents, "puppet");
        wrong = wrong || kp_list_has_text(agents, "chef-client");
    }
    for (size_t i = 0; i < 2; i++) {
        kill(-pid[i], SIGKILL);
        waitpid(pid[i], NULL, 0);
    }
    assert_true(seen);
    assert_false(wrong);
}

/* Forgotten between its two round trips, it answers nobody. */
static void test_cancelled_between_two_looks(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    for (int i = 0; i < 40; i++) {
        place_write(p, "etc/server.properties", "broker.id=1\nlog.dirs=%s/d%d\n", p->dir, i);
        kp_arena *a = kp_arena_new("a question that is forgotten", 8 << 20);
        answer r = { 0 };
        kp_host_question q = { .log_since = -1, .deadline = place_soon() };
        kp_ticket t = kp_host_state(h, a, &q, place_answer, &r);
        place_turn_for(p, 2 * i);
        bool answered = r.calls > 0;
        kp_host_cancel(p->hs, t);
        place_turn_for(p, 20);
        assert_int_equal(r.calls, answered);
        kp_arena_free(a);
    }
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_there),
        TEST(test_no_files_at_all),
        TEST(test_a_running_broker),
        TEST(test_process_of_another_file),
        TEST(test_two_processes_on_one_file),
        TEST(test_release_by_open_files),
        TEST(test_properties),
        TEST(test_metadata_dir_is_no_log_dir),
        TEST(test_log_evidence),
        TEST(test_signs),
        TEST(test_where_a_start_got_on),
        TEST(test_a_start_script_is_not_the_node_yet),
        TEST(test_systemd_unit),
        TEST(test_unit_with_wrapper),
        TEST(test_status_command),
        TEST(test_dirs_from_a_provider),
        TEST(test_metadata_dir_from_a_provider),
        TEST(test_every_spelling_of_an_override),
        TEST(test_two_releases_in_one_class_path),
        TEST(test_where_it_listens),
        TEST(test_releases_that_are_not_whole),
        TEST(test_file_inside_a_release),
        TEST(test_one_look_when_it_is_known),
        TEST(test_configuration_agents),
        TEST(test_cancelled_between_two_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
