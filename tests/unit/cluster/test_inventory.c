/* The cluster file: what it means, and every way in which it can be wrong. */
#include "cluster/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_NAME "/etc/kplay/kplay.yaml"

static kp_arena *arena(void)
{
    return kp_arena_new("an inventory test", 256u << 20);
}

static const kp_inventory *parse(kp_arena *a, const char *text)
{
    const kp_inventory *inv = NULL;
    kp_err *e = kp_inventory_parse(a, FILE_NAME, text, strlen(text), &inv);
    if (e)
        fail_msg("%s", kp_err_text(a, e));
    return inv;
}

/* What every real cluster needs, without its nodes. */
#define HEAD                                                                                       \
    "cluster: lab\n"                                                                               \
    "kafka: { bootstrap.servers: \"b1:9092\" }\n"                                                  \
    "ssh: { user: ops }\n"                                                                         \
    "service: { unit: kafka }\n"                                                                   \
    "layout: { current: /opt/kafka/current, releases: /opt/kafka/releases, config: /etc/k.props "  \
    "}\n"
#define BROKER "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\" } ]\n"

static const char full[] =
    "cluster: lab-kraft\n"
    "kafka:\n"
    "  bootstrap.servers: \"127.1.1.1:9092,127.1.1.2:9092\"\n"
    "  bootstrap.controllers: \"127.1.2.1:9093\"\n"
    "  security.protocol: sasl_ssl\n"
    "  sasl.mechanism: PLAIN\n"
    "  sasl.username: admin\n"
    "  sasl.password: { file: ~/secret }\n"
    "  ssl.key.password: { command: [pass, kafka] }\n"
    "  ssl.ca.location: certs/ca.pem\n"
    "  queued.max.messages.kbytes: 65536\n"
    "ssh: { user: kplaylab, port: 2222, identity: /abs/id, known_hosts: hosts,\n"
    "       become: { service: \"sudo -n\", files: \"sudo -n -u kafka\" } }\n"
    "service: { manager: systemd, unit: kafka }\n"
    "layout: { releases: /srv/releases/, current: /srv/current, config: /srv/server.properties,\n"
    "          log: /srv/logs/server.log, release: \"kafka_2.12-{version}\" }\n"
    "brokers:\n"
    "  - { id: 2, host: 127.1.1.2, kafka: \"127.1.1.2:9092\" }\n"
    "  - id: 1\n"
    "    host: 127.1.1.1\n"
    "    rack: a\n"
    "    kafka: 127.1.1.1:9092\n"
    "    ssh: { port: 22, become: { service: \"\" } }\n"
    "    service: { manager: command, start: [/bin/run, \"{config}\"], status: [/bin/st] }\n"
    "    layout: { config: /srv/b1.properties, state: /var/kplay }\n"
    "controllers:\n"
    "  - { id: 3001, host: 127.1.2.1, kafka: \"127.1.2.1:9093\" }\n"
    "zookeeper:\n"
    "  - { host: 127.1.3.1, connect: \"127.1.3.1:12181\" }\n"
    "  - { host: zk2 }\n"
    "policy:\n"
    "  guard: healthy\n"
    "  on_failure: back_out\n"
    "  accept:\n"
    "    - { topic: audit-raw, why: \"RF 1 by design\" }\n"
    "    - { partition: orders-7, until: 2028-02-29, why: broken disk }\n"
    "playbooks: { rolling: { settle: 45m, hooks: team.night } }\n"
    "runs: /abs/runs\n";

static void reads_everything(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    setenv("HOME", "/home/ops", 1);
    const kp_inventory *inv = parse(a, full);
    assert_string_equal(inv->path, FILE_NAME);
    assert_string_equal(inv->cluster, "lab-kraft");
    assert_string_equal(
        kp_json_text(a, inv->kafka),
        "{\"bootstrap.controllers\":\"127.1.2.1:9093\","
        "\"bootstrap.servers\":\"127.1.1.1:9092,127.1.1.2:9092\","
        "\"queued.max.messages.kbytes\":\"65536\",\"sasl.mechanism\":\"PLAIN\","
        "\"sasl.password\":{\"file\":\"/home/ops/secret\"},\"sasl.username\":\"admin\","
        "\"security.protocol\":\"sasl_ssl\","
        "\"ssl.ca.location\":\"/etc/kplay/certs/ca.pem\","
        "\"ssl.key.password\":{\"command\":[\"pass\",\"kafka\"]}}");
    assert_int_equal(inv->n_nodes, 3);
    assert_int_equal(inv->guard, KP_GUARD_HEALTHY);
    assert_int_equal(inv->on_failure, KP_ON_FAILURE_BACK_OUT);
    assert_int_equal(kp_len(inv->accept), 2);
    assert_string_equal(kp_get_text(kp_at(inv->accept, 1), "until", ""), "2028-02-29");
    assert_string_equal(kp_json_text(a, inv->playbooks),
                        "{\"rolling\":{\"hooks\":\"team.night\",\"settle\":\"45m\"}}");
    assert_string_equal(inv->runs, "/abs/runs");
    assert_null(inv->simulate);
    assert_string_equal(kp_get_text(inv->where, "playbooks.rolling.settle", ""),
                        FILE_NAME ":37:25");
    assert_int_equal(inv->n_zookeepers, 2);
    assert_string_equal(inv->zookeepers[0].connect, "127.1.3.1:12181");
    assert_string_equal(inv->zookeepers[1].host, "zk2");
    assert_string_equal(inv->zookeepers[1].connect, "zk2:2181");
}

static void nodes_override_key_by_key(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_inventory *inv = parse(a, full);
    const kp_node *one = &inv->nodes[0], *two = &inv->nodes[1], *three = &inv->nodes[2];
    assert_int_equal(one->id, 1);
    assert_ptr_equal(one, kp_inventory_node(inv, 1));
    assert_ptr_equal(two, kp_inventory_node(inv, 2));
    assert_ptr_equal(three, kp_inventory_node(inv, 3001));
    assert_null(kp_inventory_node(inv, 0));
    assert_null(kp_inventory_node(inv, 3));
    assert_null(kp_inventory_node(inv, 4000));

    assert_int_equal(one->roles, KP_BROKER);
    assert_string_equal(one->host, "127.1.1.1");
    assert_string_equal(one->rack, "a");
    assert_string_equal(one->kafka, "127.1.1.1:9092");
    assert_string_equal(one->controller, "");
    assert_string_equal(one->where, FILE_NAME ":19:5");
    assert_int_equal(one->ssh.port, 22);
    assert_string_equal(one->ssh.transport, "ssh");
    assert_string_equal(one->ssh.user, "kplaylab");
    assert_string_equal(one->ssh.identity, "/abs/id");
    assert_string_equal(one->ssh.known_hosts, "/etc/kplay/hosts");
    assert_string_equal(one->ssh.become_service, "");
    assert_string_equal(one->ssh.become_files, "sudo -n -u kafka");
    assert_false(one->service.systemd);
    assert_string_equal(kp_json_text(a, one->service.start), "[\"/bin/run\",\"{config}\"]");
    assert_null(one->service.stop);
    assert_string_equal(kp_json_text(a, one->service.status), "[\"/bin/st\"]");
    assert_string_equal(one->layout.config, "/srv/b1.properties");
    assert_string_equal(one->layout.current, "/srv/current");
    assert_string_equal(one->layout.releases, "/srv/releases");
    assert_string_equal(one->layout.state, "/var/kplay");

    assert_int_equal(two->ssh.port, 2222);
    assert_string_equal(two->ssh.become_service, "sudo -n");
    assert_string_equal(two->rack, "");
    assert_true(two->service.systemd);
    assert_string_equal(two->service.unit, "kafka");
    assert_null(two->service.start);
    assert_string_equal(two->layout.config, "/srv/server.properties");
    assert_string_equal(two->layout.log, "/srv/logs/server.log");
    assert_string_equal(two->layout.release, "kafka_2.12-{version}");
    assert_string_equal(two->layout.state, "/srv/releases/.kplay");

    assert_int_equal(three->roles, KP_CONTROLLER);
    assert_true(kp_node_is(three, KP_CONTROLLER));
    assert_false(kp_node_is(three, KP_BROKER));
    assert_string_equal(three->kafka, "");
    assert_string_equal(three->controller, "127.1.2.1:9093");
}

static void has_defaults(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    setenv("HOME", "/home/ops", 1);
    unsetenv("XDG_STATE_HOME");
    const kp_inventory *inv = parse(a, HEAD BROKER);
    const kp_node *one = &inv->nodes[0];
    assert_int_equal(inv->n_nodes, 1);
    assert_string_equal(one->ssh.transport, "ssh");
    assert_string_equal(one->ssh.identity, "");
    assert_string_equal(one->ssh.known_hosts, "/home/ops/.ssh/known_hosts");
    assert_int_equal(one->ssh.port, 22);
    assert_string_equal(one->ssh.become_service, "");
    assert_true(one->service.systemd);
    assert_string_equal(one->layout.release, "kafka_2.13-{version}");
    assert_string_equal(one->layout.log, "");
    assert_int_equal(inv->guard, KP_GUARD_STRICT);
    assert_int_equal(inv->on_failure, KP_ON_FAILURE_ASK);
    assert_string_equal(kp_json_text(a, inv->accept), "[]");
    assert_string_equal(kp_json_text(a, inv->playbooks), "{}");
    assert_string_equal(inv->runs, "/home/ops/.local/state/kplay/lab");
    setenv("XDG_STATE_HOME", "/var/state", 1);
    assert_string_equal(parse(a, HEAD BROKER)->runs, "/var/state/kplay/lab");
    setenv("XDG_STATE_HOME", "relative", 1); /* the specification: then it is to be ignored */
    assert_string_equal(parse(a, HEAD BROKER)->runs, "/home/ops/.local/state/kplay/lab");
    unsetenv("XDG_STATE_HOME");
    assert_string_equal(parse(a, HEAD BROKER "runs: ~/runs\n")->runs, "/home/ops/runs");
}

static void local_needs_no_user(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_inventory *inv = parse(
        a, "cluster: lab\nkafka: { bootstrap.servers: \"b1:9092\" }\nssh: { transport: local }\n"
           "service: { manager: command, start: [x] }\n"
           "layout: { current: /c, releases: /r, config: /s }\n" BROKER);
    assert_string_equal(inv->nodes[0].ssh.transport, "local");
}

/* What messages about SSH advise: the ssh program instead of the library, for the same hosts. */
static void the_ssh_program_is_a_transport(void **state)
{
    static const char text[] = "cluster: lab\nkafka: { bootstrap.servers: \"b1:9092\" }\n"
                               "ssh: { user: ops, known_hosts: /k%s }\n"
                               "service: { manager: command, start: [x] }\n"
                               "layout: { current: /c, releases: /r, config: /s }\n" BROKER;
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_inventory *by_ssh = parse(a, kp_printf(a, text, "")),
                       *by_program = parse(a, kp_printf(a, text, ", transport: openssh"));
    assert_string_equal(by_program->nodes[0].ssh.transport, "openssh");
    /* A run that began with the one is resumed with the other. */
    assert_string_equal(kp_inventory_digest(a, by_ssh), kp_inventory_digest(a, by_program));
    const char *nobody = "cluster: lab\nkafka: { bootstrap.servers: \"b1:9092\" }\n"
                         "ssh: { transport: openssh }\nservice: { manager: command, start: [x] }\n"
                         "layout: { current: /c, releases: /r, config: /s }\n" BROKER;
    const kp_inventory *inv;
    kp_err *e = kp_inventory_parse(a, FILE_NAME, nobody, strlen(nobody), &inv);
    assert_non_null(e);
    assert_non_null(strstr(e->what, "has no `ssh.user`"));
    kp_err_drop(e);
}

static void joins_combined_nodes(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_inventory *inv = parse(
        a, HEAD
        "brokers:\n"
        "  - { id: 1, host: N1, kafka: \"n1:9092\", layout: { config: /x, log: /l } }\n"
        "  - { id: 2, host: n2, kafka: \"n2:9092\" }\n"
        "controllers:\n"
        "  - { id: 2, host: n2, kafka: \"n2:9093\", rack: r }\n"
        "  - { id: 1, host: n1, kafka: \"n1:9093\", layout: { config: /x }, ssh: { port: 7 } }\n");
    assert_int_equal(inv->n_nodes, 2);
    const kp_node *one = &inv->nodes[0];
    assert_int_equal(one->roles, KP_BROKER | KP_CONTROLLER);
    assert_string_equal(one->kafka, "n1:9092");
    assert_string_equal(one->controller, "n1:9093");
    assert_string_equal(one->layout.config, "/x");
    assert_string_equal(one->layout.log, "/l");
    assert_int_equal(one->ssh.port, 7);
    assert_string_equal(one->where, FILE_NAME ":7:5");
    assert_string_equal(inv->nodes[1].rack, "r");
}

static void a_simulated_cluster_needs_little(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_inventory *inv = parse(
        a, "cluster: demo\nsimulate: { brokers: 5, topics: { orders: { rf: 3 } } }\n");
    assert_int_equal(inv->n_nodes, 0);
    assert_string_equal(kp_json_text(a, inv->simulate),
                        "{\"brokers\":\"5\",\"topics\":{\"orders\":{\"rf\":\"3\"}}}");
    assert_string_equal(kp_get_text(inv->where, "simulate.topics.orders.rf", ""),
                        FILE_NAME ":2:45");
    assert_string_equal(kp_json_text(a, inv->kafka), "{}");
    inv = parse(
        a, "cluster: demo\nsimulate: {}\nbrokers: [ { id: 4 } ]\npolicy: { on_failure: stop }\n");
    assert_int_equal(inv->n_nodes, 1);
    assert_int_equal(inv->on_failure, KP_ON_FAILURE_STOP);
}

typedef struct refusal {
    const char *text;
    const char *where; /* behind the file's name */
    const char *what;
    const char *next; /* a part of it */
} refusal;

#define SIM "cluster: demo\nsimulate: {}\n"

static const refusal refusals[] = {
    /* the file */
    { "- a\n", "1:1", "a cluster file is a map of keys, not a list", "cluster: NAME" },
    { "a\n", "1:1", "a cluster file is a map of keys, not one text", "cluster: NAME" },
    { "simulate: {}\n", "1:1", "the file has no `cluster`", "orders-prod" },
    { "cluster: lab\n", "1:1", "the file has no `kafka`", "bootstrap.servers" },
    { "cluster: lab\nkafka: { client.id: x }\n", "2:1", "kafka has no `bootstrap.servers`",
      "broker1:9092" },
    { HEAD, "1:1", "the file lists no brokers", "id: 1" },
    { HEAD "brokers: []\n", "6:1", "the file lists no brokers", "id: 1" },
    { SIM "brokes: []\n", "3:1", "unknown key `brokes`; did you mean `brokers`?",
      "the keys here are cluster, kafka" },
    { SIM "xyzzy: 1\n", "3:1", "unknown key `xyzzy`", "the keys here are cluster, kafka" },
    { SIM "brokers: 3\n", "3:1", "`brokers` must be a list, not `3`", "every broker" },
    { SIM "ssh: []\n", "3:1", "`ssh` must be a map, not a list", "how the hosts are reached" },
    { "cluster: { a: b }\nsimulate: {}\n", "1:1",
      "`cluster` must be a name of letters, digits, . _ and - (at most 64), not a map",
      "the name you give" },
    { "cluster: a/b\nsimulate: {}\n", "1:1",
      "`cluster` must be a name of letters, digits, . _ and - (at most 64), not `a/b`",
      "the name you give" },
    { "cluster: ..\nsimulate: {}\n", "1:1",
      "`cluster` must be a name of letters, digits, . _ and - (at most 64), not `..`",
      "the name you give" },
    { "cluster: demo\nsimulate: 5\n", "2:1", "`simulate` must be a map, not `5`",
      "a simulated cluster" },
    { SIM "runs: ~bob/runs\n", "3:1",
      "`runs` must be a path on this machine; ~/ is your home directory, not `~bob/runs`",
      "where runs are kept" },
    { SIM "playbooks: { rolling: 45m }\n", "3:14", "`playbooks.rolling` must be a map of arguments",
      "VALUE" },
    /* ssh, service, layout */
    { SIM "ssh: { prot: 22 }\n", "3:8", "unknown key `prot` in ssh; did you mean `port`?",
      "transport, user, port" },
    { SIM "ssh: { port: 0 }\n", "3:8", "`ssh.port` must be a number from 1 to 65535, not `0`",
      "default 22" },
    { SIM "ssh: { port: 65536 }\n", "3:8",
      "`ssh.port` must be a number from 1 to 65535, not `65536`", "default 22" },
    { SIM "ssh: { port: 022 }\n", "3:8", "`ssh.port` must be a number from 1 to 65535, not `022`",
      "default 22" },
    { SIM "ssh: { port: \"22 \" }\n", "3:8",
      "`ssh.port` must be a number from 1 to 65535, not `22 `", "sshd" },
    { SIM "ssh: { port: [22] }\n", "3:8", "`ssh.port` must be a number from 1 to 65535, not a list",
      "sshd" },
    { SIM "ssh: { transport: lokal }\n", "3:8",
      "`ssh.transport` must be ssh, openssh or local, not `lokal`; did you mean `local`?",
      "default ssh" },
    { SIM "ssh: { user: -oProxyCommand=x }\n", "3:8",
      "`ssh.user` must be one word without blanks, not `-oProxyCommand=x`", "unprivileged" },
    { SIM "ssh: { user: '' }\n", "3:8", "`ssh.user` must be one word without blanks, not \"\"",
      "unprivileged" },
    { SIM "ssh: { become: { service: sudo, file: x } }\n", "3:33",
      "unknown key `file` in ssh.become; did you mean `files`?", "service, files" },
    { SIM "ssh: { become: { service: \"a\\nb\" } }\n", "3:18",
      "`ssh.become.service` must be one line of text, not `a\nb`", "service manager" },
    { SIM "service: { manager: command, start: run.sh }\n", "3:30",
      "`service.start` must be a list of words, the command first: [\"/usr/bin/x\", \"y\"], not "
      "`run.sh`",
      "starts" },
    { SIM "service: { manager: command, start: [] }\n", "3:30",
      "`service.start` must be a list of words, the command first: [\"/usr/bin/x\", \"y\"], not a "
      "list",
      "starts" },
    { SIM "service: { manager: command, stop: [x, {}] }\n", "3:30",
      "`service.stop` must be a list of words, the command first: [\"/usr/bin/x\", \"y\"], not a "
      "list",
      "SIGTERM" },
    { SIM "service: { start: [run.sh] }\n", "3:12",
      "`service.start` is for manager: command, but the manager is systemd",
      "write manager: command, or take start out" },
    { SIM "service: { manager: command, unit: kafka }\n", "3:30",
      "`service.unit` is for manager: systemd, but the manager is command",
      "write manager: systemd, or take unit out" },
    { SIM "service: { manager: command }\nbrokers: [ { id: 1, service: { unit: x } } ]\n", "4:32",
      "`brokers[0].service.unit` is for manager: systemd, but the manager is command",
      "manager: systemd" },
    { SIM "layout: { current: opt/kafka }\n", "3:11",
      "`layout.current` must be an absolute path on the host, not `opt/kafka`", "the link" },
    { SIM "layout: { config: ~/x }\n", "3:11",
      "`layout.config` must be an absolute path on the host, not `~/x`", "server.properties" },
    { SIM "layout: { releases: / }\n", "3:11",
      "`layout.releases` must be an absolute path on the host, not `/`", "staged" },
    { SIM "layout: { release: kafka-3.9 }\n", "3:11",
      "`layout.release` must be a directory name with {version} in it, not `kafka-3.9`",
      "default kafka_2.13-{version}" },
    { SIM "layout: { release: \"a/{version}\" }\n", "3:11",
      "`layout.release` must be a directory name with {version} in it, not `a/{version}`",
      "default" },
    /* kafka */
    { SIM "kafka: { bootstrap.server: \"a:1\" }\n", "3:10",
      "unknown key `bootstrap.server` in kafka; did you mean `bootstrap.servers`?",
      "write bootstrap.servers" },
    { SIM "kafka: { Security.Protocol: SSL }\n", "3:10",
      "unknown key `Security.Protocol` in kafka; did you mean `security.protocol`?",
      "write security.protocol" },
    { SIM "kafka: { \"what is this\": 1 }\n", "3:10", "unknown key `what is this` in kafka",
      "librdkafka" },
    { SIM "kafka: { ssl.truststore.location: /x }\n", "3:10",
      "`ssl.truststore.location` is a setting of Java clients", "ssl.ca.location" },
    { SIM "kafka: { sasl.jaas.config: x }\n", "3:10",
      "`sasl.jaas.config` is a setting of Java clients", "sasl.username" },
    { SIM "kafka: { bootstrap.servers: [\"a:1\"] }\n", "3:10",
      "`kafka.bootstrap.servers` must be text, not a list", "a,b" },
    { SIM "kafka: { bootstrap.servers: a }\n", "3:10",
      "`kafka.bootstrap.servers` must be host:port, separated by commas", "broker1:9092" },
    { SIM "kafka: { bootstrap.servers: \"PLAINTEXT://a:1\" }\n", "3:10",
      "`kafka.bootstrap.servers` must be host:port, separated by commas", "no PLAINTEXT://" },
    { SIM "kafka: { bootstrap.servers: \"a:1,,b:2\" }\n", "3:10",
      "`kafka.bootstrap.servers` must be host:port, separated by commas", "broker1:9092" },
    { SIM "kafka: { bootstrap.controllers: \"a:99999\" }\n", "3:10",
      "`kafka.bootstrap.controllers` must be host:port, separated by commas", "broker1:9092" },
    { SIM "kafka: { security.protocol: TLS }\n", "3:10",
      "`kafka.security.protocol` must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", "listeners" },
    { SIM "kafka: { sasl.password: hunter2 }\n", "3:10",
      "`kafka.sasl.password` is a secret and must not stand in the file", "{ file: /path }" },
    { SIM "kafka: { ssl.key.password: hunter2 }\n", "3:10",
      "`kafka.ssl.key.password` is a secret and must not stand in the file", "{ env: NAME }" },
    { SIM "kafka: { ssl.keystore.password: hunter2 }\n", "3:10",
      "`kafka.ssl.keystore.password` is a secret and must not stand in the file",
      "{ command: [...] }" },
    { SIM "kafka: { ssl.key.pem: hunter2 }\n", "3:10",
      "`kafka.ssl.key.pem` is a secret and must not stand in the file", "{ file: /path }" },
    { SIM "kafka: { sasl.password: { fiel: /x } }\n", "3:27",
      "unknown key `fiel` in kafka.sasl.password; did you mean `file`?", "file, env, command" },
    { SIM "kafka: { sasl.password: { file: /x, env: X } }\n", "3:10",
      "`kafka.sasl.password` must have one of file, env and command", "{ file: /path }" },
    { SIM "kafka: { sasl.password: {} }\n", "3:10",
      "`kafka.sasl.password` must have one of file, env and command", "{ file: /path }" },
    { SIM "kafka: { sasl.password: { command: \"pass x\" } }\n", "3:27",
      "`kafka.sasl.password.command` must be a list of words, the command first: [\"/usr/bin/x\", "
      "\"y\"], not `pass x`",
      "prints the secret" },
    { SIM "kafka: { ssl.ca.location: ~bob/ca.pem }\n", "3:10",
      "`kafka.ssl.ca.location` must be a path on this machine", "absolute path" },
    /* nodes */
    { SIM "brokers: [ 1 ]\n", "3:12", "`brokers[0]` must be a map", "{ id: 1, host: NAME, ... }" },
    { SIM "brokers: [ { host: b1 } ]\n", "3:12", "brokers[0] has no `id`", "broker.id" },
    { SIM "brokers: [ { id: one } ]\n", "3:14",
      "`brokers[0].id` must be a number from 0 to 2147483646, not `one`", "node.id" },
    { SIM "brokers: [ { id: -1 } ]\n", "3:14",
      "`brokers[0].id` must be a number from 0 to 2147483646, not `-1`", "node.id" },
    { SIM "brokers: [ { id: 2147483648 } ]\n", "3:14",
      "`brokers[0].id` must be a number from 0 to 2147483646, not `2147483648`", "node.id" },
    { SIM "brokers: [ { id: 1, host: -b } ]\n", "3:21",
      "`brokers[0].host` must be a host name or IP address, not `-b`", "logs in" },
    { SIM "brokers: [ { id: 1, host: \"a b\" } ]\n", "3:21",
      "`brokers[0].host` must be a host name or IP address, not `a b`", "logs in" },
    { SIM "brokers: [ { id: 1, kafka: b1 } ]\n", "3:21",
      "`brokers[0].kafka` must be an address host:port, not `b1`", "kplay can reach" },
    { SIM "brokers: [ { id: 1, kafka: \"b1:0\" } ]\n", "3:21",
      "`brokers[0].kafka` must be an address host:port, not `b1:0`", "kplay can reach" },
    { SIM "brokers: [ { id: 1, kafka: \"::1:9092\" } ]\n", "3:21",
      "`brokers[0].kafka` must be an address host:port, not `::1:9092`", "kplay can reach" },
    { SIM "brokers: [ { id: 1, layot: {} } ]\n", "3:21",
      "unknown key `layot` in brokers[0]; did you mean `layout`?",
      "id, host, rack, kafka, ssh, service, layout" },
    { SIM "brokers: [ { id: 1 }, { id: 2 }, { id: 1 } ]\n", "3:34",
      "id 1 is given twice; first at /etc/kplay/kplay.yaml:3:12", "its own id" },
    { SIM "brokers: [ { id: 1, host: a } ]\ncontrollers: [ { id: 1, host: b } ]\n", "4:16",
      "id 1 is a broker on a and a controller on b", "its own id" },
    { SIM "brokers: [ { id: 1, host: a, layout: { config: /x } } ]\ncontrollers: [ { id: 1, host: "
          "a, layout: { config: /y } } ]\n",
      "4:44",
      "`controllers[0].layout.config` differs from `brokers[0].layout.config` "
      "(/etc/kplay/kplay.yaml:3:40)",
      "one process" },
    { SIM "brokers: [ { id: 1, host: a, ssh: { become: { files: x } } } ]\n"
          "controllers: [ { id: 1, host: a, ssh: { become: { files: y } } } ]\n",
      "4:51",
      "`controllers[0].ssh.become.files` differs from `brokers[0].ssh.become.files` "
      "(/etc/kplay/kplay.yaml:3:47)",
      "one process" },
    { SIM
      "brokers: [ { id: 1, host: a, rack: x } ]\ncontrollers: [ { id: 1, host: a, rack: y } ]\n",
      "4:34", "`controllers[0].rack` differs from `brokers[0].rack` (/etc/kplay/kplay.yaml:3:30)",
      "one process" },
    { SIM "layout: { config: /x }\nbrokers: [ { id: 1, host: a }, { id: 2, host: A } ]\n", "4:32",
      "broker 1 and broker 2 have the same config file: /x on a", "correct the host" },
    { SIM "service: { unit: k }\nbrokers: [ { id: 1, host: a } ]\ncontrollers: [ { id: 2, host: a "
          "} ]\n",
      "5:16", "broker 1 and controller 2 have the same systemd unit: k on a", "its own service" },
    { SIM "brokers: [ { id: 1, kafka: \"a:1\" }, { id: 2, kafka: \"A:1\" } ]\n", "3:37",
      "broker 1 and broker 2 have the same listener: a:1", "only it answers" },
    { SIM "brokers: [ { id: 1, host: a, kafka: \"a:1\" } ]\ncontrollers: [ { id: 1, host: a, "
          "kafka: \"a:1\" } ]\n",
      "3:12", "node 1 and node 1 have the same listener: a:1", "only it answers" },
    { HEAD "brokers: [ { id: 1, kafka: \"b:1\" } ]\n", "6:12", "broker 1 has no `host`",
      "logs in" },
    { HEAD "brokers: [ { id: 1, host: b } ]\n", "6:12", "broker 1 has no `kafka`",
      "kplay can reach" },
    { HEAD BROKER "controllers: [ { id: 2, host: c, service: { unit: c } } ]\n", "7:16",
      "controller 2 has no `kafka`", "listener" },
    { "cluster: lab\nkafka: { bootstrap.servers: \"b1:9092\" }\n" BROKER, "3:12",
      "broker 1 has no `ssh.user`", "for all nodes" },
    { "cluster: lab\nkafka: { bootstrap.servers: \"b1:9092\" }\nssh: { user: u }\n" BROKER, "4:12",
      "broker 1 has no `service.unit`", "for all nodes" },
    { "cluster: lab\nkafka: { bootstrap.servers: \"b1:9092\" }\nssh: { user: u }\nservice: { "
      "manager: command }\n" BROKER,
      "5:12", "broker 1 has no `service.start`", "start: [...]" },
    { "cluster: lab\nkafka: { bootstrap.servers: \"b1:9092\" }\nssh: { user: u }\nservice: { unit: "
      "k }\n" BROKER,
      "5:12", "broker 1 has no `layout.current`", "layout: { current: /path }" },
    { "cluster: lab\nkafka: { bootstrap.servers: \"b1:9092\" }\nssh: { user: u }\nservice: { unit: "
      "k }\n"
      "layout: { current: /c }\n" BROKER,
      "6:12", "broker 1 has no `layout.releases`", "layout: { releases: /path }" },
    { "cluster: lab\nkafka: { bootstrap.servers: \"b1:9092\" }\nssh: { user: u }\nservice: { unit: "
      "k }\n"
      "layout: { current: /c, releases: /r }\n" BROKER,
      "6:12", "broker 1 has no `layout.config`", "layout: { config: /path }" },
    { SIM "zookeeper: [ zk1 ]\n", "3:14", "`zookeeper[0]` must be a map", "NAME:2181" },
    { SIM "zookeeper: [ { connect: \"a:1\" } ]\n", "3:14", "zookeeper[0] has no `host`",
      "the server's host" },
    { SIM "zookeeper: [ { host: a }, { host: b, connect: \"A:2181\" } ]\n", "3:27",
      "zookeeper[0] and zookeeper[1] have the same address: a:2181", "once" },
    /* policy */
    { SIM "policy: { guard: strikt }\n", "3:11",
      "`policy.guard` must be strict, healthy or available, not `strikt`; did you mean `strict`?",
      "default strict" },
    { SIM "policy: { on_failure: rollback }\n", "3:11",
      "`policy.on_failure` must be ask, stop or back_out, not `rollback`", "default ask" },
    { SIM "policy: { free_space: 101 }\n", "3:11",
      "`policy.free_space` must be a number from 0 to 100, not `101`", "default 5" },
    { SIM "policy: { accept: [ audit ] }\n", "3:21", "`policy.accept[0]` must be a map",
      "{ topic: NAME, why: REASON }" },
    { SIM "policy: { accept: [ { topic: a } ] }\n", "3:21", "policy.accept[0] has no `why`",
      "say why" },
    { SIM "policy: { accept: [ { topic: a, why: ' ' } ] }\n", "3:21",
      "policy.accept[0] has no `why`", "say why" },
    { SIM "policy: { accept: [ { why: x } ] }\n", "3:21",
      "`policy.accept[0]` must have one of topic and partition", "{ topic: NAME, why: REASON }" },
    { SIM "policy: { accept: [ { topic: a, partition: a-1, why: x } ] }\n", "3:21",
      "`policy.accept[0]` must have one of topic and partition", "YYYY-MM-DD" },
    { SIM "policy: { accept: [ { partition: a-1, why: x } ] }\n", "3:21",
      "policy.accept[0] has no `until`", "YYYY-MM-DD" },
    { SIM "policy: { accept: [ { topic: \"audit-*\", why: x } ] }\n", "3:23",
      "`policy.accept[0].topic` must be the whole name of a topic, not `audit-*`",
      "may be unavailable" },
    { SIM "policy: { accept: [ { partition: orders, until: 2026-01-01, why: x } ] }\n", "3:23",
      "`policy.accept[0].partition` must be a partition, TOPIC-NUMBER, not `orders`",
      "may be unavailable" },
    { SIM "policy: { accept: [ { partition: orders-07, until: 2026-01-01, why: x } ] }\n", "3:23",
      "`policy.accept[0].partition` must be a partition, TOPIC-NUMBER, not `orders-07`",
      "may be unavailable" },
    { SIM "policy: { accept: [ { topic: a, until: 2026-02-29, why: x } ] }\n", "3:33",
      "`policy.accept[0].until` must be a date, YYYY-MM-DD, not `2026-02-29`", "the last day" },
    { SIM "policy: { accept: [ { topic: a, until: 2100-02-29, why: x } ] }\n", "3:33",
      "`policy.accept[0].until` must be a date, YYYY-MM-DD, not `2100-02-29`", "the last day" },
    { SIM "policy: { accept: [ { topic: a, until: 26-2-1, why: x } ] }\n", "3:33",
      "`policy.accept[0].until` must be a date, YYYY-MM-DD, not `26-2-1`", "the last day" },
    { SIM "policy: { accept: [ { topic: a, until: 2026-13-01, why: x } ] }\n", "3:33",
      "`policy.accept[0].until` must be a date, YYYY-MM-DD, not `2026-13-01`", "the last day" },
};

static void refuses_with_the_place(void **state)
{
    (void)state;
    setenv("HOME", "/home/ops", 1);
    for (size_t i = 0; i < KP_COUNT(refusals); i++) {
        KP_AUTO_ARENA a = arena();
        const refusal *r = &refusals[i];
        const kp_inventory *inv = NULL;
        kp_err *e = kp_inventory_parse(a, FILE_NAME, r->text, strlen(r->text), &inv);
        if (!e)
            fail_msg("accepted:\n%s", r->text);
        const char *at = kp_printf(a, "%s:%s", FILE_NAME, r->where);
        if (strcmp(e->where, at) != 0 || strcmp(e->what, r->what) != 0 || !strstr(e->next, r->next))
            fail_msg("for\n%s\nexpected %s: %s\ngot      %s: %s\nnext     %s", r->text, at, r->what,
                     e->where, e->what, e->next);
        assert_int_equal(e->cls, KP_CONFIG);
        assert_null(inv);
        assert_null(strstr(kp_err_text(a, e), "hunter2"));
        kp_err_drop(e);
    }
}

static void needs_a_home_only_when_it_is_used(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    unsetenv("HOME");
    unsetenv("XDG_STATE_HOME");
    const kp_inventory *inv = NULL;
    const char *text = HEAD BROKER;
    kp_err *e = kp_inventory_parse(a, FILE_NAME, text, strlen(text), &inv);
    assert_non_null(e);
    assert_string_equal(e->what, "broker 1 has no `ssh.known_hosts`");
    kp_err_drop(e);
    text = SIM;
    e = kp_inventory_parse(a, FILE_NAME, text, strlen(text), &inv);
    assert_non_null(e);
    assert_string_equal(e->what, "the file has no `runs`");
    kp_err_drop(e);
    assert_null(inv);
    assert_string_equal(parse(a, SIM "runs: /r\n")->runs, "/r");
    setenv("HOME", "/home/ops", 1);
}

static void digest_says_who_is_acted_on(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const struct {
        const char *text;
        bool same;
    } rows[] = {
        { HEAD BROKER, true },
        { "# a comment\n" HEAD BROKER
          "policy: { guard: available }\nruns: /r\nplaybooks: { x: {} }\n",
          true },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\", rack: r, ssh: { user: v, "
               "identity: /i } } ]\n",
          true },
        { HEAD "brokers: [ { id: 1, host: b2, kafka: \"b1:9092\" } ]\n", false },
        { HEAD "brokers: [ { id: 2, host: b1, kafka: \"b1:9092\" } ]\n", false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9094\" } ]\n", false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\", ssh: { port: 23 } } ]\n", false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\", layout: { config: /x } } ]\n",
          false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\", layout: { current: /x } } ]\n",
          false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\", service: { unit: x } } ]\n",
          false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\", service: { manager: command, "
               "start: [x] } } ]\n",
          false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\", service: { manager: command, "
               "start: [y] } } ]\n",
          false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\", service: { manager: command, "
               "start: [x, y] } } ]\n",
          false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\", service: { manager: command, "
               "start: [x], stop: [y] } } ]\n",
          false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\", service: { manager: command, "
               "start: [x], status: [y] } } ]\n",
          false },
        { HEAD BROKER "controllers: [ { id: 1, host: b1, kafka: \"b1:9093\" } ]\n", false },
        { HEAD BROKER "zookeeper: [ { host: z } ]\n", false },
        { HEAD BROKER "simulate: { x: 1 }\n", false },
        { HEAD "brokers: [ { id: 1, host: b1, kafka: \"b1:9092\" }, { id: 2, host: b2, kafka: "
               "\"b2:9092\" } ]\n",
          false },
    };
    const char *digests[KP_COUNT(rows)];
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        digests[i] = kp_inventory_digest(a, parse(a, rows[i].text));
        assert_int_equal(strlen(digests[i]), 64);
        for (size_t k = 0; k < i; k++)
            if ((strcmp(digests[i], digests[k]) == 0) != (rows[i].same && rows[k].same))
                fail_msg("digests of rows %zu and %zu", i, k);
    }
    const char *order = HEAD "brokers: [ { id: 2, host: b2, kafka: \"b2:9092\" }, { id: 1, host: "
                             "b1, kafka: \"b1:9092\" } ]\n";
    assert_string_equal(kp_inventory_digest(a, parse(a, order)), digests[KP_COUNT(rows) - 1]);
}

static void loads_from_a_file(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    char path[] = "/tmp/kplay-inventory-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = SIM "runs: here\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    const kp_inventory *inv = NULL;
    assert_null(kp_inventory_load(a, path, &inv));
    assert_string_equal(inv->cluster, "demo");
    assert_string_equal(inv->runs, "/tmp/here");
    unlink(path);
    kp_err *e = kp_inventory_load(a, path, &inv);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_CONFIG);
    assert_string_equal(e->where, path);
    kp_err_drop(e);
}

static void a_thousand_brokers(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    KP_AUTO_BUF text = KP_BUF_INIT(1u << 20);
    kp_buf_str(&text, HEAD "brokers:\n");
    for (int i = 1000; i > 0; i--)
        kp_buf_fmt(
            &text,
            "  - { id: %d, host: b%d, rack: r%d, kafka: \"b%d:9092\", layout: { log: /l } }\n", i,
            i, i % 3, i);
    const kp_inventory *inv = NULL;
    assert_null(kp_inventory_parse(a, FILE_NAME, kp_buf_text(&text), text.n, &inv));
    assert_int_equal(inv->n_nodes, 1000);
    for (uint32_t i = 0; i < inv->n_nodes; i++)
        assert_int_equal(inv->nodes[i].id, i + 1);
    assert_string_equal(kp_inventory_node(inv, 700)->host, "b700");
    assert_in_range(kp_arena_used(a), 1, 16u << 20);
}

static void a_node_is_called_by_its_role(void **state)
{
    static const kp_node nodes[] = { { .id = 1, .roles = KP_BROKER },
                                     { .id = 2, .roles = KP_BROKER | KP_CONTROLLER },
                                     { .id = 3001, .roles = KP_CONTROLLER } };
    static const kp_inventory inv = { .n_nodes = 3, .nodes = nodes };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    assert_string_equal(kp_node_word(a, &inv, 1), "broker 1");
    assert_string_equal(kp_node_word(a, &inv, 2), "node 2");
    assert_string_equal(kp_node_word(a, &inv, 3001), "controller 3001");
    assert_string_equal(kp_node_word(a, &inv, 9), "node 9");
}

int main(void)
{
    setenv("HOME", "/home/ops", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything),
        cmocka_unit_test(nodes_override_key_by_key),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(local_needs_no_user),
        cmocka_unit_test(the_ssh_program_is_a_transport),
        cmocka_unit_test(joins_combined_nodes),
        cmocka_unit_test(a_simulated_cluster_needs_little),
        cmocka_unit_test(refuses_with_the_place),
        cmocka_unit_test(needs_a_home_only_when_it_is_used),
        cmocka_unit_test(digest_says_who_is_acted_on),
        cmocka_unit_test(loads_from_a_file),
        cmocka_unit_test(a_thousand_brokers),
        cmocka_unit_test(a_node_is_called_by_its_role),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
