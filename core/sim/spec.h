/* spec: reading a description (or snapshot, or fault) key by key, strictly.
 *
 * Unknown keys and wrong types are KP_CONFIG errors whose place is the path of the key
 * ("simulate.topics[1].rf"), with the nearest known word.  A cluster file gives scalars as text, so
 * "3", "true", "10GB" and "5s" are read as what is asked for.
 */
#ifndef KP_SIM_SPEC_H
#define KP_SIM_SPEC_H

#include "sim/oracle.h"

typedef struct kp_spec {
    kp_arena *a;
    const kp_value *v; /* the map; NULL and nil: empty */
    const char *where;
} kp_spec;

kp_err *kp_spec_keys(const kp_spec *s,
                     const char *const *keys) KP_MUST_USE; /* keys ends with NULL */

/* Each gives `otherwise` when the key is absent. */
kp_err *kp_spec_text(const kp_spec *s, const char *key, const char *otherwise,
                     const char **ret_text) KP_MUST_USE;
kp_err *kp_spec_int(const kp_spec *s, const char *key, int64_t otherwise, int64_t min, int64_t max,
                    int64_t *ret_i) KP_MUST_USE;
kp_err *kp_spec_bool(const kp_spec *s, const char *key, bool otherwise, bool *ret_b) KP_MUST_USE;
kp_err *kp_spec_bytes(const kp_spec *s, const char *key, int64_t otherwise,
                      int64_t *ret_n) KP_MUST_USE;
kp_err *kp_spec_duration(const kp_spec *s, const char *key, kp_ms otherwise,
                         kp_ms *ret_d) KP_MUST_USE;
/* A list (never NULL); of texts, each checked, when `texts`. */
kp_err *kp_spec_list(const kp_spec *s, const char *key, bool texts,
                     const kp_value **ret_list) KP_MUST_USE;

kp_spec kp_spec_of(const kp_spec *s, const char *key); /* the map below a key */
kp_spec kp_spec_item(const kp_spec *s, const char *key,
                     size_t i); /* an item of the list below a key */

kp_err *kp_spec_wrong(const kp_spec *s, const char *key, const char *next, const char *fmt, ...)
    KP_PRINTF(4, 5);
/* A word that is none of `names` (which ends with NULL). */
kp_err *kp_spec_unknown(const kp_spec *s, const char *key, const char *word,
                        const char *const *names);

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

/* build.c: the cluster, with its common keys (timing, groups, breaking, accept, allow, faults
 * ...) */
kp_err *kp_sim_build(kp_plan *p, kp_sim **ret_sim) KP_MUST_USE;

#endif
