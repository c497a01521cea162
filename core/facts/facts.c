/* Gathering a round's facts (facts.h): which questions it takes, asked together. */
#include "facts/facts.h"

/* Other brokers asked, one by one, whether they answer; in larger clusters the rest is known by the
 * views alone.  In ZooKeeper mode each is asked: any of them may hear another controller. */
#define ANSWERS_ASKED 100

kp_facts *kp_facts_begin(kp_seen *o, kp_arena *a, const int *scope, size_t n, const char *version)
{
    kp_facts *f = KP_NEW(a, kp_facts);

    f->seen = o;
    f->a = a;
    f->version = version;
    f->n_nodes = o->inv->n_nodes;
    f->nodes = KP_NEW_ARRAY(a, f->n_nodes + 1, kp_node_facts);
    for (size_t i = 0; i < f->n_nodes; i++)
        f->nodes[i].node = &o->inv->nodes[i];
    for (size_t i = 0; i < n; i++) {
        kp_node_facts *one = kp_facts_of(f, scope[i]);
        if (one)
            one->in_scope = true;
    }
    return f;
}

kp_node_facts *kp_facts_of(kp_facts *f, int node)
{
    for (size_t i = 0; i < f->n_nodes; i++)
        if (f->nodes[i].node->id == node)
            return &f->nodes[i];
    return NULL;
}

bool kp_facts_has_quorum(const kp_facts *f)
{
    for (size_t i = 0; i < f->n_nodes; i++)
        if (kp_node_is(f->nodes[i].node, KP_CONTROLLER))
            return true;
    return !f->seen->zookeeper;
}

static bool is_voter(const kp_facts *f, int id)
{
    const kp_value *voters = kp_get(f->quorum.v, "voters");
    for (size_t i = 0; i < kp_len(voters); i++)
        if (kp_get_int(kp_at(voters, i), "id", -1) == id)
            return true;
    return false;
}

kp_who kp_facts_who(const kp_facts *f, const kp_node_facts *one)
{
    const kp_value *host = one->host.v, *said = one->said.v, *process = kp_get(host, "process");
    const char *mode = kp_get_text(said, "mode", "");
    int slot = f->view ? kp_view_slot(f->view, one->node->id) : -1;

    return (kp_who) {
        .looked = host != NULL,
        .pid = kp_get_int(host, "pid", 0),
        .process_id = kp_get_int(process, "node_id", -1),
        .process_cluster = kp_get_text(process, "cluster_id", NULL),
        .process_config = kp_get_text(process, "config", NULL),
        .jars = kp_get_text(host, "running_release", NULL),
        .java_seen = kp_get(process, "java") != NULL,
        .linked = kp_get_text(host, "link_release", NULL),
        .file_inside = kp_get_text(kp_get(host, "config"), "path_inside_release", NULL),
        .log_dirs = kp_get_int(host, "dirs", 0),
        .answers = said != NULL,
        .cluster = kp_get_text(said, "cluster_id", NULL),
        .line = kp_get_text(said, "release", NULL),
        .zookeeper = kp_streq(mode, "zookeeper") || kp_streq(mode, "hybrid"),
        .listed = slot >= 0 && f->view->brokers[slot].alive,
        .votes = is_voter(f, one->node->id),
    };
}

/* As words of a command line again. */
static const kp_value *override_words(kp_arena *a, const kp_value *overrides)
{
    kp_builder words = kp_list_begin(a);
    for (uint32_t i = 0; i < kp_len(overrides); i++)
        kp_list_add(&words, kp_textf(a, "%s=%s", overrides->keys[i],
                                     kp_get_text(overrides, overrides->keys[i], "")));
    return kp_list_end(&words);
}

const kp_server_config *kp_facts_config(const kp_facts *f, const kp_node_facts *one)
{
    const kp_value *bytes = kp_get(one->file.v, "bytes");
    if (!one->file.v)
        return NULL;
    kp_config_source from = {
        .text = kp_as_text(bytes, ""),
        .n = bytes ? bytes->n : 0,
        .overrides = override_words(f->a, kp_get(kp_get(one->host.v, "process"), "overrides")),
    };
    return kp_server_config_read(f->a, &from);
}

void kp_facts_host(kp_facts *f, int node, const kp_value *state)
{
    kp_node_facts *one = kp_facts_of(f, node);
    if (one && state)
        one->host = (kp_fact) { .asked = true, .v = state };
}

/* ---- one round of questions, and where each answer goes ---- */

typedef struct round {
    kp_facts *f;
    kp_request *q;
    kp_fact **to;
    size_t n;
} round;

static void add(round *o, kp_fact *to, kp_request q)
{
    if (to->asked)
        return;
    to->asked = true;
    o->to[o->n] = to;
    o->q[o->n++] = q;
}

static void add_said(round *o, bool everybody)
{
    kp_facts *f = o->f;
    bool controllers = false;
    size_t others = 0;

    for (size_t i = 0; i < f->n_nodes; i++)
        controllers = controllers ||
                      (f->nodes[i].in_scope && kp_node_is(f->nodes[i].node, KP_CONTROLLER));
    for (size_t i = 0; i < f->n_nodes; i++) {
        const kp_node *node = f->nodes[i].node;
        bool broker = kp_node_is(node, KP_BROKER);
        if (!everybody && !f->nodes[i].in_scope &&
            (broker ? !f->seen->zookeeper && others++ >= ANSWERS_ASKED : !controllers))
            continue;
        add(o, &f->nodes[i].said,
            (kp_request) { .kind = KP_Q_NODE, .node = node->id, .within = 5 * KP_SECOND });
    }
}

static const kp_value *texts(kp_arena *a, const char *const *text, size_t n)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; i < n; i++)
        kp_list_add(&list, kp_text(a, text[i]));
    return kp_list_end(&list);
}

static kp_request broker_config(const kp_node_facts *one, const kp_value *keys)
{
    return (kp_request) { .kind = KP_Q_CONFIG,
                          .node = one->node->id,
                          .config = { .resource = "broker", .keys = keys },
                          .within = 5 * KP_SECOND };
}

static void add_ibp(round *o)
{
    static const char *const key[] = { "inter.broker.protocol.version" };
    const kp_value *keys = texts(o->f->a, key, KP_COUNT(key));

    for (size_t i = 0; i < o->f->n_nodes; i++)
        if (kp_node_is(o->f->nodes[i].node, KP_BROKER))
            add(o, &o->f->nodes[i].ibp, broker_config(&o->f->nodes[i], keys));
}

static void add_brokers(round *o, unsigned what)
{
    static const char *const key[] = { KP_KEY_LEADER_RATE, KP_KEY_FOLLOWER_RATE,
                                       KP_KEY_REMOTE_BROKER };
    const kp_value *keys = texts(o->f->a, key, KP_COUNT(key));

    for (size_t i = 0; i < o->f->n_nodes; i++) {
        kp_node_facts *one = &o->f->nodes[i];
        if (!kp_node_is(one->node, KP_BROKER))
            continue;
        if (what & KP_F_OF_BROKERS)
            add(o, &one->keys, broker_config(one, keys));
        if ((what & KP_F_LOG_DIRS) && one->in_scope)
            add(o, &one->dirs, (kp_request) { .kind = KP_Q_LOG_DIRS, .node = one->node->id });
    }
}

static void add_topic_keys(round *o)
{
    static const char *const key[] = { KP_KEY_LEADER_REPLICAS, KP_KEY_FOLLOWER_REPLICAS,
                                       KP_KEY_FORMAT, KP_KEY_DIFFERENCE, KP_KEY_REMOTE_TOPIC };

    add(o, &o->f->topic_keys,
        (kp_request) {
            .kind = KP_Q_CONFIG,
            .node = KP_ANY_NODE,
            .config = { .resource = "topic", .keys = texts(o->f->a, key, KP_COUNT(key)) } });
}

/* The classes that its file names, for its host to look for. */
static const kp_value *classes_of(const kp_facts *f, const kp_node_facts *one)
{
    const kp_server_config *c = kp_facts_config(f, one);
    const kp_value *all = c ? kp_server_config_classes(f->a, c) : NULL;
    kp_builder named = kp_list_begin(f->a);

    for (size_t i = 0; i < kp_len(all); i++)
        if (kp_is_class_name(kp_get_text(kp_at(all, i), "class", "")))
            kp_list_add(&named, kp_at(all, i));
    return kp_list_end(&named);
}

/* Of secrets nobody tells the value. */
static const kp_value *keys_of(const kp_facts *f, const kp_node_facts *one)
{
    const kp_value *values = kp_facts_config(f, one)->values;
    kp_builder keys = kp_list_begin(f->a);

    for (uint32_t i = 0; i < kp_len(values); i++)
        if (!kp_config_key_is_secret(values->keys[i]))
            kp_list_add(&keys, kp_text(f->a, values->keys[i]));
    return kp_list_end(&keys);
}

static void add_hosts(round *o, unsigned what)
{
    kp_facts *f = o->f;

    for (size_t i = 0; i < f->n_nodes; i++) {
        kp_node_facts *one = &f->nodes[i];
        int id = one->node->id;
        if (!one->in_scope)
            continue;
        if (what & KP_F_HOST)
            add(o, &one->host,
                (kp_request) { .kind = KP_Q_HOST,
                               .node = id,
                               .host = { .since = -1, .agents = f->ahead },
                               .within = 20 * KP_SECOND });
        if (what & KP_F_FILE)
            add(o, &one->file,
                (kp_request) { .kind = KP_Q_FILE, .node = id, .within = 15 * KP_SECOND });
        if ((what & KP_F_PROOF) && f->version)
            add(o, &one->proof,
                (kp_request) { .kind = KP_Q_PROOF,
                               .node = id,
                               .proof = { .version = f->version, .classes = classes_of(f, one) },
                               .within = 2 * KP_MINUTE });
        if ((what & KP_F_RUNNING) && one->file.v && kp_node_is(one->node, KP_BROKER))
            add(o, &one->running,
                (kp_request) { .kind = KP_Q_CONFIG,
                               .node = id,
                               .config = { .resource = "broker", .keys = keys_of(f, one) },
                               .within = 10 * KP_SECOND });
    }
}

static void take_view(kp_facts *f)
{
    kp_err *e = kp_fresh_view(f->seen, KP_NOBODY, true, &f->view);
    if (!e)
        return;
    f->view = NULL;
    f->view_why = kp_strdup(f->a, e->what);
    f->view_next = kp_strdup(f->a, e->next);
    kp_err_drop(e);
}

void kp_facts_need(kp_facts *f, unsigned what)
{
    size_t most = 9 * f->n_nodes + 7;

    if (what & ~f->have & (KP_F_PROOF | KP_F_RUNNING)) /* what is asked there stands in the file */
        kp_facts_need(f, KP_F_FILE | KP_F_HOST);
    what &= ~f->have;
    f->have |= what;
    if (what & KP_F_VIEW)
        take_view(f);
    if (!(what & ~(unsigned)KP_F_VIEW))
        return;
    round o = { .f = f,
                .q = KP_NEW_ARRAY(f->a, most, kp_request),
                .to = KP_NEW_ARRAY(f->a, most, kp_fact *) };
    kp_reply *reply = KP_NEW_ARRAY(f->a, most, kp_reply);
    if (what & (KP_F_SAID | KP_F_EVERYBODY))
        add_said(&o, what & KP_F_EVERYBODY);
    if (what & KP_F_IBP)
        add_ibp(&o);
    add_hosts(&o, what);
    add_brokers(&o, what);
    if (what & KP_F_OF_TOPICS)
        add_topic_keys(&o);
    if (what & KP_F_MOVES)
        add(&o, &f->moves, (kp_request) { .kind = KP_Q_REASSIGNMENTS, .node = KP_ANY_NODE });
    if ((what & KP_F_QUORUM) && kp_facts_has_quorum(f))
        add(&o, &f->quorum, (kp_request) { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE });
    if (what & KP_F_FEATURES)
        add(&o, &f->features,
            (kp_request) { .kind = KP_Q_NODE, .node = KP_ANY_NODE, .within = 5 * KP_SECOND });
    if ((what & KP_F_REGISTERED) && !f->seen->zookeeper) { /* there it ends with the broker */
        add(&o, &f->registered, (kp_request) { .kind = KP_Q_REGISTERED, .node = KP_ANY_NODE });
        add(&o, &f->controllers, (kp_request) { .kind = KP_Q_CONTROLLERS, .node = KP_ANY_NODE });
    }
    kp_ask_all(f->seen, f->a, o.q, o.n, reply);
    for (size_t i = 0; i < o.n; i++) {
        kp_err *e = reply[i].err;
        o.to[i]->v = e ? NULL : reply[i].value ? reply[i].value : kp_nil();
        o.to[i]->why = e ? kp_strdup(f->a, e->what) : NULL;
        if (e && o.q[i].kind == KP_Q_HOST && !f->unreached) {
            if (!*e->where)
                e = kp_err_at(e, "%s", kp_node_word(f->a, f->seen->inv, o.q[i].node));
            f->unreached = kp_err_value(f->a, e);
        }
        kp_err_drop(e);
    }
}

const kp_value *kp_facts_release(kp_facts *f, int node, const char *version, const char **ret_why)
{
    kp_seen *o = f->seen;
    const kp_value *v = kp_get(o->releases, version);
    if (!v) {
        kp_request q = { .kind = KP_Q_RELEASE, .node = node, .release.version = version };
        kp_err *e = kp_ask_value(o, f->a, &q, &v);
        if (e) {
            *ret_why = kp_strdup(f->a, e->what);
            kp_err_drop(e);
            return NULL;
        }
        o->releases = kp_map_with(o->a, o->releases ? o->releases : kp_map(o->a, NULL),
                                  kp_strdup(o->a, version), kp_value_copy(o->a, v));
    }
    *ret_why = kp_get_text(v, "why", NULL);
    return v;
}
