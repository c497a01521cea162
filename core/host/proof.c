/* The proof of a file: the staged release is asked whether it would take the node's properties.
 *
 * `kafka.tools.StorageTool info -c FILE` is in every release from 2.8 on, in both modes.  The first
 * thing it does is what a broker does first: it builds KafkaConfig of the file.  Then it looks at
 * the log dirs and prints what it finds, which nobody here believes: "Found problem" and an exit
 * status of 1 come with legal files as well (a meta.properties of version 0, a directory that a
 * config provider names).  So the verdict is that of exceptions alone:
 *
 *     thrown while KafkaConfig was built           the release refuses the file
 *     UnsupportedClassVersionError                 it needs a newer Java
 *     a class of the release itself is missing     it is not whole
 *     all others, or what a config provider says   no verdict: the service may have what is
 *     outside of the service                       missing here
 *
 * It runs with the Java of the node's next start: JAVA_HOME of the unit, else the word that started
 * the process that runs now, looked up as kafka-run-class.sh would; and with the jars that this
 * process has besides those of its release.  It runs as the owner of Kafka's files, in a directory
 * that is removed afterwards, with loggers that write nothing; what a login sets for every Java
 * (JAVA_TOOL_OPTIONS: agents) is left out.
 */
#include "host/inner.h"

#include "cluster/properties.h"

#include <string.h>

enum { OUTPUT_LIMIT = 64 << 10, PROBLEM_LIMIT = 500, CLASSES_LIMIT = 64 << 10 };
#define LIMIT_DEFAULT KP_MINUTE /* of the tool, when the question has no deadline */
#define MARGIN (2 * KP_SECOND)  /* it is ended before nobody listens any more */

/* ---- the verdict ---- */

typedef struct verdict {
    const char *kind, *problem, *why;
    bool ran;
} verdict;

typedef struct told {
    kp_arena *a;
    const kp_said *s;
    const char *text;  /* what the tool printed */
    const char *error; /* in it: the exception that ended it, from its class on; NULL */
    bool by_launcher;  /* it is of the java program, before main */
} told;

/* From p to the end of its line, cleaned. */
static const char *line_at(kp_arena *a, const char *p)
{
    size_t n = strcspn(p, "\r\n");
    return kp_printable(a, p, n < PROBLEM_LIMIT ? n : PROBLEM_LIMIT);
}

/* The text behind `mark` where a line begins with it; NULL when none does. */
static const char *line_of(const char *text, const char *mark)
{
    for (const char *p = text; p && *p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (kp_starts_with(p, mark))
            return p + strlen(mark);
    }
    return NULL;
}

/* "17.0.12" or "1.8.0_402" of `openjdk version "17.0.12" 2024-07-16`. */
static const char *java_version(kp_arena *a, const char *text)
{
    const char *p = strstr(text, " version \"");
    if (!p)
        return NULL;
    p += strlen(" version \"");
    return kp_printable(a, p, strcspn(p, "\"\r\n"));
}

static int64_t java_major(const char *version)
{
    int64_t major = 0;
    if (kp_starts_with(version, "1."))
        version += 2;
    for (; *version >= '0' && *version <= '9' && major < 1000; version++)
        major = major * 10 + (*version - '0');
    return major;
}

/* A class that every release brings along, written with dots or slashes. */
static bool is_own_class(const char *name)
{
    static const char *const own[] = { "kafka.",  "org.apache.kafka.", "scala.",
                                       "kafka/",  "org/apache/kafka/", "scala/" };
    for (size_t i = 0; i < KP_COUNT(own); i++)
        if (kp_starts_with(name, own[i]))
            return true;
    return false;
}

static bool speaks_of_missing_class(const char *line)
{
    return strstr(line, "ClassNotFoundException") || strstr(line, " could not be found") ||
           strstr(line, "Could not load ");
}

/* "org.apache.kafka.common.config.ConfigException: words" without the package. */
static const char *without_package(const char *line)
{
    size_t n = strcspn(line, ": ");
    for (size_t i = n; i > 0; i--)
        if (line[i - 1] == '.')
            return line + i;
    return line;
}

static bool in_config(const told *t)
{
    return strstr(t->error, "\tat kafka.server.KafkaConfig") ||
           strstr(t->error, "\tat org.apache.kafka.common.config.") ||
           strstr(t->error, "java.util.Properties.load");
}

/* The file comes along when the tool spoke of a value that a provider could resolve. */
static bool has_providers(const told *t)
{
    KP_AUTO_BUF lines = KP_BUF_INIT(KP_HOST_FILE_LIMIT + 2);
    for (size_t i = 0; i < t->s->n; i++)
        if (kp_streq(t->s->keys[i], "line")) {
            kp_buf_str(&lines, t->s->values[i]);
            kp_buf_chr(&lines, '\n');
        }
    const kp_value *file = kp_properties_parse(t->a, kp_buf_text(&lines), lines.n);
    return *kp_get_text(file, "config.providers", "") != '\0';
}

static verdict config_verdict(const told *t)
{
    const char *line = line_at(t->a, t->error), *named = strstr(line, "value ");
    bool knows_classes = kp_said_get(t->s, "class_path") != NULL;
    named = named ? named + strlen("value ") : line + strcspn(line, " ");
    named += strspn(named, " ");

    if (strstr(t->error, ".resolveConfigVariables("))
        return (verdict) { .why = kp_printf(t->a, "a config provider may need the service: %s",
                                            line) };
    if (strstr(line, "${") && has_providers(t))
        return (verdict) { .why = kp_printf(t->a, "a value is not resolved outside of the service: "
                                                  "%s", line) };
    if (speaks_of_missing_class(line) && !knows_classes && !is_own_class(named))
        return (verdict) { .why = kp_printf(t->a, "the class path of the service is not known: %s",
                                            line) };
    return (verdict) { .ran = true, .kind = "config", .problem = without_package(line) };
}

static verdict exception_verdict(const told *t)
{
    static const char *const missing[] = { "java.lang.NoClassDefFoundError: ",
                                           "java.lang.ClassNotFoundException: " };
    const char *line = line_at(t->a, t->error);

    if (!t->by_launcher && in_config(t) && !kp_starts_with(line, missing[0]))
        return config_verdict(t);
    for (size_t i = 0; i < KP_COUNT(missing); i++)
        if (kp_starts_with(line, missing[i]) &&
            (t->by_launcher || is_own_class(line + strlen(missing[i]))))
            return (verdict) { .kind = "incomplete", .problem = without_package(line) };
    /* Past KafkaConfig: what it found on disk is for others. */
    if (strstr(t->error, "infoCommand"))
        return (verdict) { .ran = true };
    return (verdict) { .why = line };
}

/* The last line of the tool, for a person. */
static const char *last_words(kp_arena *a, const char *text)
{
    size_t n = strlen(text);
    while (n > 0 && strchr(" \t\r\n", text[n - 1]))
        n--;
    size_t begin = n;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    return n ? line_at(a, text + begin) : "it said nothing";
}

static verdict judge(told *t)
{
    const char *newer = strstr(t->text, "UnsupportedClassVersionError: ");
    const char *rc = kp_said_get(t->s, "rc");

    if (newer && kp_said_get(t->s, "guessed"))
        return (verdict) { .why = kp_printf(t->a, "which Java the service uses is not known: %s",
                                            line_at(t->a, newer)) };
    if (newer)
        return (verdict) { .kind = "java", .problem = line_at(t->a, newer) };
    t->error = line_of(t->text, "Exception in thread \"main\" ");
    if (!t->error && line_of(t->text, "Error: ")) {
        t->error = line_of(t->text, "Caused by: ");
        t->by_launcher = true;
    }
    if (t->error)
        return exception_verdict(t);
    if (line_of(t->text, "Found ") || kp_streq(rc, "0"))
        return (verdict) { .ran = true };
    if (kp_streq(rc, "124") || kp_streq(rc, "137"))
        return (verdict) { .why = "it was not ready in time" };
    return (verdict) { .why = last_words(t->a, t->text) };
}

/* ---- what is told beside the verdict ---- */

/* Every value of a key, in order. */
static const kp_value *all_of(kp_arena *a, const kp_said *s, const char *key)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; i < s->n; i++)
        if (kp_streq(s->keys[i], key))
            kp_list_add(&list, kp_text(a, line_at(a, s->values[i])));
    return kp_list_end(&list);
}

static const kp_value *with_classes(kp_arena *a, const kp_said *s, const kp_value *v)
{
    if (!kp_said_get(s, "classes"))
        return v;
    bool known = kp_said_get(s, "class_path") && !kp_said_get(s, "class_path_unread");
    v = kp_map_with(a, v, "classes_missing", all_of(a, s, "class_missing"));
    return kp_map_with(a, v, "class_path_known", kp_bool(known));
}

static const kp_value *with_process(kp_arena *a, const kp_said *s, const kp_value *v)
{
    const char *why = kp_said_get(s, "jvm_why"), *log4j = kp_said_get(s, "log4j");
    v = kp_map_with(a, v, "jvm_tried", kp_bool(kp_said_get(s, "jvm_tried") != NULL));
    v = kp_map_with(a, v, "jvm_refused", all_of(a, s, "jvm_refused"));
    if (why)
        v = kp_map_with(a, v, "jvm_why", kp_text(a, line_at(a, why)));
    return log4j ? kp_map_with(a, v, "log4j", kp_text(a, line_at(a, log4j))) : v;
}

static kp_err *decode(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    (void)h;
    told t = { .a = a, .s = s, .text = kp_strndup(a, s->rest, s->rest_n) };
    verdict v = { .kind = kp_said_get(s, "kind"),
                  .problem = kp_said_get(s, "problem"),
                  .why = kp_said_get(s, "why") };
    if (!v.kind && !v.why)
        v = judge(&t);
    const char *java = java_version(a, t.text);
    int64_t major = java ? java_major(java) : 0;
    const kp_value *all = kp_map(a, "ran", kp_bool(v.ran), "kind", kp_text(a, v.kind), "problem",
                                 kp_text(a, v.problem), "why", kp_text(a, v.why), "java",
                                 kp_text(a, java), "java_major", major ? kp_int(a, major) : NULL,
                                 "java_path", kp_text(a, kp_said_get(s, "java_path")),
                                 "file_sha256", kp_text(a, kp_said_get(s, "file_sha256")),
                                 "release_dir", kp_text(a, kp_said_get(s, "release_dir")), NULL);
    *ret_v = with_process(a, s, with_classes(a, s, all));
    return NULL;
}

/* StorageTool came with 2.8 (KIP-631). */
static bool has_tool(kp_version v)
{
    return v.major > 2 || (v.major == 2 && v.minor >= 8);
}

/* Lines "NAME PATH". */
static void set_classes(kp_script *s, const kp_value *classes)
{
    KP_AUTO_BUF lines = KP_BUF_INIT(CLASSES_LIMIT);
    for (size_t i = 0; i < kp_len(classes); i++) {
        const kp_value *one = kp_at(classes, i);
        kp_buf_fmt(&lines, "%s %s\n", kp_get_text(one, "class", ""), kp_get_text(one, "path", ""));
    }
    if (lines.overflow && !s->wrong)
        s->wrong = kp_err_new(KP_CONFIG, "name fewer of them in server.properties",
                              "%zu classes are more than are looked for", kp_len(classes));
    kp_script_set(s, "classes", kp_buf_text(&lines));
}

kp_ticket kp_host_proof(kp_host *h, kp_arena *a, const kp_host_proving *q, kp_host_fn fn, void *ud)
{
    const char *version = q->version;
    kp_ms deadline = q->deadline;
    kp_script s = KP_SCRIPT_INIT;
    kp_version parsed = { 0 };
    if (!kp_version_parse(version, &parsed))
        s.wrong = kp_err_new(KP_INTERNAL, "report it, with the command line",
                             "no such version: %s", version);
    kp_ms limit = deadline == KP_NEVER ? LIMIT_DEFAULT : deadline - kp_mono_now();
    limit = limit > 2 * MARGIN ? limit - MARGIN : MARGIN;
    kp_script_layout(&s, h);
    kp_script_set(&s, "version", version);
    kp_script_set(&s, "has_tool", has_tool(parsed) ? "yes" : "");
    kp_script_set_int(&s, "limit", limit / KP_SECOND);
    kp_script_set_int(&s, "most", OUTPUT_LIMIT);
    kp_script_set(&s, "awk_options", kp_awk_options);
    set_classes(&s, q->classes);
    kp_script_become(&s, h, KP_AS_FILES);
    kp_script_process(&s, h);
    kp_script_add(&s, kp_sh_proof_functions);
    kp_script_add(&s, kp_sh_proof);
    kp_script_run run = { .as = KP_AS_FILES, .deadline = deadline, .decode = decode };
    return kp_script_go(h, a, &s, &run, fn, ud);
}
