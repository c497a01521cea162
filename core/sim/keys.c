/* The keys of a description and of a fault, as tables: what is read by them (spec.h), and what
 * kp_sim_keys tells of them.
 *
 * A line says what a key is, in the words of whoever writes the description; what a key takes and
 * its default are columns of their own.
 */
#include "sim/spec.h"

/* ---- topics ---- */

static const kp_spec_key topic_keys[] = {
    { "name", KP_SPEC_TEXT, .doc = "the topic's name, at most 200 bytes; needed",
      .example = "orders" },
    { "count", KP_SPEC_INT, .min = 1, .max = KP_SIM_MAX_TOPICS, .otherwise = "1",
      .doc = "so many equal topics: NAME-01, NAME-02 ..., with as many digits as the last one has",
      .example = "20" },
    { "partitions", KP_SPEC_INT, .min = 1, .max = 1000000, .otherwise = "12",
      .doc = "how many partitions the topic has", .example = "24" },
    { "rf", KP_SPEC_INT, .min = 1, .max = KP_SIM_MAX_NODES,
      .computed = "3, or as many as there are brokers",
      .doc = "how many replicas a partition has, at most one per broker", .example = "2" },
    { "min_isr", KP_SPEC_INT, .min = 1, .max = KP_VIEW_MIN_ISR_CAP,
      .computed = "2; with fewer than 3 replicas 1", .doc = "min.insync.replicas, at most rf",
      .example = "1" },
    { "size", KP_SPEC_BYTES, .computed = "1MB for each partition",
      .doc = "how large the topic is: one copy of all its partitions", .example = "20GB" },
    { "rate", KP_SPEC_BYTES, .computed = "10kB/s for each partition",
      .doc = "how much is written into the topic per second", .example = "2MB/s" },
    { "unclean", KP_SPEC_BOOL, .otherwise = "false", .doc = "unclean.leader.election.enable",
      .example = "true" },
    { "internal", KP_SPEC_BOOL, .otherwise = "false",
      .doc = "whether it is one of Kafka's own topics, like __consumer_offsets",
      .example = "true" },
};
static const kp_spec_level topic_level = { .keys = topic_keys, .n = KP_COUNT(topic_keys) };

/* ---- timing ---- */

static const kp_spec_key timing_keys[] = {
    { "boot", KP_SPEC_DURATION, .otherwise = "3s",
      .doc = "how long a node takes to start when it has no replicas", .example = "5s" },
    { "boot_per_1000", KP_SPEC_DURATION, .otherwise = "2500ms",
      .doc = "what a start takes more for every 1000 replicas the broker has", .example = "4s" },
    { "stop_per_1000", KP_SPEC_DURATION, .computed = "8s; mode zookeeper: 1s",
      .doc = "what a stop takes for every 1000 partitions the broker leads", .example = "2s" },
    { "recovery", KP_SPEC_BYTES, .otherwise = "100MB",
      .doc = "how much of its logs a broker recovers per second, after an unclean stop",
      .example = "500MB" },
    { "link", KP_SPEC_BYTES, .otherwise = "100MB",
      .doc = "how much one broker can send or receive per second", .example = "1GB" },
};
static const kp_spec_level timing_level = { .keys = timing_keys, .n = KP_COUNT(timing_keys) };

/* ---- what a release does not start with ---- */

static const kp_spec_key breaking_keys[] = {
    { "RELEASE", KP_SPEC_TEXTS,
      .doc = "a release, and the keys of server.properties that it does not start with",
      .example = "[ log.message.format.version ]" },
};
static const kp_spec_level breaking_level = { .keys = breaking_keys, .n = 1, .any = true };

/* ---- clients ---- */

static const kp_spec_key client_keys[] = {
    { "name", KP_SPEC_TEXT, .otherwise = "unknown",
      .doc = "the software's name, as it tells the brokers; one older than KIP-511 tells none",
      .example = "apache-kafka-java" },
    { "version", KP_SPEC_TEXT, .otherwise = "unknown", .doc = "its version, as it tells them",
      .example = "2.8.1" },
    { "listener", KP_SPEC_TEXT, .otherwise = "PLAINTEXT",
      .doc = "the brokers' listener it is connected to", .example = "EXTERNAL" },
    { "node", KP_SPEC_INT, .max = INT32_MAX, .computed = "every broker",
      .doc = "the id of the one broker it is connected to", .example = "2" },
    { "connections", KP_SPEC_INT, .min = 1, .max = 1000000, .otherwise = "1",
      .doc = "how many connections a broker has of it", .example = "40" },
    { "requests", KP_SPEC_TEXTS,
      .doc = "requests that 4.0 no longer takes, each once a second: name and version",
      .example = "[ FetchConsumer 3, Produce 2 ]" },
    { "until", KP_SPEC_DURATION, .computed = "for good",
      .doc = "it is gone so long after the cluster begins", .example = "10m" },
};
static const kp_spec_level client_level = { .keys = client_keys, .n = KP_COUNT(client_keys) };

/* ---- faults ---- */

static const kp_spec_key fault_keys[] = {
    { "fault", KP_SPEC_WORD, .doc = "what goes wrong; needed", .example = "crash",
      .words = kp_sim_fault_words },
    { "node", KP_SPEC_INT, .max = INT32_MAX,
      .doc = "the id of the node it strikes, or whose requests are counted", .example = "2" },
    { "rack", KP_SPEC_TEXT, .doc = "the rack it strikes: of rack_loss, and of no other fault",
      .example = "a" },
    { "at", KP_SPEC_DURATION, .computed = "at once",
      .doc = "when: so long after the cluster begins, or from now.  A fault has one of at, stop, "
             "start and requests.  A crash or rack_loss with neither one of them nor lasts is "
             "past: the cluster begins when it has noticed",
      .example = "1m" },
    { "stop", KP_SPEC_INT, .min = 1, .max = INT32_MAX,
      .doc = "when: with the n-th request to stop that the node's host gets from now, 1 the next",
      .example = "1" },
    { "start", KP_SPEC_INT, .min = 1, .max = INT32_MAX,
      .doc = "when: with the n-th request to start that the node's host gets from now, 1 the next",
      .example = "1" },
    { "requests", KP_SPEC_INT, .min = 1, .max = INT32_MAX,
      .doc = "when: after so many more requests to the cluster", .example = "20" },
    { "lasts", KP_SPEC_DURATION, .computed = "for good, or until it has acted",
      .doc = "how long; then it is repaired, and the service of a crashed node is started again",
      .example = "30s" },
};
const kp_spec_level kp_sim_fault_level = { .keys = fault_keys, .n = KP_COUNT(fault_keys) };

/* ---- the description ---- */

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static const kp_spec_word modes[] = {
    [KP_SIM_ZOOKEEPER] = { .word = "zookeeper",
                           .doc = "brokers that register in ZooKeeper; a release before 4.0" },
    [KP_SIM_KRAFT] = { .word = "kraft",
                       .doc = "brokers, and controllers of their own; release 3.3 or newer" },
    [KP_SIM_COMBINED] = { .word = "combined",
                          .doc = "KRaft, some brokers being controllers; release 3.3 or newer" },
    { .word = NULL },
};

/* In short: oracle.h has the whole. */
static const kp_spec_word rules[] = {
    { .word = "K1",
      .doc = "no stop while another stopped broker shares a partition with this one" },
    { .word = "K2",
      .doc = "no stop that leaves a partition with fewer in-sync replicas than it must have" },
    { .word = "K3", .doc = "no stop that leaves a partition without a leader" },
    { .word = "K4",
      .doc = "no start that raises inter.broker.protocol.version above what another broker knows" },
    { .word = "K5", .doc = "no start of a release older than what the cluster has finalized" },
    { .word = "K6", .doc = "no stop of a controller that the quorum cannot do without" },
    { .word = "K7", .doc = "the active controller is stopped last" },
    { .word = "K8", .doc = "no stop while a node that ended unclean is not back in sync" },
    { .word = "K9",
      .doc = "no stop while a started broker is not back in sync, as seen twice from two nodes" },
    { .word = NULL },
};

static const kp_spec_key description_keys[] = {
    { "mode", KP_SPEC_WORD, .otherwise = "kraft", .doc = "what keeps the cluster's metadata",
      .example = "combined", .words = modes, .common = true },
    { "brokers", KP_SPEC_INT, .min = 1, .max = KP_SIM_MAX_NODES - 64, .otherwise = "3",
      .doc = "how many brokers", .example = "4" },
    { "first_id", KP_SPEC_INT, .max = 90000, .otherwise = "1",
      .doc = "the id of the first broker; the others follow.  0 is an id like any other",
      .example = "0" },
    { "controllers", KP_SPEC_INT, .min = 1, .max = 63,
      .computed = "3; mode combined: 3, or as many as there are brokers",
      .doc = "how many controllers, with ids 3001, 3002 ..., or from 100001 when brokers have "
             "these; mode combined: so many of the brokers, the first ones, are controllers as "
             "well; mode zookeeper: ignored",
      .example = "1" },
    { "ghosts", KP_SPEC_IDS,
      .doc = "KRaft: ids of brokers that are registered, down, and in no cluster file",
      .example = "[ 9 ]" },
    { "ghost_controllers", KP_SPEC_IDS,
      .doc =
          "KRaft: ids of controllers that are registered (from release 3.7 on), do not follow the "
          "quorum, and are in no cluster file",
      .example = "[ 3009 ]", .common = true },
    { "release", KP_SPEC_TEXT, .computed = "3.7.2; mode zookeeper: 3.4.1",
      .doc = "the Kafka release every node runs", .example = "3.9.1" },
    { "metadata_version", KP_SPEC_TEXT, .computed = "the newest that the release knows",
      .doc = "KRaft: the finalized metadata.version, as a version or as a level",
      .example = "3.7-IV4", .common = true },
    { "ibp", KP_SPEC_TEXT, .computed = "not written",
      .doc = "mode zookeeper: inter.broker.protocol.version in every server.properties",
      .example = "3.4" },
    { "staged", KP_SPEC_TEXTS, .computed = "every release that the simulator knows",
      .doc = "the releases that are on every host, beside the one that runs",
      .example = "[ 3.9.1 ]" },
    { "java", KP_SPEC_INT, .min = 8, .max = 99, .computed = TEXT(KP_SIM_JAVA),
      .doc = "the major version of the Java on every host", .example = "11" },
    { "racks", KP_SPEC_TEXTS, .computed = "no racks",
      .doc = "names of racks, given to the brokers in turn, and to the controllers",
      .example = "[ a, b, c ]" },
    { "topics", KP_SPEC_MAPS, .doc = "the topics, whose replicas are placed as Kafka places them",
      .example = "[ { name: orders, partitions: 24 } ]", .below = &topic_level },
    { "groups", KP_SPEC_TEXTS,
      .doc = "consumer groups: the first one reads the first topic by name, and so on",
      .example = "[ billing, shipping ]", .common = true },
    { "stalled", KP_SPEC_TEXTS,
      .doc =
          "more consumer groups, which read the next topics and have stood still since the cluster "
          "began: what is written is their lag",
      .example = "[ billing ]", .common = true },
    { "clients", KP_SPEC_MAPS, .doc = "who is connected to the brokers, by the software it uses",
      .example = "[ { name: librdkafka, version: 2.3.0 } ]", .below = &client_level,
      .common = true },
    { "auto_leader_rebalance", KP_SPEC_BOOL, .otherwise = "false",
      .doc = "whether leaders go back to where they are preferred every 300 s, as "
             "auto.leader.rebalance.enable does",
      .example = "true", .common = true },
    { "breaking", KP_SPEC_MAP,
      .doc =
          "by release, the keys of server.properties that it does not start with.  The key "
          "kplay.sim.breaks_start stops every start, unless its value is false; and a class of the "
          "package kplay.sim.missing is in no jar, so that naming it stops a start, too",
      .example = "{ 3.9.1: [ log.message.format.version ] }", .below = &breaking_level,
      .common = true },
    { "timing", KP_SPEC_MAP, .doc = "how fast nodes and their network are",
      .example = "{ boot: 5s, link: 1GB }", .below = &timing_level, .common = true },
    { "faults", KP_SPEC_MAPS, .doc = "what goes wrong, and when",
      .example = "[ { fault: crash, node: 2, at: 1m, lasts: 30s } ]", .below = &kp_sim_fault_level,
      .common = true },
    { "accept", KP_SPEC_TEXTS, .doc = "topics that the oracle does not judge by K1, K2 and K3",
      .example = "[ orders ]", .common = true },
    { "allow", KP_SPEC_TEXTS, .doc = "rules by which the oracle does not judge at all",
      .example = "[ K7 ]", .words = rules, .common = true },
    { "seed", KP_SPEC_INT, .max = INT64_MAX, .otherwise = "1",
      .doc = "of all chance: equal descriptions make equal clusters", .example = "7",
      .common = true },
};
const kp_spec_level kp_sim_description_level = { .keys = description_keys,
                                                 .n = KP_COUNT(description_keys) };

/* ---- what they are, for people ---- */

static const kp_value *words_of(kp_arena *a, const kp_spec_word *words)
{
    if (!words)
        return NULL;
    kp_builder list = kp_list_begin(a);

    for (; words->word; words++)
        kp_list_add(
            &list, kp_map(a, "word", kp_text(a, words->word), "doc", kp_text(a, words->doc), NULL));
    return kp_list_end(&list);
}

static void add_level(kp_builder *levels, const char *path, const char *doc,
                      const kp_spec_level *level)
{
    kp_arena *a = levels->a;
    kp_builder keys = kp_list_begin(a);

    for (size_t i = 0; i < level->n; i++) {
        const kp_spec_key *k = &level->keys[i];
        kp_list_add(&keys, kp_map(a, "key", kp_text(a, k->name), "type",
                                  kp_text(a, kp_spec_type_text(a, k)), "default",
                                  kp_text(a, k->otherwise ? k->otherwise : k->computed), "doc",
                                  kp_text(a, k->doc), "example", kp_text(a, k->example), "words",
                                  words_of(a, k->words), NULL));
    }
    kp_list_add(levels, kp_map(a, "level", kp_text(a, path), "doc", kp_text(a, doc), "keys",
                               kp_list_end(&keys), NULL));
    for (size_t i = 0; i < level->n; i++) {
        const kp_spec_key *k = &level->keys[i];
        const char *items = k->type == KP_SPEC_MAPS ? "[]" : "";
        if (k->below)
            add_level(levels, kp_printf(a, "%s.%s%s", path, k->name, items), k->doc, k->below);
    }
}

const kp_value *kp_sim_keys(kp_arena *a)
{
    kp_builder levels = kp_list_begin(a);

    add_level(&levels, "simulate", "a simulated cluster; every key may be left out",
              &kp_sim_description_level);
    return kp_list_end(&levels);
}
