/* Hosts: who they are and how they are reached.
 *
 * A host is its spec, with every default filled in once, and a line of commands for it.  Which
 * transport carries them is a row of one table; what a transport keeps open (a session) is its own
 * business and is ended when the hosts are freed.
 *
 * Privilege is two prefixes, because two different users are needed: `service` for asking the
 * service manager and for the start and stop commands, `files` for everything that reads or writes
 * Kafka's files.  What sudo must allow for them is small and fixed, so it is written down here
 * (kp_host_sudoers) and not guessed by whoever sets up the host.
 */
#include "host/inner.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOSTS_LIMIT = 16 << 20 };

#define DEFAULT_RELEASE "kafka_2.13-{version}"
#define VERSION_MARK "{version}"

static const kp_transport *const transports[] = {
    &kp_transport_ssh,
    &kp_transport_openssh,
    &kp_transport_local,
};

kp_hosts *kp_hosts_new(kp_loop *l)
{
    kp_hosts *hs = kp_malloc(sizeof *hs);
    *hs = (kp_hosts){ .l = l, .a = kp_arena_new("hosts", HOSTS_LIMIT) };
    hs->finished_end = &hs->finished;
    return hs;
}

void kp_hosts_free(kp_hosts *hs)
{
    if (!hs)
        return;
    kp_exec_drop_all(hs);
    for (kp_host *h = hs->first; h; h = h->next)
        h->transport->close(h);
    for (kp_host *h = hs->first; h; h = h->next) {
        kp_buf_done(&h->dirs);
        for (size_t i = 0; i < KP_COUNT(h->known); i++)
            kp_buf_done(&h->known[i].bytes);
    }
    kp_arena_free(hs->a);
    free(hs);
}

static const char *login_name(kp_arena *a)
{
    const struct passwd *pw = getpwuid(geteuid());
    const char *name = pw ? pw->pw_name : getenv("LOGNAME");
    return kp_strdup(a, name ? name : "");
}

char *kp_host_home(kp_arena *a, const char *path)
{
    if (!kp_starts_with(path, "~/"))
        return kp_strdup(a, path);
    const char *home = getenv("HOME");
    const struct passwd *pw = home ? NULL : getpwuid(geteuid());
    return kp_printf(a, "%s%s", home ? home : pw ? pw->pw_dir : "", path + 1);
}

static const char *text(kp_arena *a, const char *given, const char *otherwise)
{
    return kp_strdup(a, given && *given ? given : otherwise);
}

static void copy_layout(kp_arena *a, const kp_host_layout *from, kp_host_layout *to)
{
    to->current = text(a, from->current, "");
    to->releases = text(a, from->releases, "");
    to->release = text(a, from->release, DEFAULT_RELEASE);
    to->config = text(a, from->config, "");
    to->log = text(a, from->log, "");
    const char *state = *to->releases ? kp_printf(a, "%s/.kplay", to->releases) : "";
    to->state = text(a, from->state, state);
}

static void copy_spec(kp_arena *a, const kp_host_spec *from, kp_host_spec *to)
{
    *to = (kp_host_spec){ .node_id = from->node_id, .port = from->port ? from->port : 22 };
    to->address = text(a, from->address, "");
    to->name = text(a, from->name, to->address);
    to->user = from->user && *from->user ? kp_strdup(a, from->user) : login_name(a);
    to->identity = kp_host_home(a, text(a, from->identity, ""));
    to->known_hosts = kp_host_home(a, text(a, from->known_hosts, ""));
    to->transport = text(a, from->transport, "ssh");
    to->become_service = text(a, from->become_service, "");
    to->become_files = text(a, from->become_files, "");
    const kp_host_service *s = &from->service;
    to->service.unit = s->unit && *s->unit ? kp_strdup(a, s->unit) : NULL;
    to->service.start = s->start ? kp_value_copy(a, s->start) : NULL;
    to->service.stop = s->stop ? kp_value_copy(a, s->stop) : NULL;
    to->service.status = s->status ? kp_value_copy(a, s->status) : NULL;
    copy_layout(a, &from->layout, &to->layout);
}

static kp_err *check_spec(const kp_host_spec *s)
{
    if (!*s->address)
        return kp_err_new(KP_CONFIG, "give every node a host", "a host has no address");
    if (*s->address == '-')
        return kp_err_new(KP_CONFIG, "give the host's name or address", "\"%s\" is no address",
                          s->address);
    if (s->port < 1 || s->port > 65535)
        return kp_err_at(kp_err_new(KP_CONFIG, "give a port from 1 to 65535", "no such port: %d",
                                    s->port),
                         "%s", s->name);
    if (!strstr(s->layout.release, VERSION_MARK))
        return kp_err_at(kp_err_new(KP_CONFIG, "write for example " DEFAULT_RELEASE,
                                    "layout.release has no {version}: %s", s->layout.release),
                         "%s", s->name);
    const char *paths[][2] = {
        { "current", s->layout.current }, { "releases", s->layout.releases },
        { "config", s->layout.config },   { "log", s->layout.log },
        { "state", s->layout.state },
    };
    for (size_t i = 0; i < KP_COUNT(paths); i++)
        if (*paths[i][1] && *paths[i][1] != '/')
            return kp_err_at(kp_err_new(KP_CONFIG, "write the whole path, from /",
                                        "layout.%s is not an absolute path: %s", paths[i][0],
                                        paths[i][1]),
                             "%s", s->name);
    return NULL;
}

static kp_err *find_transport(const kp_host_spec *s, const kp_transport **ret_t)
{
    for (size_t i = 0; i < KP_COUNT(transports); i++)
        if (kp_streq(transports[i]->name, s->transport)) {
            *ret_t = transports[i];
            return NULL;
        }
    return kp_err_at(kp_err_new(KP_CONFIG, "write ssh, openssh or local",
                                "no such transport: \"%s\"", s->transport),
                     "%s", s->name);
}

kp_err *kp_host_new(kp_hosts *hs, const kp_host_spec *spec, kp_host **ret_host)
{
    kp_host *h = KP_NEW(hs->a, kp_host);
    *h = (kp_host){ .hs = hs, .slots = KP_HOST_CHANNELS, .dirs = KP_BUF_INIT(1 << 20) };
    for (size_t i = 0; i < KP_COUNT(h->known); i++)
        h->known[i].bytes = KP_BUF_INIT(KP_HOST_FILE_LIMIT + 2);
    copy_spec(hs->a, spec, &h->spec);
    KP_TRY(check_spec(&h->spec));
    KP_TRY(find_transport(&h->spec, &h->transport));
    const char *mark = strstr(h->spec.layout.release, VERSION_MARK);
    h->release_before = kp_strndup(hs->a, h->spec.layout.release,
                                   (size_t)(mark - h->spec.layout.release));
    h->release_after = kp_strdup(hs->a, mark + strlen(VERSION_MARK));
    h->next = hs->first;
    hs->first = h;
    *ret_host = h;
    return NULL;
}

const char *kp_host_name(const kp_host *h)
{
    return h->spec.name;
}

/* ---- sudoers ---- */

/* Whom a sudo prefix becomes: the word after -u, root without one; NULL when it is not sudo. */
static const char *sudo_target(kp_arena *a, const char *prefix)
{
    bool user = false;
    const char *target = "root";
    for (const char *p = prefix + strspn(prefix, " "), *first = p; *p;) {
        size_t n = strcspn(p, " ");
        char *word = kp_strndup(a, p, n);
        if (p == first && !kp_streq(word, "sudo") && !kp_ends_with(word, "/sudo"))
            return NULL;
        if (user)
            target = word;
        user = kp_streq(word, "-u") || kp_streq(word, "--user");
        p += n + strspn(p + n, " ");
    }
    return *prefix ? target : NULL;
}

/* In a sudoers command these bytes end a word or a list. */
static void sudoers_word(kp_buf *b, const char *word)
{
    for (; *word; word++) {
        if (strchr(",:=\\*?[]! ", *word))
            kp_buf_chr(b, '\\');
        kp_buf_chr(b, *word);
    }
}

static void sudoers_command(kp_buf *b, const kp_value *argv)
{
    for (size_t i = 0; i < kp_len(argv); i++) {
        if (i)
            kp_buf_chr(b, ' ');
        sudoers_word(b, kp_as_text(kp_at(argv, i), ""));
    }
}

char *kp_host_sudoers(kp_arena *a, const kp_host *h)
{
    KP_AUTO_BUF b = KP_BUF_INIT(64 << 10);
    const kp_host_spec *s = &h->spec;
    const char *files = sudo_target(a, s->become_files);
    const char *service = sudo_target(a, s->become_service);
    if (service) {
        kp_buf_fmt(&b, "%s ALL=(%s) NOPASSWD: ", s->user, service);
        if (s->service.unit) {
            kp_buf_str(&b, "/usr/bin/systemctl stop --no-block ");
            sudoers_word(&b, s->service.unit);
            kp_buf_str(&b, ", /usr/bin/systemctl start --no-block ");
            sudoers_word(&b, s->service.unit);
        } else {
            sudoers_command(&b, s->service.start);
            kp_buf_str(&b, ", ");
            if (s->service.stop)
                sudoers_command(&b, s->service.stop);
            else
                kp_buf_str(&b, "/usr/bin/kill -TERM [0-9]*");
        }
        kp_buf_chr(&b, '\n');
    }
    if (files)
        kp_buf_fmt(&b, "%s ALL=(%s) NOPASSWD: /bin/sh\n", s->user, files);
    return kp_strdup(a, kp_buf_text(&b));
}
