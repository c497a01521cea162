/* set_properties, set_ibp, alter_config.
 *
 * A file is edited keeping its comments and order, and only if it still is the file that was read.
 * The file's value and the running value are two facts: an edit takes effect at the node's next
 * start.
 */
#include "verbs/inner.h"

#include "cluster/release.h"
#include "cluster/server_config.h"

static kp_err *read_file(kp_step *s, int node, const kp_value **ret_file)
{
    kp_request q = { .kind = KP_Q_FILE, .node = node, .within = 15 * KP_SECOND };
    kp_err *e = kp_ask_value(s->seen, s->a, &q, ret_file);
    return e && !*e->where ? kp_err_at(e, "%s", kp_node_word(s->a, s->seen->inv, node)) : e;
}

static kp_err *edited(kp_step *s, const kp_value *file, const kp_value *edits, char **ret_text,
                      size_t *ret_n)
{
    const kp_value *bytes = kp_get(file, "bytes");
    kp_err *e = kp_properties_edit(s->a, kp_as_text(bytes, ""), bytes ? bytes->n : 0, edits,
                                   ret_text, ret_n);
    return e ? kp_err_at(e, "%s %s", kp_node_word(s->a, s->seen->inv, s->node.id),
                         kp_get_text(file, "path", ""))
             : NULL;
}

/* What to remember: the file as it is and as it will be. */
typedef struct file_pre {
    const char *sha256, *to;
    const kp_value *was; /* the lines that change; no secrets */
} file_pre;
static const kp_keep file_keep[] = {
    KP_KEEP(file_pre, sha256, KP_KEEP_TEXT),
    KP_KEEP(file_pre, to, KP_KEEP_TEXT),
    KP_KEEP(file_pre, was, KP_KEEP_VALUE),
};

static kp_err *remember(kp_step *s, const kp_value *file, const kp_value *edits, file_pre *pre)
{
    char *text;
    size_t n;

    KP_TRY(edited(s, file, edits, &text, &n));
    const kp_value *bytes = kp_get(file, "bytes"),
                   *was = kp_properties_parse(s->a, kp_as_text(bytes, ""), bytes ? bytes->n : 0);
    kp_builder before = kp_map_begin(s->a);
    for (uint32_t i = 0; i < edits->n; i++) {
        const kp_value *old = kp_get(was, edits->keys[i]);
        bool secret = old && kp_config_key_is_secret(edits->keys[i]);
        kp_map_add(&before, edits->keys[i], secret ? kp_text(s->a, "(secret)") : old);
    }
    *pre = (file_pre) { .sha256 = kp_get_text(file, "sha256", NULL),
                        .to = kp_sha256_hex(s->a, text, n),
                        .was = kp_map_end(&before) };
    return NULL;
}

static kp_err *write(kp_step *s, const kp_value *edits)
{
    const file_pre *pre = s->pre;
    const char *was = pre && pre->sha256 ? pre->sha256 : "";
    const kp_value *file;
    char *text;
    size_t n;

    KP_TRY(read_file(s, s->node.id, &file));
    if (!kp_streq(kp_get_text(file, "sha256", ""), was))
        return NULL; /* not the file that was read: the probe says what it is */
    KP_TRY(edited(s, file, edits, &text, &n));
    kp_request q = { .kind = KP_A_FILE,
                     .node = s->node.id,
                     .file = { .expect = was, .bytes = { text, n } } };
    kp_send_only(s, &q);
    return NULL;
}

static kp_verdict file_probe(kp_step *s)
{
    const file_pre *pre = s->pre;
    const kp_value *file;
    kp_err *e = read_file(s, s->node.id, &file);

    if (e) {
        s->blind = true;
        s->say = kp_printf(s->a, "the host does not answer: %s", e->what);
        kp_err_drop(e);
        return KP_UNDER_WAY;
    }
    const char *sha = kp_get_text(file, "sha256", "");
    s->saw = kp_map(s->a, "sha256", kp_text(s->a, sha), NULL);
    if (!pre)
        return KP_NOT_YET;
    if (kp_streq(sha, pre->to)) {
        bool same = kp_streq(sha, pre->sha256);
        s->result = kp_map(s->a, "was", pre->was, "already", same ? kp_bool(true) : NULL, "sha256",
                           kp_text(s->a, sha), NULL);
        return KP_SO;
    }
    if (kp_streq(sha, pre->sha256 ? pre->sha256 : ""))
        return KP_NOT_YET;
    s->why = kp_printf(s->a, "%s was changed by someone else meanwhile",
                       kp_get_text(file, "path", "server.properties"));
    s->next = "find out who changes it (a configuration agent?), then: kplay resume";
    return KP_DID_FAIL;
}

static void file_after(kp_step *s, const void *args)
{
    kp_known *k = kp_known_node(s->seen, s->node.id);
    const file_pre *pre = s->pre;
    (void)args;
    if (k && pre && pre->to)
        k->written_sha = kp_strdup(s->seen->a, pre->to);
}

/* ---- set_properties ---- */

typedef struct set_args {
    kp_nodes nodes;
    const kp_value *properties;
} set_args;
static const kp_arg set_arg[] = {
    KP_ARG(set_args, nodes, "nodes", NULL, "a node's id, or a list of ids"),
    KP_ARG_AS(set_args, properties, "map", "table<string, string|false>", NULL,
              "name = text; false removes the line"),
};

static kp_err *set_refuse(const void *args)
{
    const set_args *a = args;
    for (uint32_t i = 0; i < kp_len(a->properties); i++) {
        const kp_value *v = a->properties->u.items[i];
        bool removes = kp_is(v, KP_BOOL) && !v->u.b;
        if (!kp_is(v, KP_BYTES) && !removes)
            return kp_err_new(
                KP_PLAYBOOK, "write numbers in quotes: they go into the file as they are",
                "set_properties: %s takes a text, or false to remove it", a->properties->keys[i]);
        if (kp_streq(a->properties->keys[i], "inter.broker.protocol.version"))
            return kp_err_new(KP_PLAYBOOK, "use set_ibp, which knows what raising it means",
                              "set_properties does not set inter.broker.protocol.version");
    }
    return NULL;
}

/* The migration flag leaving a controller is the point of no return of a migration. */
static unsigned set_marks(kp_seen *o, kp_arena *a, const void *args)
{
    const set_args *x = args;
    (void)a;
    const kp_value *flag = kp_get(x->properties, "zookeeper.metadata.migration.enable");
    bool leaves = flag && !(kp_is(flag, KP_BYTES) && kp_streq(flag->u.s, "true"));
    for (size_t i = 0; leaves && i < x->nodes.n; i++)
        if (kp_node_is(kp_inventory_node(o->inv, x->nodes.id[i]), KP_CONTROLLER))
            return KP_IRREVERSIBLE;
    return 0;
}

static kp_err *set_before(kp_step *s, const void *args, void *pre)
{
    const kp_value *file;
    KP_TRY(read_file(s, s->node.id, &file));
    return remember(s, file, ((const set_args *)args)->properties, pre);
}
static kp_err *set_ask(kp_step *s, const void *args)
{
    return write(s, ((const set_args *)args)->properties);
}
static kp_verdict set_probe(kp_step *s, const void *args)
{
    (void)args;
    return file_probe(s);
}

static const kp_answer_field edited_answer[] = {
    { "was", "table<string, string>", "the lines that it changed, as they were; no secrets" },
    { "already", "boolean?", "the file had all of it" },
    { "sha256", "string", "of the file as it is now" },
};
const kp_op kp_op_set_properties = {
    .name = "set_properties",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_WANT,
    .grant = KP_G_CONFIG_FILE,
    .doing = "changing the configuration of",
    .p50 = KP_SECOND,
    .p95 = 10 * KP_SECOND,
    .doc = "Sets lines of a node's server.properties, keeping comments and order; they take effect "
           "at its next start.",
    .result = "kplay.edited",
    KP_ANSWERS(edited_answer),
    .example = "set_properties(2, { [\"num.io.threads\"] = \"16\" })",
    .landing = 20 * KP_SECOND,
    .stall = 2 * KP_MINUTE,
    .fan_out = "nodes",
    KP_TAKES(set_arg, set_args),
    KP_KEEPS(file_keep, file_pre),
    .marks_of = set_marks,
    .refuse = set_refuse,
    .before = set_before,
    .ask = set_ask,
    .probe = set_probe,
    .after = file_after,
};

/* ---- set_ibp ---- */

typedef struct ibp_args {
    kp_nodes nodes;
    const char *version;
} ibp_args;
static const kp_arg ibp_arg[] = {
    KP_ARG(ibp_args, nodes, "brokers", NULL, "a broker's id, or a list of ids"),
    KP_ARG(ibp_args, version, "text", NULL, "a protocol version, like \"3.4\" or \"3.5-IV2\""),
};

static kp_err *ibp_refuse(const void *args)
{
    const ibp_args *a = args;
    if (kp_ibp_level(a->version) < 0)
        return kp_err_new(KP_PLAYBOOK, "write it like \"3.4\" or \"3.5-IV2\"",
                          "set_ibp: \"%s\" is no inter-broker protocol version", a->version);
    return NULL;
}

/* Pinning or lowering is harmless; raising it cannot be taken back (UPG: "no longer possible to
 * downgrade"). */
static unsigned ibp_marks(kp_seen *o, kp_arena *a, const void *args)
{
    const ibp_args *x = args;
    int want = kp_ibp_level(x->version);

    for (size_t i = 0; i < x->nodes.n; i++) {
        kp_builder keys = kp_list_begin(a);
        kp_list_add(&keys, kp_text(a, "inter.broker.protocol.version"));
        kp_request q = { .kind = KP_Q_CONFIG,
                         .node = x->nodes.id[i],
                         .config = { .resource = "broker", .keys = kp_list_end(&keys) },
                         .within = 5 * KP_SECOND };
        const kp_value *all;
        kp_err *e = kp_ask_value(o, a, &q, &all);
        if (e) {
            kp_err_drop(e);
            return KP_IRREVERSIBLE; /* not known: the stricter way */
        }
        const kp_value *one = kp_get(all, kp_printf(a, "%d", x->nodes.id[i]));
        int now = kp_ibp_level(
            kp_get_text(kp_get(one, "inter.broker.protocol.version"), "value", ""));
        if (now < 0 || want > now)
            return KP_IRREVERSIBLE;
    }
    return 0;
}

static const kp_value *ibp_edit(kp_step *s, const ibp_args *a)
{
    return kp_map(s->a, "inter.broker.protocol.version", kp_text(s->a, a->version), NULL);
}
static const char *ibp_version(const void *args)
{
    return ((const ibp_args *)args)->version;
}
static kp_err *ibp_before(kp_step *s, const void *args, void *pre)
{
    const kp_value *file;
    KP_TRY(read_file(s, s->node.id, &file));
    const kp_value *bytes = kp_get(file, "bytes");
    kp_config_source text = { .text = kp_as_text(bytes, ""), .n = bytes ? bytes->n : 0 };
    if (kp_server_config_read(s->a, &text)->kraft)
        return kp_err_at(kp_err_new(KP_PLAYBOOK,
                                    "in KRaft the boundary is metadata.version (kafka-features "
                                    "upgrade)",
                                    "set_ibp: inter.broker.protocol.version is ignored in KRaft"),
                         "%s", kp_node_word(s->a, s->seen->inv, s->node.id));
    return remember(s, file, ibp_edit(s, args), pre);
}
static kp_err *ibp_ask(kp_step *s, const void *args)
{
    return write(s, ibp_edit(s, args));
}

/* What was proved with the file as it was holds for kplay's own pin. */
static void ibp_after(kp_step *s, const void *args)
{
    kp_known *k = kp_known_node(s->seen, s->node.id);
    const file_pre *pre = s->pre;
    if (k && pre && k->proved_sha && kp_streq(k->proved_sha, pre->sha256))
        k->proved_sha = kp_strdup(s->seen->a, pre->to);
    file_after(s, args);
}

const kp_op kp_op_set_ibp = {
    .name = "set_ibp",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_WANT,
    .grant = KP_G_CONFIG_FILE,
    .doing = "raising the protocol version of",
    .p50 = KP_SECOND,
    .p95 = 10 * KP_SECOND,
    .doc = "Writes inter.broker.protocol.version into a ZooKeeper-mode broker's file; it takes "
           "effect at the next start.\n"
           "Pinning it or lowering it is harmless; raising it is irreversible and needs "
           "every broker on that release.",
    .result = "kplay.edited",
    KP_ANSWERS(edited_answer),
    .example = "set_ibp(2, \"3.4\")",
    .landing = 20 * KP_SECOND,
    .stall = 2 * KP_MINUTE,
    .fan_out = "nodes",
    KP_TAKES(ibp_arg, ibp_args),
    KP_KEEPS(file_keep, file_pre),
    .version_of = ibp_version,
    .marks_of = ibp_marks,
    .refuse = ibp_refuse,
    .before = ibp_before,
    .ask = ibp_ask,
    .probe = set_probe,
    .after = ibp_after,
};

/* ---- alter_config ---- */

typedef struct alter_args {
    const char *topic;
    kp_maybe_id broker;
    const kp_value *set;
} alter_args;
static const kp_arg alter_arg[] = {
    KP_ARG(alter_args, topic, "text", "nil", "a topic's name"),
    KP_ARG(alter_args, broker, "broker", "nil", "or a broker's id"),
    KP_ARG_AS(alter_args, set, "map", "table<string, string|false>", NULL,
              "name = text; false goes back to the default"),
};

typedef struct alter_pre {
    const kp_value *was;
} alter_pre;
static const kp_keep alter_keep[] = { KP_KEEP(alter_pre, was, KP_KEEP_VALUE) };

static const char *alter_name(kp_arena *a, const alter_args *x)
{
    return x->topic ? x->topic : kp_printf(a, "%d", x->broker.id);
}

static kp_err *alter_refuse(const void *args)
{
    const alter_args *a = args;
    if ((a->topic != NULL) == a->broker.is)
        return kp_err_new(KP_PLAYBOOK, "alter_config{ topic = \"orders\", set = { ... } }",
                          "alter_config needs a topic or a broker");
    return NULL;
}

static kp_err *alter_read(kp_step *s, const alter_args *a, const kp_value **ret_one)
{
    kp_builder names = kp_list_begin(s->a), keys = kp_list_begin(s->a);
    const kp_value *all;
    kp_list_add(&names, kp_text(s->a, alter_name(s->a, a)));
    for (uint32_t i = 0; i < a->set->n; i++)
        kp_list_add(&keys, kp_text(s->a, a->set->keys[i]));
    kp_request q = { .kind = KP_Q_CONFIG,
                     .node = a->topic ? KP_ANY_NODE : a->broker.id,
                     .config = { .resource = a->topic ? "topic" : "broker",
                                 .names = a->topic ? kp_list_end(&names) : NULL,
                                 .keys = kp_list_end(&keys) } };
    KP_TRY(kp_ask_value(s->seen, s->a, &q, &all));
    *ret_one = kp_get(all, alter_name(s->a, a));
    return NULL;
}

static kp_err *alter_before(kp_step *s, const void *args, void *pre)
{
    const kp_value *one;
    KP_TRY(alter_read(s, args, &one));
    ((alter_pre *)pre)->was = one;
    return NULL;
}

static kp_err *alter_ask(kp_step *s, const void *args)
{
    const alter_args *a = args;
    kp_request q = { .kind = KP_A_CONFIG,
                     .node = KP_ANY_NODE,
                     .alter = { .resource = a->topic ? "topic" : "broker",
                                .name = alter_name(s->a, a),
                                .edits = a->set } };
    kp_send_only(s, &q);
    return NULL;
}

static kp_verdict alter_probe(kp_step *s, const void *args)
{
    const alter_args *a = args;
    const alter_pre *pre = s->pre;
    const kp_value *one;
    kp_err *e = alter_read(s, a, &one);

    if (e) {
        s->blind = true;
        s->say = kp_strdup(s->a, e->what);
        kp_err_drop(e);
        return KP_UNDER_WAY;
    }
    for (uint32_t i = 0; i < a->set->n; i++) {
        const kp_value *want = a->set->u.items[i], *is = kp_get(one, a->set->keys[i]);
        /* ConfigSource 5: the default applies. */
        bool so = kp_is(want, KP_BYTES) ? kp_streq(kp_get_text(is, "value", ""), want->u.s)
                                        : kp_get_int(is, "source", 5) >= 4;
        if (!so)
            return KP_NOT_YET;
    }
    s->result = kp_map(s->a, "was", pre ? pre->was : NULL, NULL);
    return KP_SO;
}

static const kp_answer_field altered_answer[] = {
    { "was", "table<string, { value: string?, source: integer, default: string? }>?",
      "what it changed, as it was; source: Kafka's ConfigSource" },
};
const kp_op kp_op_alter_config = {
    .name = "alter_config",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_WANT,
    .grant = KP_G_CONFIG_DYNAMIC,
    .doc = "Alters dynamic configuration of a topic or broker (IncrementalAlterConfigs); nothing "
           "else of it is touched.",
    .result = "kplay.altered",
    KP_ANSWERS(altered_answer),
    .example = "alter_config{ topic = \"orders\", set = { [\"min.insync.replicas\"] = \"2\" } }",
    .landing = 30 * KP_SECOND,
    .stall = 2 * KP_MINUTE,
    KP_TAKES(alter_arg, alter_args),
    KP_KEEPS(alter_keep, alter_pre),
    .refuse = alter_refuse,
    .before = alter_before,
    .ask = alter_ask,
    .probe = alter_probe,
};
