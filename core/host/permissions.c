/* The permission proof: before the first stop, every host has shown that it would let us do
 * everything we are going to ask of it, to the end.
 *
 * A run that finds out at broker 17 that it may not write the properties file leaves a cluster
 * half upgraded.  So what will be done is asked beforehand, in the way that it will be done: the
 * shell of `files` is really started, sudo is asked about the very command lines (`sudo -l`), and
 * directories are tested for what a rename in them needs.  Nothing is written.
 *
 * What it can not show: that a rule is the same in an hour, and what a prefix other than sudo
 * allows.
 */
#include "host/inner.h"

#include <string.h>

static const char bad[] =
    "bad() { say act \"$1\"; say what \"$2\"; say next \"$3\"; }\n"
    /* nearest PATH: it, or the nearest directory above that is there */
    "nearest() {\n"
    "    d=$1\n"
    "    while [ ! -d \"$d\" ] && [ \"$d\" != / ]; do d=$(dirname \"$d\"); done\n"
    "    printf '%s\\n' \"$d\"\n"
    "}\n";

/* As the user who reads and writes Kafka's files. */
static const char as_files[] =
    "me=$(id -un)\n"
    "own='the user of ssh.become.files, or the SSH user, must be the one Kafka runs as'\n"
    "writable() {\n" /* ACT WHAT DIRECTORY */
    "    [ -w \"$3\" ] && [ -x \"$3\" ] || bad \"$1\" \"$me may not write $2, $3\" \"$own\"\n"
    "}\n"
    "for tool in awk cat chmod chgrp cp cut date dirname find flock grep head ln mktemp mv \\\n"
    "    readlink sed setsid sha256sum stat sync tail tee timeout tr; do\n"
    "    command -v \"$tool\" >/dev/null 2>&1 || bad tools \"$tool is missing\" \"install it\"\n"
    "done\n"
    "if mv -T \"/nonexistent/$$\" \"/nonexistent/$$.b\" 2>&1 | grep -qi option; then\n"
    "    bad tools 'mv has no -T' 'install coreutils'\n"
    "fi\n"
    "if [ -n \"$config\" ]; then\n"
    "    real=$(readlink -f \"$config\" || printf '%s' \"$config\")\n"
    "    if [ ! -f \"$real\" ]; then\n"
    "        bad config \"$config is not there\" 'set layout.config'\n"
    "    elif [ ! -r \"$real\" ]; then\n"
    "        bad config \"$me may not read $real\" \"$own\"\n"
    "    else\n"
    "        owner=$(stat -c %U \"$real\")\n"
    "        if [ \"$owner\" != \"$me\" ] && [ \"$(id -u)\" != 0 ]; then\n"
    "            bad config \"$real belongs to $owner: written by $me it would change hands\" \\\n"
    "                'give the file to that user, or become its owner'\n"
    "        fi\n"
    "        printf '%s' \"$dirs\" | while read -r kind d; do\n"
    "            [ ! -d \"$d\" ] || { [ -r \"$d\" ] && [ -x \"$d\" ]; } ||\n"
    "                bad state \"$me may not look into the log directory $d\" \"$own\"\n"
    "            [ ! -e \"$d/meta.properties\" ] || [ -r \"$d/meta.properties\" ] ||\n"
    "                bad state \"$me may not read $d/meta.properties\" \"$own\"\n"
    "        done\n"
    "    fi\n"
    "    writable config 'the directory of the properties file' \"$(dirname \"$real\")\"\n"
    "fi\n"
    "if [ -n \"$releases\" ]; then\n"
    "    if [ -d \"$releases\" ]; then\n"
    "        writable release 'the directory of releases' \"$releases\"\n"
    "    else\n"
    "        bad release \"$releases is not there\" 'make it, or set layout.releases'\n"
    "    fi\n"
    "fi\n"
    "if [ -n \"$current\" ]; then\n"
    "    writable link \"the directory of layout.current\" \"$(dirname \"$current\")\"\n"
    "    if [ -e \"$current\" ] && [ ! -L \"$current\" ]; then\n"
    "        bad link \"$current is no symbolic link\" 'link it into layout.releases'\n"
    "    fi\n"
    "fi\n"
    "if [ -n \"$base\" ]; then\n"
    "    writable state \"kplay's own directory\" \"$(nearest \"$base\")\"\n"
    "    for d in \"$base\"/*/; do\n"
    "        [ ! -d \"$d\" ] || writable state \"kplay's own directory\" \"$d\"\n"
    "    done\n"
    "fi\n"
    "if [ -n \"$log\" ] && [ -e \"$log\" ] && [ ! -r \"$log\" ]; then\n"
    "    bad log \"$me may not read $log\" \"$own\"\n"
    "fi\n"
    "if [ -n \"$signals\" ]; then\n"
    "    find_process\n"
    "    [ \"$pid\" = 0 ] || kill -0 \"$pid\" 2>/dev/null ||\n"
    "        bad stop \"$me may not signal process $pid\" \"$own\"\n"
    "fi\n"
    "if [ -n \"$detaches\" ]; then\n"
    "    ! grep -qs '^KillUserProcesses=\\(yes\\|true\\|1\\)' /etc/systemd/logind.conf \\\n"
    "        /etc/systemd/logind.conf.d/*.conf ||\n"
    "        bad start 'logind ends what a login leaves running (KillUserProcesses=yes)' \\\n"
    "            'run Kafka as a systemd unit, or loginctl enable-linger for this user'\n"
    "fi\n";

/* As the SSH user. */
static const char as_login[] =
    "printf '%s\n' \"$inner\" | files /bin/sh -c 'eval \"$(cat)\"' kplay ||\n"
    "    bad files \"$(id -un) may not run /bin/sh by: $files_prefix\" \"$sudoers\"\n";

static const char as_login_unit[] =
    "case $(systemctl show -p LoadState \"$unit\" 2>/dev/null) in\n"
    "LoadState=loaded) ;;\n"
    "'') bad service 'systemctl does not answer' 'set service.manager: command' ;;\n"
    "*) bad service \"there is no unit $unit\" 'set service.unit' ;;\n"
    "esac\n"
    "for verb in stop start; do\n"
    "    may systemctl \"$verb\" --no-block \"$unit\" ||\n"
    "        bad \"$verb\" \"$(id -un) may not systemctl $verb --no-block $unit\" \"$sudoers\"\n"
    "done\n"
    "near=$(nearest \"$base\")\n"
    "[ -x \"$near\" ] ||\n"
    "    bad state \"$(id -un) may not look into $near\" 'let this user read it'\n"
    "for lock in \"$base\"/*/lock; do\n"
    "    [ ! -e \"$lock\" ] || [ -r \"$lock\" ] ||\n"
    "        bad state \"$(id -un) may not read $lock\" 'let this user read it'\n"
    "done\n";

/* As whoever runs the start and stop commands. */
static const char may_run[] =
    "may_run() {\n"
    "    act=$1; shift\n"
    "    command -v \"$1\" >/dev/null 2>&1 && may \"$@\" ||\n"
    "        bad \"$act\" \"$(id -un) may not run: $*\" \"$sudoers\"\n"
    "}\n";

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
    kp_script_add(s, may_run);
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
    kp_script_add(s, bad);
    kp_script_add(s, as_files);
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
    kp_script_add(&s, bad);
    kp_script_add(&s, as_login);
    if (spec->service.unit)
        kp_script_add(&s, as_login_unit);
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

/* What can not be looked at for want of a right is found by the proof, with its remedy. */
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
