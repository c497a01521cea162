/* A properties file in KafkaConfig's meaning.
 *
 * The traps are in what Kafka does not do: it trims no text in the file but every value it parses;
 * an empty log.dirs is not an absent one, an empty process.roles is; a `#` behind a value belongs
 * to the value.  What Kafka would refuse at its start is a problem that `stops`; what it takes in
 * another way than its author may have meant is a problem that does not.
 */
#include "cluster/server_config.h"

#include "cluster/inventory.h"
#include "cluster/properties.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define IBP "inter.broker.protocol.version"
#define MIGRATION "zookeeper.metadata.migration.enable"
#define BEHIND_COMMAND_LINE 0 /* a property's line number for an override */

/* The keys this file gives a meaning to. */
static const char *const watched[] = {
    "node.id", "broker.id", "process.roles", "log.dirs", "log.dir", "metadata.log.dir", IBP,
    "listeners", "controller.quorum.voters", "controller.quorum.bootstrap.servers", MIGRATION,
    "broker.id.generation.enable", "reserved.broker.max.id",
};

typedef struct reading {
    kp_arena *a;
    const kp_config_source *from;
    kp_server_config *c;
    kp_property *line; /* the file's lines, then the overrides */
    size_t n_lines, n_in_file;
    kp_buf problems;
    uint32_t too_many;
} reading;

static bool is_watched(const char *key)
{
    for (size_t i = 0; i < KP_COUNT(watched); i++)
        if (kp_streq(key, watched[i]))
            return true;
    return false;
}

/* By name, for keys of any plugin or provider; Kafka's own of type PASSWORD are among them. */
bool kp_config_key_is_secret(const char *key)
{
    static const char *const words[] = { "password",     "passphrase", "passwd",
                                         "secret",       "jaas",       "ssl.key",
                                         "keystore.key", "credential", "token",
                                         "master.key",   "access.key", "private.key",
                                         "api.key" };
    if (kp_ends_with(key, ".ms")) /* delegation.token.max.lifetime.ms */
        return false;
    if (kp_ends_with(key, ".url")) /* sasl.oauthbearer.token.endpoint.url */
        return false;
    for (size_t i = 0; i < KP_COUNT(words); i++)
        if (strcasestr(key, words[i]))
            return true;
    return false;
}

/* ---- problems ---- */

static void add_problem(reading *r, kp_config_problem p)
{
    if (r->c->n_problems == KP_CONFIG_PROBLEMS) {
        r->too_many++;
        return;
    }
    r->c->n_problems++;
    kp_buf_add(&r->problems, &p, sizeof p);
}

static void stops(reading *r, const char *key, const char *what, const char *next)
{
    add_problem(r, (kp_config_problem) { .key = key, .what = what, .next = next, .stops = true });
}

static void find(reading *r, const char *key, const char *what, const char *next)
{
    add_problem(r, (kp_config_problem) { .key = key, .what = what, .next = next });
}

static void problems_end(reading *r)
{
    kp_server_config *c = r->c;
    c->problem = KP_NEW_ARRAY(r->a, c->n_problems + 1, kp_config_problem);
    memcpy(c->problem, kp_buf_text(&r->problems), r->problems.n);
    if (r->too_many)
        c->problem[c->n_problems - 1] = (kp_config_problem) {
            .key = "",
            .what = kp_printf(r->a, "and %u more problems", r->too_many + 1),
            .next = "correct those that are named first",
        };
    kp_buf_done(&r->problems);
}

const kp_value *kp_config_problems_value(kp_arena *a, const kp_server_config *c)
{
    kp_builder list = kp_list_begin(a);
    for (uint32_t i = 0; i < c->n_problems; i++) {
        const kp_config_problem *p = &c->problem[i];
        kp_list_add(&list, kp_map(a, "key", kp_text(a, p->key), "what", kp_text(a, p->what),
                                  "next", kp_text(a, p->next), "stops", kp_bool(p->stops), NULL));
    }
    return kp_list_end(&list);
}

/* ---- values ---- */

/* String.trim: everything up to the blank goes, at both ends. */
static char *trimmed(kp_arena *a, const char *p, size_t n)
{
    while (n > 0 && (unsigned char)*p <= ' ') {
        p++;
        n--;
    }
    while (n > 0 && (unsigned char)p[n - 1] <= ' ')
        n--;
    return kp_strndup(a, p, n);
}

const char *kp_server_config_text(kp_arena *a, const kp_server_config *c, const char *key)
{
    const kp_value *v = kp_get(c->values, key);
    return v ? trimmed(a, v->u.s, v->n) : NULL;
}

static const char *text_of(const reading *r, const char *key)
{
    return kp_server_config_text(r->a, r->c, key);
}

/* The parts between commas; `keep_empty` as a LIST of ConfigDef keeps them, else as parseCsvList
 * drops them.  An empty text has none. */
static const kp_value *parts_of(kp_arena *a, const char *text, bool keep_empty)
{
    kp_builder list = kp_list_begin(a);
    for (const char *p = text && *text ? text : NULL; p;) {
        size_t n = strcspn(p, ",");
        const char *part = trimmed(a, p, n);
        if (*part || keep_empty)
            kp_list_add(&list, kp_text(a, part));
        p = p[n] ? p + n + 1 : NULL;
    }
    return kp_list_end(&list);
}

/* Integer.parseInt. */
static bool int_of(const char *text, int *ret_i)
{
    char *end;
    const char *digits = text + (*text == '-' || *text == '+');
    if (*digits < '0' || *digits > '9' || strlen(digits) > 20)
        return false;
    long long v = strtoll(text, &end, 10);
    if (*end || v < INT32_MIN || v > INT32_MAX)
        return false;
    *ret_i = (int)v;
    return true;
}

/* A boolean of ConfigDef. */
static bool flag_of(reading *r, const char *key, bool otherwise)
{
    const char *text = text_of(r, key);
    if (!text)
        return otherwise;
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
        return strcasecmp(text, "true") == 0;
    stops(r, key, kp_printf(r->a, "%s=%s is neither true nor false", key, text),
          "set it to true or false");
    return otherwise;
}

/* ---- lines ---- */

/* The words of the command line stand behind the file's lines; a word without '=' sets "". */
static void read_lines(reading *r)
{
    const kp_config_source *from = r->from;
    size_t n = from->n < KP_PROPERTIES_LIMIT ? from->n : KP_PROPERTIES_LIMIT;
    kp_property *file = kp_properties_lines(r->a, from->text, n, &r->n_in_file);
    if (n < from->n)
        find(r, "", "the file is longer than is read",
             "check that this is a server.properties");
    r->line = KP_NEW_ARRAY(r->a, r->n_in_file + kp_len(from->overrides) + 1, kp_property);
    memcpy(r->line, file, r->n_in_file * sizeof *file);
    r->n_lines = r->n_in_file;
    for (size_t i = 0; i < kp_len(from->overrides); i++) {
        const char *word = kp_as_text(kp_at(from->overrides, i), "");
        size_t key = strcspn(word, "=");
        if (*word)
            r->line[r->n_lines++] = (kp_property) {
                .key = kp_strndup(r->a, word, key),
                .value = kp_text(r->a, word[key] ? word + key + 1 : ""),
                .line = BEHIND_COMMAND_LINE,
            };
    }
    kp_builder values = kp_map_begin(r->a);
    for (size_t i = 0; i < r->n_lines; i++)
        kp_map_add(&values, r->line[i].key, r->line[i].value);
    r->c->values = kp_map_end(&values);
}

/* How many of the first n_lines set the IBP. */
static uint32_t times_set(const reading *r, size_t n_lines)
{
    uint32_t times = 0;
    for (size_t i = 0; i < n_lines; i++)
        times += kp_streq(r->line[i].key, IBP);
    return times;
}

static int by_key_and_line(const void *x, const void *y)
{
    const kp_property *a = *(const kp_property *const *)x, *b = *(const kp_property *const *)y;
    int keys = strcmp(a->key, b->key);
    return keys ? keys : (a->line > b->line) - (a->line < b->line);
}

/* n lines that set one key: "3 (3.4), 8 (3.7)", the values only of keys known to be no secrets. */
static const char *places_of(kp_arena *a, const kp_property *const *lines, size_t n)
{
    KP_AUTO_BUF b = KP_BUF_INIT(600);
    for (size_t i = 0; i < n; i++) {
        const kp_value *v = lines[i]->value;
        kp_buf_fmt(&b, "%s%zu", i ? ", " : "", lines[i]->line);
        if (is_watched(lines[i]->key))
            kp_buf_fmt(&b, " (%s)", kp_printable(a, v->u.s, v->n < 60 ? v->n : 60));
    }
    return kp_strdup(a, kp_buf_text(&b));
}

static void check_twice(reading *r)
{
    const kp_property **sorted = KP_NEW_ARRAY(r->a, r->n_in_file + 1, const kp_property *);
    for (size_t i = 0; i < r->n_in_file; i++)
        sorted[i] = &r->line[i];
    qsort(sorted, r->n_in_file, sizeof *sorted, by_key_and_line);
    for (size_t i = 0, n; i < r->n_in_file; i += n) {
        const char *key = sorted[i]->key;
        for (n = 1; i + n < r->n_in_file && kp_streq(sorted[i + n]->key, key);)
            n++;
        if (n > 1)
            find(r, key,
                 kp_printf(r->a, "%s is set %zu times, in lines %s; the last one counts",
                           kp_printable(r->a, key, strlen(key)), n,
                           places_of(r->a, sorted + i, n)),
                 "remove the lines that are not meant");
    }
}

static void check_spelling(reading *r, const char *key)
{
    for (size_t i = 0; i < KP_COUNT(watched); i++)
        if (strcasecmp(key, watched[i]) == 0 && !kp_streq(key, watched[i]))
            find(r, watched[i],
                 kp_printf(r->a, "%s is not %s: Kafka does not read it", key, watched[i]),
                 "write it in small letters, or remove the line");
}

/* The name of a provider whose ${name:...} is in the text; NULL when there is none. */
static const char *provider_in(kp_arena *a, const char *text)
{
    for (const char *at = strstr(text, "${"); at; at = strstr(at + 2, "${")) {
        const char *colon = strchr(at, ':'), *end = strchr(at, '}');
        if (colon && end && colon < end)
            return kp_strndup(a, at + 2, (size_t)(colon - at - 2));
    }
    return NULL;
}

static bool is_configured(const reading *r, const char *provider)
{
    const kp_value *names = parts_of(r->a, text_of(r, "config.providers"), false);
    for (size_t i = 0; i < kp_len(names); i++)
        if (kp_streq(kp_as_text(kp_at(names, i), ""), provider))
            return true;
    return false;
}

/* Whether a config provider gives the key's value, which kplay then does not know. */
static bool is_provided(const reading *r, const char *key)
{
    const char *text = text_of(r, key), *provider = text ? provider_in(r->a, text) : NULL;
    return provider && is_configured(r, provider);
}

static void check_value(reading *r, const char *key)
{
    const char *text = text_of(r, key), *provider = text ? provider_in(r->a, text) : NULL;
    if (!text)
        return;
    const char *shown = kp_printable(r->a, text, strlen(text) < 200 ? strlen(text) : 200);
    if (provider && is_configured(r, provider))
        find(r, key, kp_printf(r->a, "%s=%s: a config provider gives the value, kplay does not",
                               key, shown),
             "write the value itself into the file, so that it can be judged before a stop");
    else if (provider)
        find(r, key,
             kp_printf(r->a, "%s=%s: config.providers names no %s, so Kafka takes it as it stands",
                       key, shown, provider),
             "write the value itself into the file, or name the provider");
    if (strstr(text, " #"))
        find(r, key, kp_printf(r->a, "%s=%s: what follows # belongs to the value", key, shown),
             "put the comment on a line of its own");
    if (*text == '"' || *text == '\'')
        find(r, key, kp_printf(r->a, "%s=%s: the quotes belong to the value", key, shown),
             "remove the quotes");
}

static void check_lines(reading *r)
{
    static const char mark[] = "\xef\xbb\xbf";
    if (r->from->n >= 3 && memcmp(r->from->text, mark, 3) == 0)
        find(r, "", "the file begins with a byte order mark: Kafka does not read its first line",
             "save the file without it");
    check_twice(r);
    for (size_t i = 0; i < r->n_in_file; i++) {
        const kp_property *l = &r->line[i];
        check_spelling(r, l->key);
        if (l->bad_escape)
            stops(r, l->key,
                  kp_printf(r->a, "line %zu has a \\u without four hex digits: Kafka reads nothing",
                            l->line),
                  "write a backslash as \\\\");
        if (l->high_bytes && is_watched(l->key))
            find(r, l->key,
                 kp_printf(r->a, "line %zu has bytes beyond ASCII: Kafka reads them as ISO 8859-1, "
                                 "%s", l->line, kp_as_text(l->value, "")),
                 "write such a character as \\uXXXX");
    }
    for (size_t i = 0; i < KP_COUNT(watched); i++)
        check_value(r, watched[i]);
}

/* ---- meaning ---- */

/* Its roles; the mode follows from them.  A role that nobody knows leaves KRaft mode meant. */
static void read_roles(reading *r)
{
    kp_server_config *c = r->c;
    const kp_value *names = parts_of(r->a, text_of(r, "process.roles"), true);
    c->kraft = kp_len(names) > 0;
    c->roles = c->kraft ? 0 : KP_BROKER;
    if (is_provided(r, "process.roles"))
        return;
    for (size_t i = 0; i < kp_len(names); i++) {
        const char *name = kp_as_text(kp_at(names, i), "");
        unsigned role = kp_streq(name, "broker")       ? KP_BROKER
                        : kp_streq(name, "controller") ? KP_CONTROLLER
                                                       : 0;
        if (!role || (c->roles & role))
            stops(r, "process.roles",
                  kp_printf(r->a, "process.roles names %s", !role ? kp_printf(r->a, "\"%s\", which "
                            "is no role", kp_printable(r->a, name, strlen(name)))
                            : "a role twice"),
                  "set it to broker, controller or broker,controller");
        c->roles |= role;
    }
}

/* One id as it is written; INT_MIN stands for one that is absent or no number. */
#define NO_ID INT32_MIN
static int id_of(reading *r, const char *key)
{
    const char *text = text_of(r, key);
    int id = NO_ID;
    if (text && !is_provided(r, key) && !int_of(text, &id))
        stops(r, key, kp_printf(r->a, "%s=%s is no number", key,
                                kp_printable(r->a, text, strlen(text))),
              "set it to the node's id");
    return id;
}

/* The id in the log directories' meta.properties, or NO_ID. */
static int stored_id(reading *r)
{
    int stored = NO_ID;
    for (size_t i = 0; i < kp_len(r->from->meta_ids); i++) {
        int one = (int)kp_as_int(kp_at(r->from->meta_ids, i), NO_ID);
        if (stored != NO_ID && one != stored)
            stops(r, "log.dirs",
                  kp_printf(r->a, "the log directories belong to different nodes, %d and %d",
                            stored, one),
                  "find out which directory is this node's");
        stored = stored == NO_ID ? one : stored;
    }
    return stored;
}

static void check_id(reading *r, const char *key, int id, int stored)
{
    kp_server_config *c = r->c;
    int most = 1000;
    const char *limit = text_of(r, "reserved.broker.max.id");
    bool generates = flag_of(r, "broker.id.generation.enable", true);
    if (limit)
        int_of(limit, &most);
    if (c->kraft && id == NO_ID)
        stops(r, "node.id", "node.id is not set", "set node.id to the node's id");
    else if (c->kraft ? id < 0 : id != NO_ID && id < -1)
        stops(r, key, kp_printf(r->a, "%s=%d is no id", key, id), "set it to the node's id");
    else if (!c->kraft && !generates && id < 0)
        stops(r, "broker.id", "broker.id is not set, and broker.id.generation.enable is false",
              "set broker.id to the broker's id");
    else if (!c->kraft && generates && id > most)
        stops(r, key, kp_printf(r->a, "%s=%d is above reserved.broker.max.id, %d", key, id, most),
              "raise reserved.broker.max.id, or set broker.id.generation.enable=false");
    if (id >= 0 && stored != NO_ID && stored != id)
        stops(r, key,
              kp_printf(r->a, "%s=%d, and its log directories belong to node %d", key, id, stored),
              "find out which is right: Kafka starts with neither");
}

static void read_id(reading *r)
{
    kp_server_config *c = r->c;
    int node = id_of(r, "node.id"), broker = id_of(r, "broker.id"), stored = stored_id(r);
    if (node != NO_ID && broker != NO_ID && node != broker)
        stops(r, "node.id", kp_printf(r->a, "node.id=%d and broker.id=%d differ", node, broker),
              "remove the one that is not meant");
    bool by_node = node != NO_ID && (c->kraft || broker == NO_ID);
    const char *key = by_node ? "node.id" : "broker.id";
    int id = by_node ? node : broker;
    bool hidden = is_provided(r, "node.id") || is_provided(r, "broker.id");
    if (!hidden)
        check_id(r, key, id, stored);
    c->generated = !c->kraft && !hidden && id < 0;
    if (id < 0 && (c->generated || hidden))
        id = stored;
    c->has_id = id >= 0;
    c->node_id = id >= 0 ? id : 0;
}

static const char *absolute(const reading *r, const char *path)
{
    return *path == '/' || !r->from->cwd ? path : kp_printf(r->a, "%s/%s", r->from->cwd, path);
}

static void check_relative(reading *r, const char *key, const char *path)
{
    if (*path != '/' && !r->from->cwd)
        find(r, key,
             kp_printf(r->a, "%s: %s is below the directory that Kafka is started in", key,
                       kp_printable(r->a, path, strlen(path))),
             "write the whole path");
}

static void read_dirs(reading *r)
{
    kp_server_config *c = r->c;
    const char *key = kp_get(c->values, "log.dirs") ? "log.dirs" : "log.dir";
    const char *text = text_of(r, key), *meta = text_of(r, "metadata.log.dir");
    const kp_value *paths = parts_of(r->a, text ? text : "/tmp/kafka-logs", false);
    kp_builder dirs = kp_list_begin(r->a);
    c->dirs_known = !is_provided(r, key);
    c->metadata_known = !is_provided(r, "metadata.log.dir");
    if (kp_len(paths) == 0)
        stops(r, key,
              kp_printf(r->a, "%s is set to nothing, so that there is no log directory", key),
              "remove the line, or set it");
    for (size_t i = 0; c->dirs_known && i < kp_len(paths); i++) {
        const char *path = kp_as_text(kp_at(paths, i), "");
        check_relative(r, key, path);
        kp_list_add(&dirs, kp_text(r->a, absolute(r, path)));
    }
    c->log_dirs = kp_list_end(&dirs);
    if (meta && c->metadata_known) {
        check_relative(r, "metadata.log.dir", meta);
        c->metadata_dir = absolute(r, meta);
    }
}

/* MetadataVersion.fromVersionString: "3.4", "3.4-IV0", and anything behind a further dot. */
static bool is_ibp(const char *text)
{
    size_t major = strspn(text, "0123456789");
    const char *p = text + major;
    if (major == 0 || *p++ != '.')
        return false;
    size_t minor = strspn(p, "0123456789");
    p += minor;
    if (kp_starts_with(p, "-IV")) {
        size_t step = strspn(p + 3, "0123456789");
        p = step ? p + 3 + step : "?";
    }
    return minor > 0 && (!*p || *p == '.');
}

static void read_ibp(reading *r)
{
    kp_server_config *c = r->c;
    c->ibp = text_of(r, IBP);
    c->ibp_set = times_set(r, r->n_lines);
    if (c->ibp && !is_provided(r, IBP) && !is_ibp(c->ibp))
        stops(r, IBP, kp_printf(r->a, IBP "=%s is no version",
                                kp_printable(r->a, c->ibp, strlen(c->ibp))),
              "set it to a version, 3.9 for example");
    if (times_set(r, r->n_in_file) < c->ibp_set)
        find(r, IBP, "the command line sets " IBP ": what the file says of it has no effect",
             "take the --override out of the start command, and set it in the file");
}

const kp_server_config *kp_server_config_read(kp_arena *a, const kp_config_source *source)
{
    kp_server_config *c = KP_NEW(a, kp_server_config);
    reading r = { .a = a, .from = source, .c = c,
                  .problems = KP_BUF_INIT(KP_CONFIG_PROBLEMS * sizeof(kp_config_problem)) };
    *c = (kp_server_config) { 0 };
    read_lines(&r);
    check_lines(&r);
    read_roles(&r);
    read_id(&r);
    read_dirs(&r);
    read_ibp(&r);
    const char *listeners = text_of(&r, "listeners");
    c->migration = flag_of(&r, MIGRATION, false);
    c->listeners = parts_of(a, listeners ? listeners : "PLAINTEXT://:9092", false);
    c->voters = parts_of(a, text_of(&r, "controller.quorum.voters"), false);
    problems_end(&r);
    return c;
}

const char *kp_server_config_mode(const kp_server_config *c)
{
    return c->kraft ? "kraft" : "zookeeper";
}

const char *kp_server_config_roles(const kp_server_config *c)
{
    return c->roles == (KP_BROKER | KP_CONTROLLER) ? "broker,controller"
           : c->roles == KP_CONTROLLER             ? "controller"
           : c->roles == KP_BROKER                 ? "broker"
                                                   : "";
}
