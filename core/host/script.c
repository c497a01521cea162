/* Scripts: how an act becomes text for a shell, and what the shell says becomes values.
 *
 * A script is variables, then functions, then a body.  Everything that is not written in this
 * program reaches it as a variable, through one quoting function; no value is ever pasted into the
 * text of a command.  The bodies are POSIX sh and use what every Linux host has: coreutils, awk,
 * sed, grep, flock and setsid; what is not put together here stands in sh/.
 *
 * A script answers in lines, `key value`; what follows an empty line is bytes.  Its exit code says
 * which of few things happened (inner.h), so that "fenced" and "refused" are the same words
 * everywhere.
 */
#include "host/inner.h"

#include <stdio.h>
#include <string.h>

enum { LINES_LIMIT = 20000, COMPONENT_LIMIT = 200 };

/* ---- quoting ---- */

static void quote(kp_buf *b, const char *p, size_t n)
{
    kp_buf_chr(b, '\'');
    for (const char *end = p + n; p < end; p++) {
        if (*p == '\'')
            kp_buf_str(b, "'\\'");
        kp_buf_chr(b, *p);
    }
    kp_buf_chr(b, '\'');
}

void kp_quote(kp_buf *b, const char *word)
{
    quote(b, word, strlen(word));
}

void kp_quote_words(kp_buf *b, const char *words)
{
    for (const char *p = words + strspn(words, " "); *p;) {
        size_t n = strcspn(p, " ");
        quote(b, p, n);
        kp_buf_chr(b, ' ');
        p += n + strspn(p + n, " ");
    }
}

char *kp_host_quote(kp_arena *a, const char *word)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4 * strlen(word) + 2);
    kp_quote(&b, word);
    return kp_strdup(a, kp_buf_text(&b));
}

char *kp_path_name(kp_arena *a, const char *text)
{
    KP_AUTO_BUF b = KP_BUF_INIT(3 * strlen(text) + 1);
    for (const char *p = text; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("_-~", *p) || (*p == '.' && p != text);
        if (plain)
            kp_buf_chr(&b, *p);
        else
            kp_buf_fmt(&b, "%%%02X", (unsigned)(unsigned char)*p);
    }
    if (b.n <= COMPONENT_LIMIT)
        return kp_strdup(a, kp_buf_text(&b));
    return kp_printf(a, "%.100s-%s", b.p, kp_sha256_hex(a, text, strlen(text)));
}

/* ---- building ---- */

void kp_script_add(kp_script *s, const char *text)
{
    kp_buf_str(&s->text, text);
}

void kp_script_set(kp_script *s, const char *name, const char *value)
{
    kp_buf_fmt(&s->text, "%s=", name);
    kp_quote(&s->text, value ? value : "");
    kp_buf_chr(&s->text, '\n');
}

void kp_script_set_int(kp_script *s, const char *name, int64_t value)
{
    kp_buf_fmt(&s->text, "%s=%" PRId64 "\n", name, value);
}

void kp_script_become(kp_script *s, const kp_host *h, kp_host_as as)
{
    kp_buf_str(&s->text, "files() { ");
    if (as == KP_AS_LOGIN && *h->spec.become_files) {
        /* One command for sudo to allow, whatever is done by it. */
        kp_quote_words(&s->text, h->spec.become_files);
        kp_buf_str(&s->text, "/bin/sh -c '\"$@\"' sh ");
    }
    kp_buf_str(&s->text, "\"$@\"; }\nservice() { ");
    if (as == KP_AS_LOGIN)
        kp_quote_words(&s->text, h->spec.become_service);
    kp_buf_str(&s->text, "\"$@\"; }\n");
}

/* {current}, {config}, {log} and {id}; other braces stand. */
static void replace_names(kp_buf *b, const kp_host *h, const char *word)
{
    char id[24];
    snprintf(id, sizeof id, "%d", h->spec.node_id);
    const char *names[][2] = {
        { "{current}", h->spec.layout.current },
        { "{config}", h->spec.layout.config },
        { "{log}", h->spec.layout.log },
        { "{id}", id },
    };
    while (*word) {
        size_t i = 0;
        while (i < KP_COUNT(names) && !kp_starts_with(word, names[i][0]))
            i++;
        if (i == KP_COUNT(names)) {
            kp_buf_chr(b, *word++);
            continue;
        }
        kp_buf_str(b, names[i][1]);
        word += strlen(names[i][0]);
    }
}

void kp_script_command(kp_script *s, const kp_host *h, const char *name, const char *runner,
                       const kp_value *argv)
{
    kp_buf_fmt(&s->text, "%s() { %s ", name, kp_len(argv) ? runner : ":");
    for (size_t i = 0; i < kp_len(argv); i++) {
        KP_AUTO_BUF word = KP_BUF_INIT(64 << 10);
        replace_names(&word, h, kp_as_text(kp_at(argv, i), ""));
        kp_quote(&s->text, kp_buf_text(&word));
        kp_buf_chr(&s->text, ' ');
    }
    kp_buf_str(&s->text, "; }\n");
}

void kp_script_layout(kp_script *s, const kp_host *h)
{
    const kp_host_layout *l = &h->spec.layout;
    kp_script_set(s, "unit", h->spec.service.unit);
    kp_script_set(s, "current", l->current);
    kp_script_set(s, "releases", l->releases);
    kp_script_set(s, "before", h->release_before);
    kp_script_set(s, "after", h->release_after);
    kp_script_set(s, "config", l->config);
    kp_script_set(s, "log", l->log);
}

static void note_wrong(kp_script *s, const char *what)
{
    if (!s->wrong)
        s->wrong = kp_err_new(KP_INTERNAL, "report it, with the command line", "%s", what);
}

/* A word that may stand in acts.log: printable, no blanks. */
static bool is_word(const char *text)
{
    size_t n = text ? strlen(text) : 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] == 0x7f)
            return false;
    return n > 0 && n <= KP_HOST_OP_ID_LIMIT;
}

void kp_script_cluster(kp_script *s, const kp_host *h, const char *cluster)
{
    KP_AUTO_ARENA a = kp_arena_new("cluster directory", 64 << 10);
    if (!is_word(cluster)) {
        note_wrong(s, "a host was asked to act for no cluster");
        return;
    }
    if (!*h->spec.layout.state) {
        if (!s->wrong)
            s->wrong = kp_err_new(KP_CONFIG, "set layout.releases or layout.state",
                                  "%s: kplay has no directory on this host", h->spec.name);
        return;
    }
    kp_script_set(s, "state",
                  kp_printf(a, "%s/%s", h->spec.layout.state, kp_path_name(a, cluster)));
}

void kp_script_op(kp_script *s, const kp_host *h, const kp_host_op *op)
{
    KP_AUTO_ARENA a = kp_arena_new("op", 64 << 10);
    kp_script_cluster(s, h, op->cluster);
    if (!is_word(op->id)) {
        note_wrong(s, "an op id is empty, too long or has blanks");
        return;
    }
    kp_script_set_int(s, "epoch", op->epoch);
    kp_script_set(s, "op", op->id);
    kp_script_set(s, "opname", kp_path_name(a, op->id));
    kp_script_add(s, "claim=$state/op/$opname\n");
}

/* ---- reading the answer ---- */

const char *kp_said_get(const kp_said *s, const char *key)
{
    for (size_t i = 0; i < s->n; i++)
        if (kp_streq(s->keys[i], key))
            return s->values[i];
    return NULL;
}

bool kp_said_int(const char *text, int64_t *ret_i)
{
    if (!text || !*text)
        return false;
    uint64_t v = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || v > (uint64_t)INT64_MAX / 10 - 1)
            return false;
        v = v * 10 + (uint64_t)(*p - '0');
    }
    *ret_i = (int64_t)v;
    return true;
}

static void read_said(kp_arena *a, const char *p, size_t n, kp_said *s)
{
    size_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += p[i] == '\n';
    if (lines > LINES_LIMIT)
        lines = LINES_LIMIT;
    s->keys = KP_NEW_ARRAY(a, lines + 1, const char *);
    s->values = KP_NEW_ARRAY(a, lines + 1, const char *);
    const char *end = p + n;
    while (p < end && s->n < lines) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl)
            break;
        if (nl == p) {
            p++;
            break;
        }
        const char *blank = memchr(p, ' ', (size_t)(nl - p));
        const char *key_end = blank ? blank : nl;
        s->keys[s->n] = kp_strndup(a, p, (size_t)(key_end - p));
        s->values[s->n] = blank ? kp_strndup(a, blank + 1, (size_t)(nl - blank - 1)) : "";
        s->n++;
        p = nl + 1;
    }
    s->rest = p;
    s->rest_n = (size_t)(end - p);
}

kp_err *kp_decode_texts(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    (void)h;
    kp_builder b = kp_map_begin(a);
    for (size_t i = 0; i < s->n; i++)
        kp_map_add(&b, s->keys[i], kp_text(a, s->values[i]));
    *ret_v = kp_map_end(&b);
    return NULL;
}

/* ---- running ---- */

typedef struct call {
    kp_host *h;
    kp_arena *a;
    kp_decode decode;
    kp_host_fn fn;
    void *ud;
} call;

static kp_err *fenced(kp_arena *a, const kp_said *s)
{
    const char *text = kp_said_get(s, "fenced");
    const char *blank = text ? strchr(text, ' ') : NULL;
    if (!blank)
        return kp_err_new(KP_REFUSED, "look at the state directory on the host", "fenced");
    const char *epoch = kp_strndup(a, text, (size_t)(blank - text)), *holder = blank + 1;
    if (kp_streq(epoch, "0"))
        return kp_err_new(KP_REFUSED, "kplay resume raises the fence before it acts",
                          "fenced: no kplay has taken this host over for this cluster");
    if (kp_starts_with(holder, "-"))
        return kp_err_new(KP_REFUSED, "kplay resume raises the fence again before it acts",
                          "fenced: nobody holds this host since %s gave it back at %s",
                          kp_starts_with(holder, "- ") ? holder + 2 : "its holder", epoch);
    kp_err *e = kp_err_new(KP_REFUSED, "wait", "fenced by %s at %s", holder, epoch);
    return kp_err_next(e,
                       "only that run may act now; when it is gone for good: kplay resume "
                       "--take-over %s --reason TEXT",
                       holder);
}

/* The first line of stderr, for a person; "" when there is none. */
static const char *first_line(kp_arena *a, const char *err)
{
    size_t n = strcspn(err, "\n");
    return kp_printable(a, err, n < 300 ? n : 300);
}

/* Whether it is certain that nothing was done: a script that says no has ended, and says it before
 * it acts or because what it tried was not let. */
static bool says_no(int64_t rc)
{
    return rc == SCRIPT_FENCED || rc == SCRIPT_REFUSED || rc == SCRIPT_BUSY || rc == SCRIPT_FAILED;
}

static kp_err *read_failure(kp_arena *a, int64_t rc, const kp_said *s)
{
    const char *err = first_line(a, s->err);
    const char *words;
    switch (rc) {
    case SCRIPT_FENCED:
        return fenced(a, s);
    case SCRIPT_REFUSED:
        words = kp_said_get(s, "refused");
        return kp_err_new(KP_REFUSED, "look at the host again: it is not as it was",
                          "refused: %s", words ? words : "no reason given");
    case SCRIPT_BUSY:
        return kp_err_retriable(kp_err_new(KP_HOST,
                                           "see what holds the lock file in the state directory",
                                           "another act on this host holds its lock%s%s",
                                           *err ? ": " : "", err));
    case SCRIPT_FAILED:
        words = kp_said_get(s, "failed");
        return kp_err_new(KP_HOST, "kplay cluster check shows what this user may not do",
                          "%s%s%s", words ? words : "it failed", *err ? ": " : "", err);
    default:
        return kp_err_new(KP_HOST, "kplay cluster check shows what this user may not do",
                          "a script ended with exit code %" PRId64 "%s%s", rc, *err ? ": " : "",
                          err);
    }
}

static void on_answer(void *ud, kp_err *err, const kp_value *v)
{
    call *c = ud;
    const kp_value *result = NULL;
    if (!err) {
        const kp_value *out = kp_get(v, "out");
        kp_said s = { .err = kp_get_text(v, "err", "") };
        read_said(c->a, out->u.s, out->n, &s);
        int64_t rc = kp_get_int(v, "rc", -1);
        err = rc ? read_failure(c->a, rc, &s) : c->decode(c->h, c->a, &s, &result);
        if (says_no(rc))
            err = kp_err_certain(err);
        if (err && !*err->where)
            err = kp_err_at(err, "%s", c->h->spec.name);
    }
    c->fn(c->ud, err, err ? NULL : result);
}

kp_ticket kp_script_go(kp_host *h, kp_arena *a, kp_script *s, const kp_script_run *run,
                       kp_host_fn fn, void *ud)
{
    if (s->text.overflow)
        note_wrong(s, "a script is too long");
    if (s->wrong) {
        kp_err *wrong = s->wrong;
        kp_buf_done(&s->text);
        s->wrong = NULL;
        return kp_exec_wrong(h, a, wrong, fn, ud);
    }
    call *c = KP_NEW(a, call);
    *c = (call){ .h = h, .a = a, .decode = run->decode, .fn = fn, .ud = ud };
    KP_AUTO_BUF whole = KP_BUF_INIT(KP_HOST_SCRIPT_LIMIT);
    kp_buf_str(&whole, kp_sh_basics);
    kp_buf_add(&whole, s->text.p, s->text.n);
    kp_buf_done(&s->text);
    kp_host_command command = {
        .script = kp_buf_text(&whole),
        .input = run->input,
        .input_n = run->input_n,
        .as = run->as,
        .deadline = run->deadline,
    };
    return kp_host_exec(h, a, &command, on_answer, c);
}
