/* clients: who is connected to the brokers, with what software.
 *
 * Each broker tells it by its own metrics (KP_Q_CLIENTS), and each in the same look what it has
 * open itself.  What brokers have open to each other is taken off, in numbers: on a listener that
 * both use a connection does not tell whose it is.  What is not told to whom it leads (transaction
 * markers) is taken off where it is first found, so that the sum over all brokers is right and a
 * single broker's may not be; and of that so much less as there are brokers that do not answer, for
 * there it may be.  A connection of a broker that does not answer stays, as what it is called: an
 * unknown client too many is asked after, one too few is not.
 */
#include "verbs/inner.h"

#include <string.h>

#define KPLAY "kplay" /* what core/kafka/conn.c calls itself */

/* Of each release, what is open to brokers as apache-kafka-java of it. */
typedef struct release_pool {
    const char *release;
    int64_t left;
} release_pool;

typedef struct audit {
    kp_step *s;
    const kp_node **brokers;
    kp_reply *replies;
    const char **problem; /* of each; NULL: its answer is there */
    int64_t *unknown_to;  /* open to it by brokers, as "unknown" */
    size_t n, n_problems;
    int64_t unknown; /* open to any broker as "unknown" */
    release_pool *java;
    size_t n_java;
} audit;

/* ---- asking ---- */

static const char *problem_of(kp_arena *a, const kp_reply *reply)
{
    if (!reply->err)
        return kp_get_text(reply->value, "problem", NULL);
    return kp_printable(a, reply->err->what, strcspn(reply->err->what, "\n"));
}

static audit ask(kp_step *s)
{
    const kp_inventory *inv = s->seen->inv;
    audit t = { .s = s,
                .brokers = KP_NEW_ARRAY(s->a, inv->n_nodes + 1, const kp_node *),
                .replies = KP_NEW_ARRAY(s->a, inv->n_nodes + 1, kp_reply),
                .problem = KP_NEW_ARRAY(s->a, inv->n_nodes + 1, const char *),
                .unknown_to = KP_NEW_ARRAY(s->a, inv->n_nodes + 1, int64_t),
                .java = KP_NEW_ARRAY(s->a, inv->n_nodes + 1, release_pool) };
    kp_request *q = KP_NEW_ARRAY(s->a, inv->n_nodes + 1, kp_request);

    for (uint32_t i = 0; i < inv->n_nodes; i++)
        if (kp_node_is(&inv->nodes[i], KP_BROKER)) {
            q[t.n] = (kp_request) { .kind = KP_Q_CLIENTS, .node = inv->nodes[i].id };
            t.brokers[t.n++] = &inv->nodes[i];
        }
    kp_ask_all(s->seen, s->a, q, t.n, t.replies);
    for (size_t i = 0; i < t.n; i++) {
        t.problem[i] = problem_of(s->a, &t.replies[i]);
        t.n_problems += t.problem[i] != NULL;
        t.unknown_to[i] = 0;
        kp_err_drop(t.replies[i].err);
    }
    return t;
}

/* ---- what brokers have open ---- */

static size_t broker_at(const audit *t, int64_t id)
{
    size_t i = 0;
    while (i < t->n && t->brokers[i]->id != id)
        i++;
    return i;
}

static release_pool *java_of(audit *t, const char *release)
{
    size_t i = 0;
    while (i < t->n_java && strcmp(t->java[i].release, release) != 0)
        i++;
    if (i == t->n_java)
        t->java[t->n_java++] = (release_pool) { .release = release };
    return &t->java[i];
}

/* One channel has at most one connection to a broker: those to brokers that do not answer are not
 * among what the others have. */
static int64_t visible(const audit *t, int64_t connections)
{
    int64_t hidden = (int64_t)t->n_problems;
    return connections > hidden ? connections - hidden : 0;
}

static void add_opened(audit *t, const kp_value *v)
{
    const kp_value *to = kp_get(v, "unknown_to");
    for (size_t k = 0; k + 1 < kp_len(to); k += 2) {
        size_t i = broker_at(t, kp_as_int(kp_at(to, k), -1));
        if (i < t->n)
            t->unknown_to[i] += kp_as_int(kp_at(to, k + 1), 0);
    }
    t->unknown += visible(t, kp_get_int(v, "unknown", 0));
    java_of(t, kp_get_text(v, "release", ""))->left += visible(t, kp_get_int(v, "java", 0));
}

static int64_t take_off(int64_t from, int64_t *left)
{
    int64_t n = from < *left ? from : *left;
    *left -= n;
    return from - n;
}

/* ---- the answer ---- */

static const kp_value *clients_of(audit *t, size_t i)
{
    const kp_value *all = kp_get(t->replies[i].value, "connections");
    kp_builder list = kp_list_begin(t->s->a);

    for (size_t k = 0; k < kp_len(all); k++) {
        const kp_value *c = kp_at(all, k);
        const char *name = kp_get_text(c, "name", ""), *version = kp_get_text(c, "version", "");
        int64_t n = kp_get_int(c, "connections", 0);
        bool shared = kp_get_bool(c, "brokers_too", true);
        if (shared && kp_streq(name, "unknown"))
            n = take_off(take_off(n, &t->unknown_to[i]), &t->unknown);
        else if (shared && kp_streq(name, "apache-kafka-java"))
            n = take_off(n, &java_of(t, version)->left);
        bool maybe = shared && t->n_problems > 0 && kp_streq(name, "unknown");
        if (n > 0 && !kp_streq(name, KPLAY))
            kp_list_add(&list,
                        kp_map(t->s->a, "name", kp_get(c, "name"), "version", kp_get(c, "version"),
                               "connections", kp_int(t->s->a, n), "listener", kp_get(c, "listener"),
                               "maybe_brokers", maybe ? kp_bool(true) : NULL, NULL));
    }
    return kp_list_end(&list);
}

static const kp_value *broker_value(audit *t, size_t i)
{
    kp_arena *a = t->s->a;
    const kp_value *v = t->replies[i].value, *deprecated = kp_get(v, "deprecated");
    const kp_value *id = kp_int(a, t->brokers[i]->id);

    if (t->problem[i])
        return kp_map(a, "node", id, "problem", kp_text(a, t->problem[i]), NULL);
    return kp_map(a, "node", id, "evidence",
                  kp_textf(a, "socket-server-metrics%s, by JmxTool of %s",
                           deprecated ? " and DeprecatedRequestsPerSec" : "",
                           kp_get_text(v, "release", "?")),
                  "clients", clients_of(t, i), "deprecated", deprecated, NULL);
}

static kp_err *clients_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    audit t = ask(s);
    kp_builder list = kp_list_begin(s->a);
    (void)args;

    for (size_t i = 0; i < t.n; i++)
        if (!t.problem[i])
            add_opened(&t, t.replies[i].value);
    for (size_t i = 0; i < t.n; i++)
        kp_list_add(&list, broker_value(&t, i));
    *ret_v = kp_list_end(&list);
    return NULL;
}

static const kp_answer_field broker_clients_answer[] = {
    { "node", "integer", "the broker's id" },
    { "problem", "string?",
      "why nothing is known of it, one line; then there is no other field: it may have any "
      "client" },
    { "evidence", "string?", "which of its metrics said so, and by what they were read" },
    { "clients",
      "{ name: string, version: string, connections: integer, listener: string, maybe_brokers: "
      "boolean? }[]?",
      "what is connected now, by name; name and version are what the client tells, and both "
      "\"unknown\" when it tells none: it is older than KIP-511 (Java 2.4).  maybe_brokers: a "
      "broker does not answer, and these may be its own" },
    { "deprecated",
      "{ request: string, version: integer, name: string, client_version: string, count: integer "
      "}[]?",
      "requests that 4.0 no longer takes, seen since the broker started, by client; nil: this "
      "broker does not count them (before 3.7)" },
};

const kp_op kp_op_clients = {
    .name = "clients",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "Who is connected to each broker, with what software, by the broker's own metrics.\n"
           "They are read on its host, by jcmd of its Java and JmxTool of its release, as the user "
           "that Kafka runs as.\n"
           "Without the connections of kplay, and of brokers and controllers among themselves; "
           "those of a broker with a problem stay, as \"unknown\".\n"
           "A client that is not connected now is not seen.",
    .result = "kplay.broker_clients[]",
    KP_ANSWERS(broker_clients_answer),
    .example = "#clients()",
    .read = clients_read,
};
