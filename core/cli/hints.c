/* Hints: every command that a message names, as it has to be typed here.
 *
 * The rooms below do not know how this process was called.  They write `kplay resume`, `kplay
 * approve RUN`, `kplay cluster check`; before a text is shown, each `kplay COMMAND` in it gets
 *
 *   the options by which this cluster and its runs are found (-c FILE, --demo, --runs DIR), when
 *       the command takes them and the text has none;
 *   the run's name, where the command is about one and the text says none, or RUN;
 *   and `kplay resume` of a run that cannot be resumed (closed for good, or there is none) becomes
 *       the command line that was typed, or, when that was another than `kplay run`, the one that
 *       begins such a run again.
 *
 * One process is one command: what is known of it stands in one place, set as it becomes known.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HINT_LIMIT (64u * 1024)

static struct {
    const char *typed; /* the whole command line */
    const char *again; /* the command that begins such a run again; NULL: what was typed */
    const char *demo, *cluster, *runs; /* " -c FILE"; "" when not needed */
    bool rehearsal;
    char run[KP_RUN_NAME_LIMIT + 1]; /* "": none */
    bool resumable;
} here = { .typed = "kplay", .demo = "", .cluster = "", .runs = "" };

/* As a POSIX shell takes it for one word. */
static const char *quoted(kp_arena *a, const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./:@%+=,-";
    if (*s && strspn(s, plain) == strlen(s))
        return s;
    KP_AUTO_BUF b = KP_BUF_INIT(HINT_LIMIT);
    kp_buf_chr(&b, '\'');
    for (; *s; s++)
        if (*s == '\'')
            kp_buf_str(&b, "'\\''");
        else
            kp_buf_chr(&b, *s);
    kp_buf_chr(&b, '\'');
    return kp_strdup(a, kp_buf_text(&b));
}

void kp_hint_line(kp_arena *a, const kp_line *line, int argc, char **argv)
{
    const char *file = kp_opt(line, "cluster"), *runs = kp_opt(line, "runs");
    KP_AUTO_BUF b = KP_BUF_INIT(HINT_LIMIT);

    kp_buf_str(&b, "kplay");
    for (int i = 1; i < argc; i++)
        kp_buf_fmt(&b, " %s", quoted(a, argv[i]));
    here.typed = kp_strdup(a, kp_buf_text(&b));
    here.rehearsal = kp_flag(line, "dry-run");
    here.demo = kp_flag(line, "demo") ? " --demo" : "";
    if (!file)
        file = getenv("KPLAY_CLUSTER");
    if (!*here.demo && file && *file && !kp_streq(file, "kplay.yaml"))
        here.cluster = kp_printf(a, " -c %s", quoted(a, file));
    if (runs)
        here.runs = kp_printf(a, " --runs %s", quoted(a, runs));
}

void kp_hint_run(const char *run, bool resumable)
{
    snprintf(here.run, sizeof here.run, "%s", run);
    here.resumable = resumable && !here.rehearsal;
}

/* As it was given on the command line: "--skip 1,2". */
static void add_given(kp_arena *a, kp_buf *b, const char *name, const kp_value *v)
{
    KP_AUTO_BUF text = KP_BUF_INIT(HINT_LIMIT);
    for (size_t i = 0; v->type == KP_LIST && i < v->n; i++)
        kp_buf_fmt(&text, "%s%s", i ? "," : "", kp_json_text(a, kp_at(v, i)));
    if (v->type != KP_LIST)
        kp_buf_str(&text, kp_as_text(v, kp_json_text(a, v)));
    kp_buf_fmt(b, " --%s %s", name, quoted(a, kp_buf_text(&text)));
}

void kp_hint_again(kp_arena *a, const kp_value *open)
{
    const char *playbook = kp_get_text(open, "playbook", NULL);
    const kp_value *args = kp_get(open, "args"), *origin = kp_get(open, "origin");
    KP_AUTO_BUF b = KP_BUF_INIT(HINT_LIMIT);

    if (!playbook)
        return;
    kp_buf_fmt(&b, "kplay run%s%s%s %s", here.demo, here.cluster, here.runs, quoted(a, playbook));
    for (uint32_t i = 0; i < kp_len(args); i++) {
        const kp_value *v = args->u.items[i];
        bool empty = v->type == KP_LIST && v->n == 0;
        if (!empty && kp_starts_with(kp_get_text(origin, args->keys[i], "--"), "--"))
            add_given(a, &b, args->keys[i], v);
    }
    here.again = kp_strdup(a, kp_buf_text(&b));
}

/* ---- one command in a text ---- */

static const kp_command *command_at(const char *p, size_t *ret_n)
{
    *ret_n = strspn(p, "abcdefghijklmnopqrstuvwxyz-");
    for (size_t i = 0; kp_commands[i]; i++)
        if (strlen(kp_commands[i]->name) == *ret_n && strncmp(kp_commands[i]->name, p, *ret_n) == 0)
            return kp_commands[i];
    return NULL;
}

static bool takes(const kp_command *c, const char *option)
{
    for (const kp_option *o = c->options; o->name; o++)
        if (kp_streq(o->name, option))
            return true;
    return false;
}

/* "1124-7f3a" or "RUN"; its length, 0 when no run's name stands there. */
static size_t run_at(const char *p)
{
    size_t digits = strspn(p, "0123456789"), hex;
    if (kp_starts_with(p, "RUN") && !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", p[3] ? p[3] : ' '))
        return 3;
    if (digits != 4 || p[4] != '-')
        return 0;
    hex = strspn(p + 5, "0123456789abcdef");
    return hex == 4 ? 9 : 0;
}

/* The text of this command goes up to a bar, a semicolon, a wide gap or the line's end. */
static bool finds_its_cluster(const char *p)
{
    size_t n = strcspn(p, "|;\n");
    const char *gap = strstr(p, "   ");
    if (gap && (size_t)(gap - p) < n)
        n = (size_t)(gap - p);
    for (size_t i = 0; i < n; i++)
        if (kp_starts_with(p + i, " --demo") || kp_starts_with(p + i, " -c "))
            return true;
    return false;
}

static void add_options(kp_buf *b, const kp_command *c, const char *rest)
{
    if (finds_its_cluster(rest))
        return;
    kp_buf_str(b, takes(c, "demo") ? here.demo : "");
    kp_buf_str(b, takes(c, "cluster") ? here.cluster : "");
    kp_buf_str(b, takes(c, "runs") ? here.runs : "");
}

/* The command c, of which `p` is what stands after its name; gives back what is left. */
static const char *add_command(kp_buf *b, const kp_command *c, const char *p)
{
    bool resume = c == &kp_cmd_resume;
    bool of_run = resume || c == &kp_cmd_approve || c == &kp_cmd_settle;
    size_t sub = c->actions && *p == ' ' ? 1 + strcspn(p + 1, " |;,:\n") : 0;
    size_t n = p[sub] == ' ' ? run_at(p + sub + 1) : 0;
    bool named = n > 3, other = named && strncmp(p + sub + 1, here.run, n) != 0;

    if (resume && !here.resumable && !other) {
        kp_buf_str(b, here.again ? here.again : here.typed);
        return p + (n ? 1 + n : 0);
    }
    kp_buf_fmt(b, "kplay %s", c->name);
    kp_buf_add(b, p, sub);
    add_options(b, c, p);
    if (!named && *here.run && (of_run || n)) {
        kp_buf_fmt(b, " %s", here.run);
        return p + sub + (n ? 1 + n : 0);
    }
    return p + sub;
}

char *kp_hint(kp_arena *a, const char *text)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4 * HINT_LIMIT);
    const char *p = text, *hit;

    while ((hit = strstr(p, "kplay ")) != NULL) {
        size_t n;
        const kp_command *c = command_at(hit + 6, &n);
        bool word = hit == text || !strchr("abcdefghijklmnopqrstuvwxyz/-.", hit[-1]);
        kp_buf_add(&b, p, (size_t)(hit - p));
        if (!c || !word) {
            kp_buf_str(&b, "kplay ");
            p = hit + 6;
        } else {
            p = add_command(&b, c, hit + 6 + n);
        }
    }
    kp_buf_str(&b, p);
    return kp_strdup(a, kp_buf_text(&b));
}

char *kp_hint_of(kp_arena *a, const kp_value *about, const char *text)
{
    if (kp_get(about, "run"))
        kp_hint_run(kp_get_text(about, "run", ""), !kp_get_bool(about, "closed", false));
    return kp_hint(a, text);
}

int kp_cli_fail(kp_err *e, bool json)
{
    KP_AUTO_ARENA a = kp_arena_new("hint", (size_t)4 << 20);
    int code = kp_err_exit_code(e);
    if (e) {
        e = kp_err_next(e, "%s", kp_hint(a, e->next));
        kp_screen_error(e, json);
    }
    kp_err_drop(e);
    return code;
}
