/* Who is connected to a broker, by its own metrics.  The Java here is this program under another
 * name: with `@words` it prints what JmxTool printed on 2.8.2, 3.9.1 and 4.4.0 (shortened), else it
 * is the broker, with a jar open.  jcmd is a script that says what the real one of Java 17 said. */
#include "with_host.h"

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADDRESS "service:jmx:rmi://127.0.0.1/stub/rO0ABXNy="
#define SERVER "kafka.server:type=socket-server-metrics,"
#define CLIENT(name, version, listener, processor, n)                                              \
    SERVER "clientSoftwareName=" name ",clientSoftwareVersion=" version ",listener=" listener      \
           ",networkProcessor=" #processor ":connections=" #n "\n"
#define DEPRECATED(request, version, n)                                                            \
    "kafka.network:type=RequestMetrics,name=DeprecatedRequestsPerSec,request=" request             \
    ",version=" #version ",clientSoftwareName=unknown,clientSoftwareVersion=unknown:Count=" #n     \
    "\n"
#define OPENED(what, n) "kafka.server:type=" what ":connection-count=" #n ".0\n"

static const char metrics[] = "time=1795915618054\n" DEPRECATED("Fetch", 3, 205)
    DEPRECATED("FetchConsumer", 3, 200) DEPRECATED("FetchFollower", 3, 5)
        DEPRECATED("JoinGroup", 1, 1) DEPRECATED("Produce", 2, 0)
            OPENED("AddPartitionsManager-channel-metrics", 1)
                OPENED("forwarding-metrics,BrokerId=1", 1) OPENED("raft-channel-metrics", 2)
                    OPENED("replica-fetcher-metrics,broker-id=2,fetcher-id=0", 1)
                        OPENED("replica-fetcher-metrics,broker-id=2,fetcher-id=1", 1)
                            OPENED("replica-fetcher-metrics,broker-id=3,fetcher-id=0", 1)
                                OPENED("txn-marker-channel-metrics", 2)
    /* connections */
    CLIENT("apache-kafka-java", "3.9.1", "PLAINTEXT", 0, 2)
        CLIENT("apache-kafka-java", "3.9.1", "PLAINTEXT", 1, 1)
            CLIENT("kafka-python", "3.0.12", "OUTSIDE", 0, 1)
                CLIENT("apache-kafka-java", "3.9.1", "CONTROLLER", 0, 7)
                    CLIENT("unknown", "unknown", "PLAINTEXT", 0, 0)
                        CLIENT("unknown", "unknown", "PLAINTEXT", 1, 4) SERVER
    "listener=PLAINTEXT,networkProcessor=0:connection-count=2.0\n";

/* ---- the Java of the host ---- */

static void caught(int number)
{
    (void)number;
}

/* A file of the host that this Java is on; good until the next call. */
static const char *beside(const char *exe, const char *name)
{
    static char path[8000];
    snprintf(path, sizeof path, "%.*s/%s", (int)(strstr(exe, "/jdk/bin/java") - exe), exe, name);
    return path;
}

static void copy_to(const char *from, FILE *to)
{
    FILE *f = fopen(from, "r");
    for (int c; f && (c = fgetc(f)) != EOF;)
        fputc(c, to);
    if (f)
        fclose(f);
}

/* JmxTool: what it was given is kept, what it says is in files. */
static int as_tool(const char *exe)
{
    FILE *kept = fopen(beside(exe, "words"), "w"), *given = fopen("words", "r");
    struct stat st;
    bool newer = false, is_newer = access(beside(exe, "old_tool"), F_OK) != 0;
    char line[4000];

    if (!kept || !given || fstat(fileno(given), &st) != 0 || (st.st_mode & 077) != 0)
        return 99;
    while (fgets(line, sizeof line, given)) {
        fputs(line, kept);
        newer |= strstr(line, "\"org.apache.kafka.tools.JmxTool\"") != NULL;
    }
    fclose(given);
    fclose(kept);
    if (newer && !is_newer) {
        fputs("Error: Could not find or load main class org.apache.kafka.tools.JmxTool\n", stderr);
        return 1;
    }
    fputs("Trying to connect to JMX url: " ADDRESS ".\n", stderr);
    copy_to(beside(exe, "complains"), stderr);
    copy_to(beside(exe, "says"), stdout);
    return access(beside(exe, "complains"), F_OK) == 0;
}

static int as_java(int argc, char **argv)
{
    char exe[4000] = "", jar[5000] = "";
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return 98;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "@words") == 0)
            return as_tool(exe);
        if (strcmp(argv[i], "-cp") == 0 && i + 1 < argc)
            snprintf(jar, sizeof jar, "%s", argv[i + 1]);
    }
    if (strcmp(argv[1], "-Xrs") != 0)
        signal(SIGQUIT, caught);
    if (*jar && open(jar, O_RDONLY) < 0)
        return 97;
    for (int i = 0; i < 1200 && access(beside(exe, "etc/server.properties"), F_OK) == 0; i++)
        usleep(50000);
    return 0;
}

/* ---- the host ---- */

static void executable(place *p, const char *name, const char *text)
{
    assert_int_equal(chmod(place_write(p, name, "%s", text), 0755), 0);
}

/* jcmd as Java 17 has it: `local` is the agent that is started, or was. */
static void good_jcmd(place *p)
{
    executable(p, "jdk/bin/jcmd",
               kp_printf(p->a,
                         "#!/bin/sh\nfor last; do :; done\necho \"$last\" >>%s/asked\n"
                         "case $last in\n*start_local) : >%s/local; echo 'Command executed' ;;\n"
                         "*status) [ -e %s/local ] && printf 'Agent: enabled\\n\\n"
                         "Connection Type: remote\\nURL            : service:jmx:rmi://x\\n"
                         "Connection Type: local\\nProtocol       : rmi\\n"
                         "URL            : " ADDRESS "\\nProperties     :\\n' ||"
                         " echo 'Agent: disabled' ;;\nesac\n",
                         p->dir, p->dir, p->dir));
}

static const char *java_of(place *p)
{
    return place_path(p, "jdk/bin/java");
}

static void says(place *p, const char *text)
{
    place_write(p, "says", "%s", text);
}

static void good_host(place *p)
{
    place_write(p, "etc/server.properties",
                "node.id=1\nprocess.roles=broker,controller\nlog.dirs=/d\n"
                "controller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\n");
    place_write(p, "jdk/lib/modules", "%s", "");
    place_write(p, "jdk/bin/java", "%s", "");
    place_sh(p, place_host(p),
             kp_printf(p->a, "cp /proc/%d/exe %s && chmod 755 %s", (int)getpid(), java_of(p),
                       java_of(p)));
    good_jcmd(p);
    says(p, metrics);
}

/* A broker that runs with the jars of a release. */
static int broker(place *p, const char *release, const char *option)
{
    const char *jar = place_write(p, kp_printf(p->a, "r/libs/kafka-clients-%s.jar", release), "x");
    const char *java = java_of(p), *cmdline;
    place_write(p, kp_printf(p->a, "r/libs/kafka_2.13-%s.jar", release), "x");
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execl(java, "java", option, "-cp", jar, "kafka.Kafka", p->config, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    cmdline = kp_printf(p->a,
                        "for i in 1 2 3 4 5 6 7 8 9; do ls -l /proc/%d/fd | "
                        "grep -q kafka-clients && break; sleep 0.1; done",
                        (int)pid);
    place_sh(p, place_host(p), cmdline);
    return pid;
}

static const kp_value *ask_within(place *p, kp_ms limit)
{
    answer r = { 0 };
    kp_host_clients(place_host(p), p->a, kp_mono_now() + limit, place_answer, &r);
    return place_ok(p, &r);
}

static const kp_value *ask(place *p)
{
    return ask_within(p, KP_MINUTE);
}

static void tells(place *p, const kp_value *v, const char *key, const char *json)
{
    assert_string_equal(kp_json_text(p->a, kp_get(v, key)), json);
}

static void demand_problem(place *p, const char *part)
{
    const kp_value *v = ask(p);
    const char *problem = kp_get_text(v, "problem", "");
    if (!strstr(problem, part) || kp_get(v, "connections") || strchr(problem, '\n') ||
        strstr(problem, "service:jmx"))
        fail_msg("wanted a problem \"%s\", got %s", part, kp_json_text(p->a, v));
}

/* ---- what is told ---- */

static void test_what_is_told(void **state)
{
    place *p = *state;
    good_host(p);
    broker(p, "3.9.1", "-Xmx1m");
    const kp_value *v = ask(p);
    assert_null(kp_get(v, "problem"));
    assert_string_equal(kp_get_text(v, "release", ""), "3.9.1");
    tells(p, v, "connections",
          "[{\"brokers_too\":true,\"connections\":3,\"listener\":\"PLAINTEXT\","
          "\"name\":\"apache-kafka-java\",\"version\":\"3.9.1\"},"
          "{\"brokers_too\":false,\"connections\":1,\"listener\":\"OUTSIDE\","
          "\"name\":\"kafka-python\",\"version\":\"3.0.12\"},"
          "{\"brokers_too\":true,\"connections\":4,\"listener\":\"PLAINTEXT\","
          "\"name\":\"unknown\",\"version\":\"unknown\"}]");
    tells(p, v, "deprecated",
          "[{\"client_version\":\"unknown\",\"count\":200,\"name\":\"unknown\","
          "\"request\":\"FetchConsumer\",\"version\":3},"
          "{\"client_version\":\"unknown\",\"count\":1,\"name\":\"unknown\","
          "\"request\":\"JoinGroup\",\"version\":1}]");
    tells(p, v, "unknown_to", "[2,2,3,1]");
    assert_int_equal(kp_get_int(v, "unknown", -1), 2);
    assert_int_equal(kp_get_int(v, "java", -1), 1);
}

/* What a release is decides how its transaction markers are called, and whether it counts. */
static void test_by_release(void **state)
{
    static const struct {
        const char *release;
        int unknown, java;
        bool counts;
    } rows[] = {
        { "3.6.2", 2, 1, false }, { "3.7.0", 2, 1, true },      { "4.2.0", 2, 1, true },
        { "4.2.1", 0, 3, true },  { "7.6.0-ccs", 0, 3, false },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        place *p = *state;
        good_host(p);
        says(p, OPENED("AddPartitionsManager-channel-metrics", 1)
                    OPENED("txn-marker-channel-metrics", 2) SERVER
             "listener=PLAINTEXT,networkProcessor=0:connection-count=0.0\n");
        int pid = broker(p, rows[i].release, "-Xmx1m");
        const kp_value *v = ask(p);
        tells(p, v, "connections", "[]");
        assert_int_equal(kp_get_int(v, "unknown", -1), rows[i].unknown);
        assert_int_equal(kp_get_int(v, "java", -1), rows[i].java);
        assert_int_equal(kp_get(v, "deprecated") != NULL, rows[i].counts);
        unlink(p->config);
        place_gone(p, pid);
        place_sh(p, place_host(p), kp_printf(p->a, "rm -r %s/r", p->dir));
    }
}

/* In ZooKeeper mode what is open to the controller is open to a broker. */
static void test_zookeeper_mode(void **state)
{
    place *p = *state;
    good_host(p);
    place_write(p, "etc/server.properties",
                "broker.id=1\nzookeeper.connect=z\nlog.dirs=/d\n"
                "security.inter.broker.protocol=SASL_PLAINTEXT\n"
                "control.plane.listener.name=CONTROL\n");
    place_write(p, "old_tool", "%s", "");
    says(p, OPENED("controller-channel-metrics,broker-id=1", 1)
                OPENED("controller-channel-metrics,broker-id=2", 1)
                    OPENED("replica-fetcher-metrics,broker-id=2,fetcher-id=0", 1)
                        OPENED("alterIsrChannel-metrics,BrokerId=1", 1)
                            CLIENT("unknown", "unknown", "SASL_PLAINTEXT", 0, 3)
                                CLIENT("unknown", "unknown", "CONTROL", 0, 2)
                                    CLIENT("unknown", "unknown", "PLAINTEXT", 0, 1) SERVER
         "listener=PLAINTEXT,networkProcessor=0:connection-count=1.0\n");
    broker(p, "2.8.2", "-Xmx1m");
    const kp_value *v = ask(p), *all = kp_get(v, "connections");
    tells(p, v, "unknown_to", "[1,1,2,2]");
    assert_int_equal(kp_get_int(v, "java", -1), 1);
    assert_null(kp_get(v, "deprecated"));
    for (size_t i = 0; i < kp_len(all); i++)
        assert_int_equal(kp_get_bool(kp_at(all, i), "brokers_too", false),
                         !kp_streq(kp_get_text(kp_at(all, i), "listener", ""), "PLAINTEXT"));
    /* that release's tool takes no pattern */
    const char *words = place_read(p, "words");
    assert_non_null(strstr(words, "\"kafka.tools.JmxTool\""));
    assert_null(strstr(words, "--object-name"));
}

/* ---- how it is asked ---- */

static void test_the_address_is_for_nobody_else(void **state)
{
    place *p = *state;
    good_host(p);
    broker(p, "3.9.1", "-Xmx1m");
    ask(p);
    const char *words = place_read(p, "words");
    assert_non_null(strstr(words, "\"" ADDRESS "\""));
    assert_non_null(strstr(words, kp_printf(p->a, "\"-cp\"\n\"%s/*\"\n", place_path(p, "r/libs"))));
    assert_string_equal(place_read(p, "asked"), "ManagementAgent.status\n"
                                                "ManagementAgent.start_local\n"
                                                "ManagementAgent.status\n");
    /* one that is there is used, and nothing is ever stopped */
    unlink(place_path(p, "asked"));
    ask(p);
    assert_string_equal(place_read(p, "asked"), "ManagementAgent.status\n");
}

static void test_problems(void **state)
{
    place *p = *state;
    good_host(p);
    demand_problem(p, "no process of this node runs");
    int pid = broker(p, "3.9.1", "-Xmx1m");
    says(p, "");
    demand_problem(p, "JmxTool told nothing");
    says(p, OPENED("txn-marker-channel-metrics", 2));
    demand_problem(p, "release 3.9.1 tells no connections by client");
    place_write(p, "complains", "%s", "java.rmi.ConnectException: Connection refused\n");
    demand_problem(p, "JmxTool: java.rmi.ConnectException: Connection refused");
    executable(p, "jdk/bin/jcmd", "#!/bin/sh\necho Agent: disabled\n");
    demand_problem(p, "jcmd does not tell the address");
    executable(p, "jdk/bin/jcmd", "#!/bin/sh\necho 'Unable to open socket file'\nexit 1\n");
    demand_problem(p, "jcmd: Unable to open socket file");
    unlink(place_path(p, "jdk/lib/modules"));
    demand_problem(p, "is older than 9");
    unlink(place_path(p, "jdk/bin/jcmd"));
    demand_problem(p, "there is no jcmd beside ");
    assert_true(place_alive(pid));
}

/* java -Xrs: the SIGQUIT of jcmd would end it. */
static void test_what_would_die_is_not_called(void **state)
{
    place *p = *state;
    good_host(p);
    int pid = broker(p, "3.9.1", "-Xrs");
    demand_problem(p, "does not catch SIGQUIT");
    assert_false(place_has(p, "asked"));
    assert_true(place_alive(pid));
}

static void test_no_java_and_no_jars(void **state)
{
    place *p = *state;
    good_host(p);
    place_broker(p, "3.9.1", p->config);
    demand_problem(p, "its process is no Java: ");
}

static void test_a_jcmd_that_hangs(void **state)
{
    place *p = *state;
    good_host(p);
    int pid = broker(p, "3.9.1", "-Xmx1m");
    executable(p, "jdk/bin/jcmd",
               kp_printf(p->a, "#!/bin/sh\necho $$ >%s/pid\nexec sleep 60\n", p->dir));
    const kp_value *v = ask_within(p, 6 * KP_SECOND);
    assert_non_null(strstr(kp_get_text(v, "problem", ""), "did not answer within"));
    assert_false(place_alive((int)strtol(place_read(p, "pid"), NULL, 10)));
    assert_true(place_alive(pid));
}

/* Only as root can another user's process be made. */
static void test_a_process_of_another_user(void **state)
{
    place *p = *state;
    if (getuid() != 0)
        skip();
    good_host(p);
    assert_int_equal(chmod(p->dir, 0755), 0);
    const char *java = java_of(p);
    pid_t pid = fork();
    if (pid == 0) {
        if (setuid(65534) == 0)
            execl(java, "java", "-Xmx1m", "kafka.Kafka", p->config, (char *)NULL);
        _exit(127);
    }
    place_turn_for(p, 200);
    demand_problem(p, "its process is of ");
    assert_false(place_has(p, "asked"));
    unlink(p->config);
    place_gone(p, pid);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PLACED(test_what_is_told),
        PLACED(test_by_release),
        PLACED(test_zookeeper_mode),
        PLACED(test_the_address_is_for_nobody_else),
        PLACED(test_problems),
        PLACED(test_what_would_die_is_not_called),
        PLACED(test_no_java_and_no_jars),
        PLACED(test_a_jcmd_that_hangs),
        PLACED(test_a_process_of_another_user),
    };
    if (argc > 1 && strcmp(basename(argv[0]), "java") == 0)
        return as_java(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
