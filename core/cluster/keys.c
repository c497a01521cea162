/* The keys of the cluster file, as tables: what is read by them (schema.h), and what
 * kp_inventory_keys tells of them.
 */
#include "cluster/keys.h"

#include "cluster/client.h"

/* ---- all nodes' settings, and a node's own ---- */

/* `openssh` is the same hosts by the ssh program: for what libssh2 cannot do. */
static const char *const transports[] = { "ssh", "openssh", "local", NULL };
static const char *const transport_docs[] = {
    "kplay's own connections",
    "the ssh program, with what its configuration can and kplay's own connections cannot",
    "no connection: the node runs on this machine",
};

static const kp_field become_fields[] = {
    { "service", KP_FIELD_TEXT, offsetof(kp_ssh, become_service),
      .doc = "what to put in front of commands to the service manager", .example = "\"sudo -n\"" },
    { "files", KP_FIELD_TEXT, offsetof(kp_ssh, become_files),
      .doc = "what to put in front of commands on Kafka's files",
      .example = "\"sudo -n -u kafka\"" },
};
const kp_level kp_become_table = { become_fields, KP_COUNT(become_fields) };

static const kp_field ssh_fields[] = {
    { "transport", KP_FIELD_CHOICE, offsetof(kp_ssh_level, ssh.transport), .otherwise = "ssh",
      .choices = transports, .choice_docs = transport_docs, .doc = "how commands reach the host",
      .example = "openssh" },
    { "user", KP_FIELD_WORD, offsetof(kp_ssh_level, ssh.user),
      .doc = "the unprivileged user to log in as", .example = "ops" },
    { "port", KP_FIELD_PORT, offsetof(kp_ssh_level, ssh.port), .otherwise = "22",
      .doc = "the port sshd listens on", .example = "2222" },
    { "identity", KP_FIELD_LOCAL, offsetof(kp_ssh_level, ssh.identity),
      .doc = "your private key file; without it the agent is asked",
      .example = "~/.ssh/id_ed25519" },
    { "known_hosts", KP_FIELD_LOCAL, offsetof(kp_ssh_level, ssh.known_hosts),
      .otherwise = "~/.ssh/known_hosts", .doc = "the file with the hosts' keys",
      .example = "known_hosts" },
    { "become", KP_FIELD_MAP, offsetof(kp_ssh_level, become),
      .doc = "what to put in front of commands: "
             "{ service: \"sudo -n\", files: \"sudo -n -u kafka\" }",
      .example = "{ service: \"sudo -n\", files: \"sudo -n -u kafka\" }",
      .below = &kp_become_table },
};
const kp_level kp_ssh_table = { ssh_fields, KP_COUNT(ssh_fields) };

static const char *const managers[] = { "systemd", "command", NULL };
static const char *const manager_docs[] = {
    "systemctl, of a unit",
    "commands of your own: start, and stop and status as far as they are needed",
};

static const kp_field service_fields[] = {
    { "manager", KP_FIELD_CHOICE, offsetof(kp_service_level, manager), .otherwise = "systemd",
      .choices = managers, .choice_docs = manager_docs, .doc = "what starts and stops the node",
      .example = "command" },
    { "unit", KP_FIELD_WORD, offsetof(kp_service_level, unit), .doc = "the systemd unit",
      .example = "kafka" },
    { "start", KP_FIELD_ARGV, offsetof(kp_service_level, start),
      .doc = "the command that starts the node",
      .example = "[ /usr/local/bin/kafka-up, \"{current}\", \"{config}\" ]" },
    { "stop", KP_FIELD_ARGV, offsetof(kp_service_level, stop),
      .doc = "the command that stops the node; without it the process gets SIGTERM",
      .example = "[ /usr/local/bin/kafka-down, \"{id}\" ]" },
    { "status", KP_FIELD_ARGV, offsetof(kp_service_level, status),
      .doc = "a command that prints the node's pid, or nothing",
      .example = "[ /usr/local/bin/kafka-pid, \"{id}\" ]" },
};
const kp_level kp_service_table = { service_fields, KP_COUNT(service_fields) };

static const kp_field layout_fields[] = {
    { "current", KP_FIELD_REMOTE, offsetof(kp_layout, current),
      .doc = "the link that names the release in use", .example = "/opt/kafka/current" },
    { "releases", KP_FIELD_REMOTE, offsetof(kp_layout, releases),
      .doc = "the directory of the staged releases", .example = "/opt/kafka/releases" },
    { "release", KP_FIELD_RELEASE, offsetof(kp_layout, release),
      .otherwise = "kafka_2.13-{version}", .doc = "the name of a release's directory",
      .example = "\"kafka_2.12-{version}\"" },
    { "config", KP_FIELD_REMOTE, offsetof(kp_layout, config), .doc = "the node's server.properties",
      .example = "/etc/kafka/server.properties" },
    { "log", KP_FIELD_REMOTE, offsetof(kp_layout, log), .doc = "the node's server.log",
      .example = "/var/log/kafka/server.log" },
    { "state", KP_FIELD_REMOTE, offsetof(kp_layout, state), .computed = "RELEASES/.kplay",
      .doc = "kplay's own directory on the host", .example = "/var/lib/kplay" },
};
const kp_level kp_layout_table = { layout_fields, KP_COUNT(layout_fields) };

/* ---- nodes ---- */

static const kp_field node_fields[] = {
    { "id", KP_FIELD_ID, offsetof(kp_node_level, id), .doc = "the node's broker.id or node.id",
      .example = "1" },
    { "host", KP_FIELD_HOST, offsetof(kp_node_level, host), .doc = "the host kplay logs in to",
      .example = "broker1" },
    { "rack", KP_FIELD_TEXT, offsetof(kp_node_level, rack), .doc = "the node's broker.rack",
      .example = "a" },
    { "kafka", KP_FIELD_ADDRESS, offsetof(kp_node_level, kafka),
      .doc = "the listener of this node that kplay can reach", .example = "\"broker1:9092\"" },
    { "ssh", KP_FIELD_MAP, offsetof(kp_node_level, ssh),
      .doc = "what differs from ssh of all nodes", .example = "{ port: 2222 }",
      .below = &kp_ssh_table },
    { "service", KP_FIELD_MAP, offsetof(kp_node_level, service),
      .doc = "what differs from service of all nodes", .example = "{ unit: kafka-1 }",
      .below = &kp_service_table },
    { "layout", KP_FIELD_MAP, offsetof(kp_node_level, layout),
      .doc = "what differs from layout of all nodes",
      .example = "{ config: /etc/kafka/broker1.properties }", .below = &kp_layout_table },
};
const kp_level kp_node_table = { node_fields, KP_COUNT(node_fields) };

static const kp_field zookeeper_fields[] = {
    { "host", KP_FIELD_HOST, offsetof(kp_zookeeper, host), .doc = "the server's host",
      .example = "zk1" },
    { "connect", KP_FIELD_ADDRESS, offsetof(kp_zookeeper, connect), .computed = "HOST:2181",
      .doc = "its client address", .example = "\"zk1:12181\"" },
};
const kp_level kp_zookeeper_table = { zookeeper_fields, KP_COUNT(zookeeper_fields) };

/* ---- policy ---- */

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

/* In the order of kp_guard_level and kp_on_failure. */
const char *const kp_guard_levels[] = { "strict", "healthy", "available", NULL };
static const char *const guard_docs[] = {
    "no partition may be under-replicated or fall below min.insync.replicas",
    "no partition may be worse than when the run began or fall below min.insync.replicas",
    "every partition keeps a leader; it may fall below min.insync.replicas",
};
const char *const kp_on_failures[] = { "ask", "stop", "back_out", NULL };
static const char *const on_failure_docs[] = {
    "you are asked: stop there, or put the node back",
    "the run stops there, with the node as it is",
    "the node is put back to the release it came from, and the run stops",
};

static const kp_field accept_fields[] = {
    { "topic", KP_FIELD_TOPIC, offsetof(kp_accept_level, topic),
      .doc = "a topic that may be unavailable", .example = "audit-raw" },
    { "partition", KP_FIELD_PART, offsetof(kp_accept_level, partition),
      .doc = "a partition that may be unavailable", .example = "orders-7" },
    { "until", KP_FIELD_DATE, offsetof(kp_accept_level, until),
      .doc = "the last day this holds, UTC", .example = "2030-12-31" },
    { "why", KP_FIELD_TEXT, offsetof(kp_accept_level, why),
      .doc = "the reason, for whoever reads the report", .example = "RF 1 by design" },
};
const kp_level kp_accept_table = { accept_fields, KP_COUNT(accept_fields) };

static const kp_field policy_fields[] = {
    { "guard", KP_FIELD_CHOICE, offsetof(kp_policy_level, guard), .otherwise = "strict",
      .choices = kp_guard_levels, .choice_docs = guard_docs,
      .doc = "what the guard allows while a node is down", .example = "healthy" },
    { "on_failure", KP_FIELD_CHOICE, offsetof(kp_policy_level, on_failure), .otherwise = "ask",
      .choices = kp_on_failures, .choice_docs = on_failure_docs,
      .doc = "what happens when a node fails", .example = "back_out" },
    { "free_space", KP_FIELD_PERCENT, offsetof(kp_policy_level, free_space),
      .otherwise = TEXT(KP_FREE_SPACE),
      .doc = "how much of each log dir's disk is to be free, in percent; less is warned of before "
             "a run",
      .example = "10" },
    { "accept", KP_FIELD_LIST, offsetof(kp_policy_level, accept),
      .doc = "topics and partitions that may be unavailable: { topic: NAME, why: REASON }",
      .example = "[ { topic: audit-raw, why: RF 1 by design } ]", .below = &kp_accept_table },
};
const kp_level kp_policy_table = { policy_fields, KP_COUNT(policy_fields) };

/* ---- the file ---- */

static const kp_field top_fields[] = {
    { "cluster", KP_FIELD_NAME, offsetof(kp_top_level, cluster),
      .doc = "the name you give the cluster", .example = "orders-prod" },
    { "kafka", KP_FIELD_MAP, offsetof(kp_top_level, kafka),
      .doc = "how kplay connects, by librdkafka's names",
      .example = "{ bootstrap.servers: \"broker1:9092,broker2:9092\" }",
      .below = &kp_client_table },
    { "ssh", KP_FIELD_MAP, offsetof(kp_top_level, ssh), .doc = "how the hosts are reached",
      .example = "{ user: ops, identity: ~/.ssh/id_ed25519 }", .below = &kp_ssh_table },
    { "service", KP_FIELD_MAP, offsetof(kp_top_level, service),
      .doc = "how a node is started and stopped", .example = "{ manager: systemd, unit: kafka }",
      .below = &kp_service_table },
    { "layout", KP_FIELD_MAP, offsetof(kp_top_level, layout),
      .doc = "where Kafka's files are on a host",
      .example = "{ releases: /opt/kafka/releases, current: /opt/kafka/current, config: "
                 "/etc/kafka/server.properties }",
      .below = &kp_layout_table },
    { "brokers", KP_FIELD_LIST, offsetof(kp_top_level, brokers),
      .doc = "every broker: { id: 1, host: broker1, ... }",
      .example = "[ { id: 1, host: broker1, kafka: \"broker1:9092\" } ]", .below = &kp_node_table },
    { "controllers", KP_FIELD_LIST, offsetof(kp_top_level, controllers),
      .doc = "every KRaft controller",
      .example = "[ { id: 3001, host: controller1, kafka: \"controller1:9093\" } ]",
      .below = &kp_node_table },
    { "zookeeper", KP_FIELD_LIST, offsetof(kp_top_level, zookeeper),
      .doc = "every ZooKeeper server", .example = "[ { host: zk1 }, { host: zk2 } ]",
      .below = &kp_zookeeper_table },
    { "policy", KP_FIELD_MAP, offsetof(kp_top_level, policy), .doc = "how careful kplay is",
      .example = "{ guard: healthy, on_failure: stop }", .below = &kp_policy_table },
    { "playbooks", KP_FIELD_MAP, offsetof(kp_top_level, playbooks),
      .doc = "arguments by playbook: { rolling: { settle: 45m } }",
      .example = "{ rolling: { settle: 45m } }" },
    { "runs", KP_FIELD_LOCAL, offsetof(kp_top_level, runs),
      .computed = "~/.local/state/kplay/CLUSTER", .doc = "the directory where runs are kept",
      .example = "/var/lib/kplay/runs" },
    { "simulate", KP_FIELD_MAP, offsetof(kp_top_level, simulate),
      .doc = "a simulated cluster, instead of a real one",
      .example = "{ mode: kraft, brokers: 4, release: 3.7.2 }" },
};
const kp_level kp_top_table = { top_fields, KP_COUNT(top_fields) };

const kp_value *kp_inventory_keys(kp_arena *a)
{
    return kp_level_keys(a, &kp_top_table, "the cluster file, kplay.yaml");
}
