/* spec: reading a description (or snapshot, or fault) key by key, strictly, by tables.
 *
 * A level (the description itself, one of its topics, `timing` ...) is a table of keys: what each
 * takes, its default, and what it is.  The readers look their key up there, so that what is read is
 * what kp_sim_keys tells.  A key that is read and is in no table, or is there of another type, is a
 * bug in kplay and ends it.
 *
 * Unknown keys and wrong types are KP_CONFIG errors whose place is the path of the key
 * ("simulate.topics[1].rf"), with the nearest known word.  A cluster file gives scalars as text, so
 * "3", "true", "10GB" and "5s" are read as what is asked for.
 */
#ifndef KP_SIM_SPEC_H
#define KP_SIM_SPEC_H

#include "sim/oracle.h"

typedef enum kp_spec_type {
    KP_SPEC_TEXT,
    KP_SPEC_WORD, /* one of `words` */
    KP_SPEC_INT,  /* from `min` to `max` */
    KP_SPEC_BOOL,
    KP_SPEC_BYTES,
    KP_SPEC_DURATION,
    KP_SPEC_TEXTS, /* a list of texts */
    KP_SPEC_IDS,   /* a list of ids of nodes, which its reader checks */
    KP_SPEC_LIST,  /* a list of anything, which its reader checks */
    KP_SPEC_MAPS,  /* a list of maps */
    KP_SPEC_MAP,
} kp_spec_type;

typedef struct kp_spec_word {
    const char *word, *doc;
    int kind; /* what its reader has to know of it */
} kp_spec_word;

typedef struct kp_spec_level kp_spec_level;

/* Rows that are read from kplay's own values alone (a snapshot) have no doc and no example. */
typedef struct kp_spec_key {
    const char *name;
    kp_spec_type type;
    int64_t min, max;
    const char *otherwise; /* the default as it would stand in the file; NULL: none, or computed */
    const char *computed;  /* a default that depends on something, in words */
    const char *doc, *example;  /* the example stands as a value in the file */
    const kp_spec_level *below; /* of the map, or of each map of the list */
    const kp_spec_word
        *words;  /* ends with one whose `word` is NULL.  A list of texts may have some,
                                   too: its reader checks them */
    bool common; /* to every level that shares this one's keys */
} kp_spec_key;

struct kp_spec_level {
    const kp_spec_key *keys;
    size_t n;
    bool any;                    /* its only row stands for every key; its name is a placeholder */
    const kp_spec_level *shared; /* whose common keys are read here, too; NULL: none */
};

typedef struct kp_spec {
    kp_arena *a;
    const kp_value *v; /* the map; NULL and nil: empty */
    const char *where;
    const kp_spec_level *level;
} kp_spec;

kp_err *kp_spec_keys(const kp_spec *s) KP_MUST_USE; /* a map, of this level's keys */

/* When the key is absent, its default is read, or, when it has none, the caller's variable is left
 * as it was: a computed default is set before the call. */
kp_err *kp_spec_text(const kp_spec *s, const char *key, const char **ret_text) KP_MUST_USE;
kp_err *kp_spec_word_of(const kp_spec *s, const char *key, int *ret_index) KP_MUST_USE;
kp_err *kp_spec_int(const kp_spec *s, const char *key, int64_t *ret_i) KP_MUST_USE;
kp_err *kp_spec_int_to(const kp_spec *s, const char *key, int64_t max, int64_t *ret_i) KP_MUST_USE;
kp_err *kp_spec_bool(const kp_spec *s, const char *key, bool *ret_b) KP_MUST_USE;
kp_err *kp_spec_bytes(const kp_spec *s, const char *key, int64_t *ret_n) KP_MUST_USE;
kp_err *kp_spec_duration(const kp_spec *s, const char *key, kp_ms *ret_d) KP_MUST_USE;
/* A list of any type (never NULL; the empty one when it is absent).  Ids given as text are ints. */
kp_err *kp_spec_list(const kp_spec *s, const char *key, const kp_value **ret_list) KP_MUST_USE;

kp_spec kp_spec_of(const kp_spec *s, const char *key); /* the map below a key */
kp_spec kp_spec_item(const kp_spec *s, const char *key,
                     size_t i); /* an item of the list below a key */

kp_err *kp_spec_wrong(const kp_spec *s, const char *key, const char *next, const char *fmt, ...)
    KP_PRINTF(4, 5);

/* What a key takes, for people: "a whole number from 1 to 99", "one of kraft, zookeeper". */
const char *kp_spec_type_text(kp_arena *a, const kp_spec_key *key);

/* ---- the tables of a description and of a fault: keys.c ---- */

extern const kp_spec_level kp_sim_description_level, kp_sim_fault_level;
extern const kp_spec_word kp_sim_fault_words[]; /* faults.c; by kp_sim_fault_name */

/* faults.c */
kp_err *kp_sim_fault_plan_add(kp_sim *sim, const kp_spec *s) KP_MUST_USE;

/* ---- what a simulated cluster is made from ---- */

typedef struct kp_plan_node {
    int id;
    unsigned roles;
    const char *host, *rack, *config, *current, *releases_dir, *log_dir;
    uint8_t release, link; /* in kp_plan.release */
    uint8_t java;          /* major version; 0: not said */
    uint64_t staged;
    const char *ibp;  /* written into its file; NULL: not */
    const char *text; /* server.properties; NULL: made up */
    size_t n_text;
    bool alive, unmanaged, unregistered;
} kp_plan_node;

typedef struct kp_plan_topic {
    const char *name;
    uint8_t id[16];
    bool has_id, internal, unclean;
    uint32_t n, rf, min_isr;
    double size, rate;          /* of the topic, one copy: bytes, bytes/s */
    const kp_value *partitions; /* snapshot: [[replicas], [isr], leader]; NULL: placed here */
    const char *where;
} kp_plan_topic;

typedef struct kp_plan_client {
    const char *name, *version, *listener, *requests;
    int64_t node, connections;
    kp_ms until; /* -1: for good */
} kp_plan_client;

typedef struct kp_plan {
    kp_arena *a;
    const kp_spec *spec; /* what the common keys below are read from */
    kp_sim_mode mode;
    const char *cluster_id; /* NULL: made up */
    kp_ms at;
    uint64_t seed;
    int32_t metadata_version;
    int64_t controller; /* id, -1: the first one */
    uint32_t n_nodes, n_topics, cap_topics, n_releases;
    kp_plan_node *nodes;   /* in any order */
    kp_plan_topic *topics; /* in any order */
    const char *release[KP_SIM_MAX_RELEASES];
    const kp_value *moves; /* snapshot: reassignments */
} kp_plan;

/* clients.c: the key `clients` of a description. */
kp_err *kp_sim_clients_read(const kp_plan *p, kp_plan_client **ret_v, size_t *ret_n) KP_MUST_USE;

/* build.c: the cluster, with its common keys (timing, groups, breaking, accept, allow, faults
 * ...) */
kp_err *kp_sim_build(kp_plan *p, kp_sim **ret_sim) KP_MUST_USE;

#endif
