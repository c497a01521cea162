/* What a properties file means to the broker that reads it: KafkaConfig's answer, from the same
 * text, the same --override words and the same directory.  The only reader of these keys in kplay.
 *
 * Sources: Utils.loadProps (java.util.Properties of bytes: ISO 8859-1), Kafka.getPropsFromArgs
 * (overrides behind the file), ConfigDef.parseType (values are trimmed; a list is split at commas),
 * KafkaConfig.populateSynonyms and validateValues, Csv.parseCsvList, KafkaServer's
 * getOrGenerateBrokerId.  Held against Kafka's own classes by tests/proof.
 *
 * Everything lives in the arena that was given; any thread.
 */
#ifndef KP_CLUSTER_SERVER_CONFIG_H
#define KP_CLUSTER_SERVER_CONFIG_H

#include "value/value.h"

/* What the text comes with.  Zero is: nothing known of it. */
typedef struct kp_config_source {
    const char *text; /* the file's bytes; longer than KP_PROPERTIES_LIMIT is cut there */
    size_t n;
    const kp_value *overrides; /* list of text "key=value", in the command line's order */
    const kp_value *meta_ids;  /* list of int: node.id (or broker.id) of each meta.properties */
    const char *cwd;           /* of the process: relative directories are below it */
} kp_config_source;

/* One thing that a person should know of the file.  `stops`: Kafka does not start with it; else it
 * starts, and does what `what` says. */
typedef struct kp_config_problem {
    const char *key; /* "" for the file as a whole */
    const char *what; /* one line; no secret's value is in it */
    const char *next;
    bool stops;
} kp_config_problem;

#define KP_CONFIG_PROBLEMS 40 /* at most; more are counted in the last one */

typedef struct kp_server_config {
    bool has_id; /* node_id is known: 0 is an id like any other */
    int node_id; /* node.id, else broker.id; generated: that of meta.properties */
    bool generated; /* no id or -1 in ZooKeeper mode: the cluster gives one (it may not be known) */
    bool kraft;     /* process.roles names a role; empty or absent is ZooKeeper mode */
    unsigned roles; /* KP_BROKER | KP_CONTROLLER; ZooKeeper mode: KP_BROKER */
    bool migration; /* zookeeper.metadata.migration.enable */
    const char *ibp; /* inter.broker.protocol.version, trimmed; NULL: not set */
    uint32_t ibp_set; /* how many lines and overrides set it */

    /* Directories, absolute where cwd is known.  log.dirs, else log.dir, else /tmp/kafka-logs; an
     * EMPTY log.dirs is none at all (Kafka refuses it).  From a provider: empty, and not known. */
    const kp_value *log_dirs; /* list of text */
    bool dirs_known;          /* false: they are given by a config provider */
    const char *metadata_dir; /* metadata.log.dir; NULL: not set, or given by a provider */
    bool metadata_known;      /* false: given by a provider */

    /* As written, trimmed, split; "PLAINTEXT://:9092" where listeners is not set. */
    const kp_value *listeners;
    const kp_value *voters; /* controller.quorum.voters: list of text "id@host:port" */

    /* Every key with its text, overrides included, as java.util.Properties has it: not trimmed. */
    const kp_value *values;
    kp_config_problem *problem;
    uint32_t n_problems;
} kp_server_config;

/* Never fails: what cannot be read is a problem of the answer, and the rest is read on. */
const kp_server_config *kp_server_config_read(kp_arena *a, const kp_config_source *source);

/* The trimmed value, as KafkaConfig takes it; NULL when it is not set. */
const char *kp_server_config_text(kp_arena *a, const kp_server_config *c, const char *key);

const char *kp_server_config_mode(const kp_server_config *c);  /* "zookeeper" or "kraft" */
const char *kp_server_config_roles(const kp_server_config *c); /* "broker", "controller" or
                                                                  "broker,controller" */

/* list of {key, what, next, stops}; an empty list when there is none. */
const kp_value *kp_config_problems_value(kp_arena *a, const kp_server_config *c);

/* plugins.c: the classes it names, list of {key, class, path (the class path of its own that it is
 * loaded from as well; nil: none)}, in the keys' order; not those of the JDK, nor of what is not in
 * use (tiered storage that is off, a provider that is not named).  A value that a config provider
 * gives is among them as it is written, and is no class name. */
const kp_value *kp_server_config_classes(kp_arena *a, const kp_server_config *c);
bool kp_is_class_name(const char *name); /* with or without a package; $ for a nested one */

/* Whether a key's value must not be shown: passwords, JAAS, keys. */
bool kp_config_key_is_secret(const char *key);

#endif
