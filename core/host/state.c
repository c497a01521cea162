/* The state of a node's host: one script that looks at everything, so that what it says was true
 * within the same tenth of a second.
 *
 * It looks at the process that runs, not at what should be running: the properties file is the one
 * on its command line, the release is that of the jars it has open (a link may already point
 * elsewhere), its identity is its start time in the host's present boot.  What the layout says is
 * reported beside it, and comparing the two is for the guard.
 *
 * The properties text is read as java.util.Properties does (last key wins, continuation lines,
 * = : or a blank as separator), because a second `log.dirs` further down is what Kafka obeys.
 * \uXXXX escapes are not resolved; none of the keys asked for ever has one.
 */
#include "host/inner.h"

#include <string.h>

enum { LINES_DEFAULT = 20, LINES_MAX = 200 };

/* Reading more of a log than this to find evidence would hold the host's disk. */
#define LOG_LIMIT "8388608"

/* The wording is Kafka's: InvalidRequestException of a leader that was sent a fetch it has not
 * enabled (a mis-pinned inter.broker.protocol.version), the registration error of a broker whose
 * old session still lives (ClusterControlManager), KafkaServer, KafkaRaftServer, LogManager.
 * `advanced`: only a start that gets on says so: a log loaded or a segment recovered (LogManager,
 * LogLoader), registered, caught up or unfenced (KafkaServer, BrokerLifecycleManager). */
const kp_host_sign kp_host_signs[] = {
    { "mis_pinned", "which is not enabled", true, false },
    { "duplicate_registration", "DUPLICATE_BROKER_REGISTRATION|DuplicateBrokerRegistration", true,
      false },
    { "fetch_errors", "Error in response for fetch request", true, false },
    { "started", "Kafka *Server.*started", false, false },
    { "advanced",
      "Completed load of|Recovering unflushed segment|Successfully registered broker|"
      "Registered broker [0-9]+ at path|broker has caught up|broker has been unfenced",
      false, true },
    { "fatal_startup", "Fatal error during .* startup|Exiting Kafka due to fatal exception", true,
      false },
    { "recovering", "no clean shutdown file was found", false, false },
    { "stop_timed_out", "Timed out waiting for the controller to approve controlled shutdown", true,
      false },
    { "disk_failed", "all log dirs .*have failed", true, false },
    { "unregistered", "unable to register with the controller quorum", true, false },
    { NULL, NULL, false, false },
};

const char kp_sh_properties[] =
    /* props KEYS: of the properties text on stdin, lines `key value`, the last value of each. */
    "props() {\n"
    "    awk -v keys=\"$1\" '\n"
    "        BEGIN { n = split(keys, k, \" \"); for (i = 1; i <= n; i++) want[k[i]] = 1 }\n"
    "        { sub(/\\r$/, \"\"); sub(/^[ \\t\\f]+/, \"\") }\n"
    "        !more && /^([#!]|$)/ { next }\n"
    "        { line = more ? line $0 : $0; more = 0 }\n"
    "        match(line, /\\\\+$/) && RLENGTH % 2 {\n"
    "            line = substr(line, 1, length(line) - 1); more = 1; next\n"
    "        }\n"
    "        { take(line) }\n"
    "        END { if (more) take(line); for (key in got) print key \" \" got[key] }\n"
    "        function take(text,   i, c, key, value) {\n"
    "            for (i = 1; i <= length(text); i++) {\n"
    "                c = substr(text, i, 1)\n"
    "                if (c == \"\\\\\") c = substr(text, ++i, 1)\n"
    "                else if (c ~ /[=: \\t\\f]/) break\n"
    "                key = key c\n"
    "            }\n"
    "            if (!(key in want)) return\n"
    "            text = substr(text, i)\n"
    "            sub(/^[ \\t\\f]*[=:]?[ \\t\\f]*/, \"\", text)\n"
    "            for (i = 1; i <= length(text); i++) {\n"
    "                c = substr(text, i, 1)\n"
    "                if (c == \"\\\\\") c = substr(text, ++i, 1)\n"
    "                value = value c\n"
    "            }\n"
    "            sub(/[ \\t]+$/, \"\", value)\n"
    "            got[key] = value\n"
    "        }'\n"
    "}\n";

static const char functions[] =
    "identity='node.id broker.id process.roles'\n"
    /* jar_release: the release a list of paths names; kafka_2.1x before kafka-clients. */
    "jar_release() {\n"
    "    grep -Ev -- '-(sources|javadoc|scaladoc|tests?)\\.jar$' |\n"
    "        sed -n -e 's,^.*/kafka_2\\.[0-9]*-\\([0-9][^/]*\\)\\.jar$,b \\1,p' \\\n"
    "            -e 's,^.*/kafka-clients-\\([0-9][^/]*\\)\\.jar$,a \\1,p' |\n"
    "        sort -r | sed -n '1s/^. //p'\n"
    "}\n"
    "words() {\n"
    "    printf '%s\\n' \"$1\" | tr ',' '\\n' | sed 's/^[ \\t]*//; s/[ \\t]*$//' | grep .\n"
    "}\n"
    /* dir KIND PATH: one log directory. */
    "dir() {\n"
    "    path=$2\n"
    "    case $path in\n"
    "    /*) ;;\n"
    "    *) [ \"$pid\" = 0 ] || path=$(readlink \"/proc/$pid/cwd\")/$path ;;\n"
    "    esac\n"
    "    say dir \"$path\"\n"
    "    say dir.kind \"$1\"\n"
    "    [ -d \"$path\" ] || return\n"
    "    say dir.found yes\n"
    "    [ ! -e \"$path/.kafka_cleanshutdown\" ] || say dir.clean yes\n"
    "    set -- $(stat -f -c '%a %S' \"$path\")\n"
    "    [ $# -ne 2 ] || say dir.free $(($1 * $2))\n"
    "    [ ! -r \"$path/meta.properties\" ] ||\n"
    "        props \"cluster.id $identity\" <\"$path/meta.properties\" | sed 's/^/dir./'\n"
    "}\n";

static const char look[] =
    "say boot_id \"$(cat /proc/sys/kernel/random/boot_id)\"\n"
    "say now \"$(date +%s)\"\n"
    "find_process\n"
    "say pid \"$pid\"\n"
    "from=$config overrides=\n"
    "if [ \"$pid\" != 0 ]; then\n"
    "    say start_time \"$start\"\n"
    "    for p in $pids; do say pids \"$p\"; done\n"
    "    case $(args_of \"$pid\" | sed -n '1{s,^.*/,,;p;}') in\n"
    "    sh | bash | dash | ash | ksh | zsh) say script yes ;;\n"
    "    esac\n"
    "    file=$(config_of \"$pid\")\n"
    "    overrides=$(overrides_of \"$pid\")\n"
    "    say process.user \"$(stat -c %U \"/proc/$pid\")\"\n"
    "    if [ -n \"$file\" ]; then\n"
    "        say process.config \"$file\"\n"
    "        if [ \"$file\" -ef \"$config\" ]; then say process.same yes; fi\n"
    "        [ -z \"$overrides\" ] || printf '%s\\n' \"$overrides\" | sed 's/^/override /'\n"
    "        if [ -r \"$file\" ]; then\n"
    "            say process.read yes\n"
    "            from=$file\n"
    "            { cat \"$file\"; printf '\\n\\n%s\\n' \"$overrides\"; } |\n"
    "                props \"$identity\" | sed 's/^/process./'\n"
    "        fi\n"
    "    fi\n"
    "    by='open files'\n"
    "    running=$(ls -l \"/proc/$pid/fd\" 2>/dev/null | sed -n 's/^.* -> //p' |\n"
    "        sed 's/ (deleted)$//' | jar_release)\n"
    "    if [ -z \"$running\" ]; then\n"
    "        by='class path'\n"
    "        running=$(args_of \"$pid\" | tr ':' '\\n' | jar_release)\n"
    "    fi\n"
    "    [ -z \"$running\" ] || { say running_release \"$running\"; say running_by \"$by\"; }\n"
    "fi\n"
    "if [ -r \"$config\" ]; then\n"
    "    say config_sha256 \"$(sha256sum <\"$config\" | cut -c1-64)\"\n"
    "    say config.size \"$(stat -c %s \"$config\")\"\n"
    "    props \"$identity\" <\"$config\" | sed 's/^/config./'\n"
    "fi\n"
    "if [ -r \"$from\" ]; then\n"
    "    dirs=$({ cat \"$from\"; printf '\\n\\n%s\\n' \"$overrides\"; } |\n"
    "        props 'log.dirs log.dir metadata.log.dir')\n"
    "    logs=$(printf '%s\\n' \"$dirs\" | sed -n 's/^log\\.dirs //p')\n"
    "    [ -n \"$logs\" ] || logs=$(printf '%s\\n' \"$dirs\" | sed -n 's/^log\\.dir //p')\n"
    "    words \"${logs:-/tmp/kafka-logs}\" | while read -r d; do dir log \"$d\"; done\n"
    "    meta=$(printf '%s\\n' \"$dirs\" | sed -n 's/^metadata\\.log\\.dir //p')\n"
    "    [ -z \"$meta\" ] || words \"${logs:-/tmp/kafka-logs}\" | grep -qxF -- \"$meta\" ||\n"
    "        dir metadata \"$meta\"\n"
    "fi\n"
    "if [ -n \"$current\" ]; then\n"
    "    say link \"$(readlink \"$current\")\"\n"
    "    say link_release \"$(ls -d \"$current\"/libs/*.jar 2>/dev/null | jar_release)\"\n"
    "fi\n"
    "if [ -n \"$releases\" ]; then\n"
    "    for jar in \"$releases/$before\"*\"$after\"/libs/kafka-clients-*.jar; do\n"
    "        [ -e \"$jar\" ] || continue\n"
    "        version=${jar%/libs/*}\n"
    "        version=${version##*/}\n"
    "        version=${version#\"$before\"}\n"
    "        say release \"${version%\"$after\"}\"\n"
    "    done\n"
    "fi\n"
    "if [ -n \"$unit\" ]; then\n"
    "    systemctl show -p LoadState -p ActiveState -p SubState -p MainPID -p InvocationID \\\n"
    "        -p NRestarts -p Result -p TimeoutStopUSec -p Restart -p KillMode \"$unit\" \\\n"
    "        2>/dev/null | sed 's/^\\([A-Za-z]*\\)=/unit.\\1 /'\n"
    "elif [ -n \"$has_status\" ]; then\n"
    "    say status.rc \"$status_rc\"\n"
    "    say status.said \"$(printf '%s\\n' \"$status_said\" | head -n 1)\"\n"
    "fi\n"
    "if [ -n \"$state\" ] && [ -r \"$state/epoch\" ]; then\n"
    "    read -r held holder <\"$state/epoch\"\n"
    "    say fence.epoch \"$held\"\n"
    "    say fence.holder \"$holder\"\n"
    "fi\n"
    "for p in $(grep -lx java /proc/[0-9]*/comm 2>/dev/null | sed 's,^/proc/,,; s,/.*,,' |\n"
    "    head -n 50); do\n"
    "    say java \"$p\"\n"
    "    args_of \"$p\" | awk '\n"
    "        NR == 1 { next }\n"
    "        skip { skip = 0; next }\n"
    "        /^(-cp|-classpath|--class-path|-p|--module-path|--add-[a-z]*)$/ { skip = 1; next }\n"
    "        !main && /^-/ { next }\n"
    "        !main { main = 1; print \"java.main \" $0; next }\n"
    "        /\\.properties$/ { print \"java.config \" $0; exit }'\n"
    "done\n"
    "if [ -n \"$log\" ] && [ -r \"$log\" ]; then\n"
    "    set -- $(stat -c '%s %i' \"$log\")\n"
    "    size=$1\n"
    "    say log_size \"$1\"\n"
    "    say log_inode \"$2\"\n"
    "    if [ \"$since\" -ge 0 ]; then\n"
    "        say signs yes\n"
    "        if [ \"$since\" -gt \"$size\" ]; then say log_turned yes; since=0; fi\n"
    "        [ $((size - since)) -le " LOG_LIMIT " ] || since=$((size - " LOG_LIMIT "))\n"
    "        tail -c +$((since + 1)) \"$log\" | head -c \"$((size - since))\" |\n"
    "            SIGNS=$signs awk -v keep=\"$lines\" -v at=\"$since\" '\n"
    "        BEGIN {\n"
    "            n = split(ENVIRON[\"SIGNS\"], line, \"\\n\")\n"
    "            for (i = 1; i < n; i++) {\n"
    "                trouble[i] = sub(/^! /, \"\", line[i])\n"
    "                cut = index(line[i], \" \")\n"
    "                name[i] = substr(line[i], 1, cut - 1); text[i] = substr(line[i], cut + 1)\n"
    "            }\n"
    "        }\n"
    "        {\n"
    "            at += length($0) + 1\n"
    "            hit = /ERROR|FATAL|Exception/\n"
    "            for (i = 1; i < n; i++) if ($0 ~ text[i]) {\n"
    "                seen[name[i]] = at\n"
    "                hit = hit || trouble[i]\n"
    "            }\n"
    "            if (hit) last[hits++ % keep] = substr($0, 1, 500)\n"
    "        }\n"
    "        END {\n"
    "            for (i in seen) print \"sign \" i \" \" seen[i]\n"
    "            for (i = hits > keep ? hits - keep : 0; i < hits; i++)\n"
    "                print \"line \" last[i % keep]\n"
    "        }'\n"
    "    fi\n"
    "fi\n";

/* ---- reading the answer ---- */

typedef struct reader {
    kp_arena *a;
    kp_builder top, process, config, service, signs;
    kp_builder dirs, dir, java, one_java, releases, overrides, lines, pids;
    bool in_dir, in_java, has_process, has_config, has_signs;
    bool dir_log, dir_clean;
    int n_dirs, n_clean;
    int64_t dir_free, free; /* -1: unknown */
    const char *last_release;
    int64_t epoch;
    const char *holder;
} reader;

static void add_int(reader *r, kp_builder *b, const char *key, const char *text)
{
    int64_t i;
    if (kp_said_int(text, &i))
        kp_map_add(b, key, kp_int(r->a, i));
}

static void add_text(reader *r, kp_builder *b, const char *key, const char *text)
{
    if (*text)
        kp_map_add(b, key, kp_text(r->a, text));
}

/* node.id, or broker.id where there is none: what KafkaConfig takes. */
static void add_identity(reader *r, kp_builder *b, const char *key, const char *value)
{
    if (kp_streq(key, "node.id")) {
        add_int(r, b, "node_id", value);
        kp_map_add(b, "broker_id", kp_nil());
    } else if (kp_streq(key, "broker.id")) {
        add_int(r, b, "broker_id", value);
    } else if (kp_streq(key, "process.roles")) {
        add_text(r, b, "roles", value);
    } else if (kp_streq(key, "cluster.id")) {
        add_text(r, b, "cluster_id", value);
    } else if (kp_streq(key, "size")) {
        add_int(r, b, "size", value);
    } else if (!kp_streq(key, "read") && !kp_streq(key, "same")) {
        add_text(r, b, key, value);
    }
}

/* Settles what depends on several keys, whatever order they came in. */
static const kp_value *identity_end(reader *r, kp_builder *b, bool roles)
{
    const kp_value *v = kp_map_end(b);
    const kp_value *broker = kp_get(v, "broker_id");
    if (broker && !kp_get(v, "node_id"))
        v = kp_map_with(r->a, v, "node_id", broker);
    if (broker)
        v = kp_map_with(r->a, v, "broker_id", kp_nil());
    if (!roles)
        return v;
    const char *given = kp_get_text(v, "roles", NULL);
    KP_AUTO_BUF clean = KP_BUF_INIT(256);
    bool broker_role = !given || strstr(given, "broker");
    bool controller = given && strstr(given, "controller");
    kp_buf_str(&clean, broker_role ? "broker" : "");
    kp_buf_str(&clean, broker_role && controller ? "," : "");
    kp_buf_str(&clean, controller ? "controller" : "");
    v = kp_map_with(r->a, v, "roles", kp_text(r->a, kp_buf_text(&clean)));
    return kp_map_with(r->a, v, "mode", kp_text(r->a, given ? "kraft" : "zookeeper"));
}

static void dir_end(reader *r)
{
    if (!r->in_dir)
        return;
    r->in_dir = false;
    kp_map_add(&r->dir, "clean", kp_bool(r->dir_clean));
    kp_list_add(&r->dirs, identity_end(r, &r->dir, false));
    if (!r->dir_log)
        return;
    r->n_dirs++;
    r->n_clean += r->dir_clean;
    if (r->dir_free >= 0 && (r->free < 0 || r->dir_free < r->free))
        r->free = r->dir_free;
}

static void dir_begin(reader *r, const char *path)
{
    dir_end(r);
    r->in_dir = true;
    r->dir_log = r->dir_clean = false;
    r->dir_free = -1;
    r->dir = kp_map_begin(r->a);
    add_text(r, &r->dir, "path", path);
    kp_map_add(&r->dir, "found", kp_bool(false));
}

static void dir_fact(reader *r, const char *key, const char *value)
{
    if (!r->in_dir)
        return;
    if (kp_streq(key, "found")) {
        kp_map_add(&r->dir, "found", kp_bool(true));
    } else if (kp_streq(key, "clean")) {
        r->dir_clean = true;
    } else if (kp_streq(key, "free")) {
        if (kp_said_int(value, &r->dir_free))
            kp_map_add(&r->dir, "free", kp_int(r->a, r->dir_free));
    } else {
        if (kp_streq(key, "kind"))
            r->dir_log = kp_streq(value, "log");
        add_identity(r, &r->dir, key, value);
    }
}

static void java_end(reader *r)
{
    if (r->in_java)
        kp_list_add(&r->java, kp_map_end(&r->one_java));
    r->in_java = false;
}

/* systemd's time spans: "1min 30s", "500ms", "infinity".  -1: none or not understood. */
static int64_t read_time_span(const char *text)
{
    static const struct {
        const char *unit;
        int64_t us;
    } units[] = {
        { "us", 1 },           { "ms", 1000 },         { "s", 1000000 },
        { "min", 60000000 },   { "h", 3600000000 },    { "d", 86400000000 },
        { "w", 604800000000 },
    };
    int64_t us = 0;
    const char *p = text;
    if (!*p || kp_streq(p, "infinity"))
        return -1;
    while (*p) {
        int64_t whole = 0, part = 0, scale = 1;
        for (; *p >= '0' && *p <= '9' && whole < 1000000000; p++)
            whole = whole * 10 + (*p - '0');
        if (*p == '.')
            for (p++; *p >= '0' && *p <= '9'; p++)
                if (scale < 1000000) {
                    part = part * 10 + (*p - '0');
                    scale *= 10;
                }
        size_t n = strcspn(p, " "), i = 0;
        while (i < KP_COUNT(units) &&
               (strlen(units[i].unit) != n || memcmp(units[i].unit, p, n) != 0))
            i++;
        if (i == KP_COUNT(units) || whole > INT64_MAX / 2 / units[i].us)
            return -1;
        us += whole * units[i].us + part * units[i].us / scale;
        p += n + strspn(p + n, " ");
    }
    return us / 1000;
}

static void unit_fact(reader *r, const char *key, const char *value)
{
    static const struct {
        const char *key, *name;
        bool is_int;
    } facts[] = {
        { "ActiveState", "state", false },
        { "SubState", "sub", false },
        { "LoadState", "loaded", false },
        { "MainPID", "main_pid", true },
        { "InvocationID", "invocation_id", false },
        { "NRestarts", "restarts", true },
        { "Result", "result", false },
        { "Restart", "restart", false },
        { "KillMode", "kill_mode", false },
    };
    if (kp_streq(key, "TimeoutStopUSec"))
        kp_map_add(&r->service, "stop_timeout", kp_int(r->a, read_time_span(value)));
    for (size_t i = 0; i < KP_COUNT(facts); i++) {
        if (!kp_streq(facts[i].key, key))
            continue;
        if (facts[i].is_int)
            add_int(r, &r->service, facts[i].name, value);
        else
            add_text(r, &r->service, facts[i].name, value);
    }
}

/* "NAME PLACE" */
static void add_sign(reader *r, const char *text)
{
    size_t n = strcspn(text, " ");
    int64_t place = 0;
    for (const kp_host_sign *sign = kp_host_signs; sign->name; sign++)
        if (strlen(sign->name) == n && memcmp(sign->name, text, n) == 0)
            kp_map_add(&r->signs, sign->name,
                       sign->placed && text[n] && kp_said_int(text + n + 1, &place)
                           ? kp_int(r->a, place)
                           : kp_bool(true));
}

static void top_fact(reader *r, const char *key, const char *value)
{
    static const char *const ints[] = { "pid", "start_time", "log_size", "log_inode", NULL };
    static const char *const texts[] = { "boot_id", "running_release", "link", "link_release",
                                         "config_sha256", NULL };
    for (size_t i = 0; ints[i]; i++)
        if (kp_streq(key, ints[i]))
            add_int(r, &r->top, key, value);
    for (size_t i = 0; texts[i]; i++)
        if (kp_streq(key, texts[i]))
            add_text(r, &r->top, key, value);
    int64_t seconds;
    if (kp_streq(key, "now") && kp_said_int(value, &seconds))
        kp_map_add(&r->top, "now", kp_int(r->a, seconds * KP_SECOND));
    else if (kp_streq(key, "running_by"))
        add_text(r, &r->top, "running_release_by", value);
    else if (kp_streq(key, "log_turned") || kp_streq(key, "script"))
        kp_map_add(&r->top, key, kp_bool(true));
    else if (kp_streq(key, "signs"))
        r->has_signs = true;
    else if (kp_streq(key, "sign"))
        add_sign(r, value);
    else if (kp_streq(key, "line"))
        kp_list_add(&r->lines, kp_text(r->a, value));
    else if (kp_streq(key, "override"))
        kp_list_add(&r->overrides, kp_text(r->a, value));
}

static void list_fact(reader *r, const char *key, const char *value)
{
    int64_t pid;
    if (kp_streq(key, "release") && !kp_streq(r->last_release, value)) {
        r->last_release = value;
        kp_list_add(&r->releases, kp_text(r->a, value));
    } else if (kp_streq(key, "pids") && kp_said_int(value, &pid)) {
        kp_list_add(&r->pids, kp_int(r->a, pid));
    } else if (kp_streq(key, "java") && kp_said_int(value, &pid)) {
        java_end(r);
        r->in_java = true;
        r->one_java = kp_map_begin(r->a);
        kp_map_add(&r->one_java, "pid", kp_int(r->a, pid));
    } else if (kp_streq(key, "dir")) {
        dir_begin(r, value);
    }
}

static void fact(reader *r, const char *key, const char *value)
{
    const char *dot = strchr(key, '.');
    if (!dot) {
        top_fact(r, key, value);
        list_fact(r, key, value);
        return;
    }
    const char *name = dot + 1;
    if (kp_starts_with(key, "process.")) {
        r->has_process = true;
        add_identity(r, &r->process, name, value);
    } else if (kp_starts_with(key, "config.")) {
        r->has_config = true;
        add_identity(r, &r->config, name, value);
    } else if (kp_starts_with(key, "dir.")) {
        dir_fact(r, name, value);
    } else if (kp_starts_with(key, "java.") && r->in_java) {
        add_text(r, &r->one_java, name, value);
    } else if (kp_starts_with(key, "unit.")) {
        unit_fact(r, name, value);
    } else if (kp_streq(key, "status.rc")) {
        add_int(r, &r->service, "rc", value);
    } else if (kp_streq(key, "status.said")) {
        add_text(r, &r->service, "said", value);
    } else if (kp_streq(key, "fence.epoch")) {
        kp_said_int(value, &r->epoch);
    } else if (kp_streq(key, "fence.holder")) {
        r->holder = value;
    }
}

/* The running process's cluster is that of its log dirs; nothing, when they do not agree. */
static const char *cluster_of_dirs(const kp_value *dirs)
{
    const char *cluster = NULL;
    for (size_t i = 0; i < kp_len(dirs); i++) {
        const char *here = kp_get_text(kp_at(dirs, i), "cluster_id", NULL);
        if (cluster && here && !kp_streq(cluster, here))
            return NULL;
        cluster = cluster ? cluster : here;
    }
    return cluster;
}

static void finish_process(reader *r, const kp_said *s, const kp_value *dirs)
{
    const kp_value *cluster = kp_text(r->a, cluster_of_dirs(dirs));
    if (r->has_config) {
        /* The log dirs are those of the process's file, which may be another. */
        bool same = !r->has_process || kp_said_get(s, "process.same");
        kp_map_add(&r->config, "cluster_id", same ? cluster : NULL);
        kp_map_add(&r->top, "config", identity_end(r, &r->config, true));
    }
    if (!r->has_process)
        return;
    bool read = kp_said_get(s, "process.read") != NULL;
    const kp_value *overrides = kp_list_end(&r->overrides);
    if (kp_len(overrides))
        kp_map_add(&r->process, "overrides", overrides);
    if (read)
        kp_map_add(&r->process, "cluster_id", cluster);
    kp_map_add(&r->top, "process", identity_end(r, &r->process, read));
}

static void finish_service(reader *r, const kp_host *h, bool runs)
{
    const kp_host_service *service = &h->spec.service;
    kp_map_add(&r->service, "manager", kp_text(r->a, service->unit ? "systemd" : "command"));
    if (!service->unit)
        kp_map_add(&r->service, "state", kp_text(r->a, runs ? "active" : "inactive"));
    kp_map_add(&r->top, "service", kp_map_end(&r->service));
}

static kp_err *decode(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    reader *r = KP_NEW(a, reader);
    *r = (reader){ .a = a, .free = -1, .holder = "" };
    kp_builder *maps[] = { &r->top, &r->process, &r->config, &r->service, &r->signs };
    kp_builder *lists[] = { &r->dirs, &r->java, &r->releases, &r->overrides, &r->lines, &r->pids };
    for (size_t i = 0; i < KP_COUNT(maps); i++)
        *maps[i] = kp_map_begin(a);
    for (size_t i = 0; i < KP_COUNT(lists); i++)
        *lists[i] = kp_list_begin(a);
    for (size_t i = 0; i < s->n; i++)
        fact(r, s->keys[i], s->values[i]);
    dir_end(r);
    java_end(r);

    int64_t pid = 0;
    if (!kp_said_int(kp_said_get(s, "pid"), &pid))
        return kp_err_retriable(kp_err_new(KP_HOST, "run `kplay cluster check`",
                                           "the host's state could not be read"));
    const kp_value *dirs = kp_list_end(&r->dirs);
    finish_process(r, s, dirs);
    finish_service(r, h, pid != 0);
    kp_map_add(&r->top, "log_dirs", dirs);
    kp_map_add(&r->top, "dirs", kp_int(a, r->n_dirs));
    kp_map_add(&r->top, "clean_dirs", kp_int(a, r->n_clean));
    kp_map_add(&r->top, "free", r->free >= 0 ? kp_int(a, r->free) : NULL);
    kp_map_add(&r->top, "releases", kp_list_end(&r->releases));
    kp_map_add(&r->top, "java", kp_list_end(&r->java));
    const kp_value *pids = kp_list_end(&r->pids);
    kp_map_add(&r->top, "pids", kp_len(pids) ? pids : NULL);
    kp_map_add(&r->top, "fence", kp_map(a, "epoch", kp_int(a, r->epoch), "holder",
                                        *r->holder ? kp_text(a, r->holder) : NULL, NULL));
    if (r->has_signs) {
        kp_map_add(&r->signs, "errors", kp_list_end(&r->lines));
        kp_map_add(&r->top, "signs", kp_map_end(&r->signs));
    }
    *ret_v = kp_map_end(&r->top);
    return NULL;
}

kp_ticket kp_host_state(kp_host *h, kp_arena *a, const kp_host_question *q, kp_host_fn fn,
                        void *ud)
{
    kp_script s = KP_SCRIPT_INIT;
    KP_AUTO_BUF signs = KP_BUF_INIT(16 << 10);
    for (const kp_host_sign *sign = kp_host_signs; sign->name; sign++)
        kp_buf_fmt(&signs, "%s%s %s\n", sign->trouble ? "! " : "", sign->name, sign->pattern);
    int lines = q->log_lines <= 0 ? LINES_DEFAULT : q->log_lines;
    kp_script_layout(&s, h);
    if (q->cluster)
        kp_script_cluster(&s, h, q->cluster);
    else
        kp_script_set(&s, "state", "");
    kp_script_set_int(&s, "since", q->log_since < 0 ? -1 : q->log_since);
    kp_script_set_int(&s, "lines", lines > LINES_MAX ? LINES_MAX : lines);
    kp_script_set(&s, "signs", kp_buf_text(&signs));
    kp_script_become(&s, h, KP_AS_FILES);
    kp_script_process(&s, h);
    kp_script_add(&s, kp_sh_properties);
    kp_script_add(&s, functions);
    kp_script_add(&s, look);
    kp_script_run run = { .as = KP_AS_FILES, .deadline = q->deadline, .decode = decode };
    return kp_script_go(h, a, &s, &run, fn, ud);
}
