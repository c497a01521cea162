/* The permission proof: before the first stop, every host has shown that it would let us do
 * everything we are going to ask of it, to the end.
 *
 * A run that finds out at broker 17 that it may not write the properties file leaves a cluster
 * half upgraded.  So what will be done is asked beforehand, in the way that it will be done: the
 * shell of `files` is really started, sudo is asked about the very command lines (`sudo -l`), and
 * directories are tested for what a rename in them needs.  Nothing is written.
 *
 * What it cannot show: that a rule is the same in an hour, and what a prefix other than sudo
 * allows.
 */
#include "host/inner.h"

#include <string.h>

static kp_err *decode(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    (void)h;
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; i + 2 < s->n; i++) {
        if (!kp_streq(s->keys[i], "act") || !kp_streq(s->keys[i + 1], "what") ||
            !kp_streq(s->keys[i + 2], "next"))
            continue;
        kp_list_add(&list, kp_map(a, "act", kp_text(a, s->values[i]), "what",
                                  kp_text(a, s->values[i + 1]), "next",
                                  kp_text(a, s->values[i + 2]), NULL));
    }
    *ret_v = kp_list_end(&list);
    return NULL;
}

/* may COMMAND...: whether `service` would run it.  sudo knows; root may; without either, polkit is
 * asked; what another prefix allows is for its owner to know. */
static void add_may(kp_script *s, const char *prefix)
{
    KP_AUTO_ARENA a = kp_arena_new("prefix", 64 << 10);
    size_t first = strcspn(prefix, " ");
    const char *word = kp_strndup(a, prefix, first);
    kp_script_add(s, "may() { ");
    if (kp_streq(word, "sudo") || kp_ends_with(word, "/sudo")) {
        kp_quote(&s->text, word);
        kp_script_add(s, " -l ");
        kp_quote_words(&s->text, prefix + first);
        kp_script_add(s, "\"$@\" >/dev/null 2>&1; }\n");
    } else if (*prefix) {
        kp_script_add(s, ":; }\n");
    } else {
        kp_script_add(s, "[ \"$(id -u)\" = 0 ] || pkcheck --process $$ --action-id "
                         "org.freedesktop.systemd1.manage-units >/dev/null 2>&1; }\n");
    }
}

/* The start and stop commands, or the signal. */
static void add_commands(kp_script *s, const kp_host *h)
{
    const kp_host_service *service = &h->spec.service;
    kp_script_add(s, kp_sh_permissions_run);
    kp_script_command(s, h, "start_command", "may_run start", service->start);
    kp_script_command(s, h, "stop_command", "may_run stop", service->stop);
    kp_script_add(s, "start_command\nstop_command\n");
    if (!kp_len(service->start))
        kp_script_add(s, "bad start 'kplay is not told how to start Kafka' 'set service.start'\n");
    if (!kp_len(service->stop) && *h->spec.become_service)
        kp_script_add(s, "may_run stop kill -TERM 1\n");
}

static void add_inner(kp_script *s, const kp_host *h)
{
    const kp_host_service *service = &h->spec.service;
    bool commands = !service->unit && !*h->spec.become_service;
    kp_script_add(s, "{\n");
    kp_script_add(s, kp_sh_basics);
    kp_script_layout(s, h);
    kp_script_set(s, "base", h->spec.layout.state);
    kp_script_set(s, "dirs", kp_buf_text(&h->dirs));
    kp_script_set(s, "signals", commands && !kp_len(service->stop) ? "yes" : "");
    kp_script_set(s, "detaches", service->unit ? "" : "yes");
    kp_script_become(s, h, KP_AS_FILES);
    kp_script_process(s, h);
    kp_script_add(s, kp_sh_permissions);
    kp_script_add(s, kp_sh_permissions_files);
    if (commands) {
        kp_script_set(s, "sudoers", "make it runnable for this user");
        kp_script_add(s, "may() { :; }\n");
        add_commands(s, h);
    }
    kp_script_add(s, "exit 0\n}\n");
}

static kp_ticket prove(kp_host *h, kp_arena *a, kp_ms deadline, kp_host_fn fn, void *ud)
{
    const kp_host_spec *spec = &h->spec;
    kp_script inner = KP_SCRIPT_INIT, s = KP_SCRIPT_INIT;
    add_inner(&inner, h);
    kp_script_layout(&s, h);
    kp_script_set(&s, "base", spec->layout.state);
    kp_script_set(&s, "files_prefix", spec->become_files);
    kp_script_set(&s, "sudoers", "kplay cluster check --sudoers prints what sudo must allow");
    kp_script_set(&s, "inner", kp_buf_text(&inner.text));
    kp_script_become(&s, h, KP_AS_LOGIN);
    add_may(&s, spec->become_service);
    kp_script_add(&s, kp_sh_permissions);
    kp_script_add(&s, kp_sh_permissions_login);
    if (spec->service.unit)
        kp_script_add(&s, kp_sh_permissions_unit);
    else if (*spec->become_service)
        add_commands(&s, h);
    if (inner.text.overflow)
        s.wrong = kp_err_new(KP_INTERNAL, "report it, with the command line",
                             "a script is too long");
    kp_buf_done(&inner.text);
    kp_script_run run = { .as = KP_AS_LOGIN, .deadline = deadline, .decode = decode };
    return kp_script_go(h, a, &s, &run, fn, ud);
}

typedef struct proving {
    kp_host *h;
    kp_arena *a;
    kp_ms deadline;
    kp_ticket ticket;
    kp_host_fn fn;
    void *ud;
} proving;

/* What cannot be looked at for want of a right is found by the proof, with its remedy. */
static void on_looked(void *ud, kp_err *err, const kp_value *v)
{
    proving *p = ud;
    (void)v;
    kp_err_drop(err);
    kp_exec_rename(p->h, prove(p->h, p->a, p->deadline, p->fn, p->ud), p->ticket);
}

/* Which log directories there are is known from a look. */
kp_ticket kp_host_permissions(kp_host *h, kp_arena *a, kp_ms deadline, kp_host_fn fn, void *ud)
{
    if (h->looked)
        return prove(h, a, deadline, fn, ud);
    proving *p = KP_NEW(a, proving);
    *p = (proving) { .h = h, .a = a, .deadline = deadline, .fn = fn, .ud = ud };
    kp_host_question q = { .log_since = -1, .deadline = deadline };
    p->ticket = kp_host_state(h, a, &q, on_looked, p);
    return p->ticket;
}
