/* The look at a host: the script that says everything state.c reads, in one breath.
 *
 * It finds things and says them; it does not interpret.  Properties files travel as they are, line
 * by line, and are not sent again while their digest is one that is known already: what they mean
 * is for the one reader (cluster/server_config.h).  Where the log directories are follows from that
 * reading, so it is told (`dirs`, lines "KIND PATH"), and looked at in the same breath.
 */
#include "host/inner.h"

/* Reading more of a log than this to find evidence would hold the host's disk. */
#define LOG_LIMIT "8388608"
/* Longer properties files, and meta.properties, are cut. */
#define FILE_LIMIT "1048576"
#define META_LIMIT "65536"

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

const char kp_sh_look_functions[] =
    /* jar_release: the release a list of paths names; kafka_2.1x before kafka-clients. */
    "jar_release() {\n"
    "    grep -Ev -- '-(sources|javadoc|scaladoc|tests?)\\.jar$' |\n"
    "        sed -n -e 's,^.*/kafka_2\\.[0-9]*-\\([0-9][^/]*\\)\\.jar$,b \\1,p' \\\n"
    "            -e 's,^.*/kafka-clients-\\([0-9][^/]*\\)\\.jar$,a \\1,p' |\n"
    "        sort -r | sed -n '1s/^. //p'\n"
    "}\n"
    /* send NAME FILE: its digest; its lines too, unless that digest is known. */
    "send() {\n"
    "    sum=$(sha256sum <\"$2\" | cut -c1-64)\n"
    "    say \"$1.sha256\" \"$sum\"\n"
    "    case \" $known \" in *\" $sum \"*) return ;; esac\n"
    "    { head -c " FILE_LIMIT " \"$2\"; echo; } | sed \"s/^/$1.line /\"\n"
    "}\n"
    /* dir KIND PATH: one log directory.  A relative one is below nobody knows what. */
    "dir() {\n"
    "    say dir \"$2\"\n"
    "    say dir.kind \"$1\"\n"
    "    case $2 in /*) ;; *) return ;; esac\n"
    "    [ -d \"$2\" ] || return\n"
    "    say dir.found yes\n"
    "    [ ! -e \"$2/.kafka_cleanshutdown\" ] || say dir.clean yes\n"
    "    [ -e \"$2/recovery-point-offset-checkpoint\" ] ||\n"
    "        [ ! -d \"$2/__cluster_metadata-0\" ] || say dir.metadata_only yes\n"
    "    set -- \"$2\" $(stat -f -c '%a %S' \"$2\")\n"
    "    [ $# -ne 3 ] || say dir.free $(($2 * $3))\n"
    "    [ ! -r \"$1/meta.properties\" ] ||\n"
    "        { head -c " META_LIMIT " \"$1/meta.properties\"; echo; } | sed 's/^/dir.meta /'\n"
    "}\n"
    /* class_path: the process's, an element a line, wildcards in the order Java sees the files. */
    "class_path() {\n"
    "    args_of \"$pid\" | awk '$0 == \"kafka.Kafka\" { exit }\n"
    "        before ~ /^(-cp|-classpath|--class-path)$/ { cp = $0 }\n"
    "        sub(/^(--class-path=|-Djava\\.class\\.path=)/, \"\") { cp = $0 }\n"
    "        { before = $0 } END { print cp }' | tr ':' '\\n' | while read -r one; do\n"
    "        case $one in '' | /*) ;; *) one=$cwd/$one ;; esac\n"
    "        case $one in\n"
    "        */'*')\n"
    "            say process.wildcard yes\n"
    "            ls -U \"${one%?}\" 2>/dev/null | grep '\\.jar$' |\n"
    "                sed 's/^/process.jar /'\n"
    "            ;;\n"
    "        *.jar) say process.jar \"${one##*/}\" ;;\n"
    "        esac\n"
    "    done | grep -E '^process\\.(wildcard|jar (kafka_2\\.|kafka-clients-))'\n"
    "}\n"
    /* open_files: what the process has open, in the order in which it was opened. */
    "open_files() {\n"
    "    ls -l \"/proc/$pid/fd\" 2>/dev/null |\n"
    "        sed -n 's/^.* \\([0-9][0-9]*\\) -> \\(.*\\)$/\\1 \\2/p' | sort -n |\n"
    "        sed 's/^[0-9]* //; s/ (deleted)$//'\n"
    "}\n"
    "ports() {\n"
    "    for table in tcp tcp6; do\n"
    "        { printf '%s\\n' \"$fds\" | sed -n 's/^socket:\\[\\([0-9]*\\)\\]$/\\1/p'; echo end\n"
    "            cat \"/proc/$pid/net/$table\" 2>/dev/null; } |\n"
    "            awk '!all { if ($0 == \"end\") all = 1; else mine[$1] = 1; next }\n"
    "                $4 == \"0A\" && $10 in mine { n = split($2, at, \":\")\n"
    "                    print \"process.port \" at[n] }'\n"
    "    done\n"
    "}\n";

const char kp_sh_look[] =
    "say boot_id \"$(cat /proc/sys/kernel/random/boot_id)\"\n"
    "say now \"$(date +%s)\"\n"
    "find_process\n"
    "say pid \"$pid\"\n"
    "if [ \"$pid\" != 0 ]; then\n"
    "    say start_time \"$start\"\n"
    "    for p in $pids; do say pids \"$p\"; done\n"
    "    case $(args_of \"$pid\" | sed -n '1{s,^.*/,,;p;}') in\n"
    "    sh | bash | dash | ash | ksh | zsh) say script yes ;;\n"
    "    esac\n"
    "    file=$(config_of \"$pid\")\n"
    "    cwd=$(readlink \"/proc/$pid/cwd\" 2>/dev/null)\n"
    "    exe=$(readlink \"/proc/$pid/exe\" 2>/dev/null | sed 's/ (deleted)$//')\n"
    "    say process.user \"$(stat -c %U \"/proc/$pid\")\"\n"
    "    say process.cwd \"$cwd\"\n"
    "    case $exe in */java) say process.java \"$exe\" ;; esac\n"
    "    if [ -n \"$file\" ]; then\n"
    "        say process.config \"$file\"\n"
    "        overrides_of \"$pid\" | sed 's/^/process.override /'\n"
    "        if [ \"$file\" -ef \"$config\" ] && [ -r \"$config\" ]; then\n"
    "            say process.same yes\n"
    "        elif [ -r \"$file\" ]; then\n"
    "            send process \"$file\"\n"
    "        fi\n"
    "    fi\n"
    "    fds=$(open_files)\n"
    "    class_path\n"
    "    printf '%s\\n' \"$fds\" | sed -n \\\n"
    "        -e 's,^/.*/\\(kafka_2\\.[^/]*\\.jar\\)$,open.jar \\1,p' \\\n"
    "        -e 's,^/.*/\\(kafka-clients-[^/]*\\.jar\\)$,open.jar \\1,p' \\\n"
    "        -e 's,^\\(/.*\\)/\\.lock$,open.lock \\1,p'\n"
    "    ports\n"
    "fi\n"
    "if [ -r \"$config\" ]; then\n"
    "    say config.real \"$(readlink -f \"$config\")\"\n"
    "    say config.size \"$(stat -c %s \"$config\")\"\n"
    "    send config \"$config\"\n"
    "fi\n"
    "if [ -n \"$dirs\" ]; then\n"
    "    printf '%s' \"$dirs\" | while read -r kind path; do dir \"$kind\" \"$path\"; done\n"
    "fi\n"
    "if [ -n \"$current\" ]; then\n"
    "    say link \"$(readlink \"$current\")\"\n"
    "    say link_release \"$(ls -d \"$current\"/libs/*.jar 2>/dev/null | jar_release)\"\n"
    "    [ ! -e \"$current\" ] || say link_real \"$(readlink -f \"$current\")\"\n"
    "fi\n"
    "if [ -n \"$releases\" ] && [ -d \"$releases\" ]; then\n"
    "    say releases_real \"$(readlink -f \"$releases\")\"\n"
    "    for d in \"$releases\"/*/; do\n"
    "        d=${d%/}\n"
    "        name=${d##*/}\n"
    "        version=${name#\"$before\"}\n"
    "        if [ \"$name\" = \"$before${version%\"$after\"}$after\" ]; then\n"
    "            version=${version%\"$after\"}\n"
    "            clients=$(ls \"$d/libs\" 2>/dev/null | grep '^kafka-clients-[0-9].*\\.jar$')\n"
    "            main=$(ls \"$d/libs\" 2>/dev/null | grep '^kafka_2\\.[0-9]*-[0-9].*\\.jar$')\n"
    "            [ -z \"$clients\" ] || say release \"$version\"\n"
    "            [ -n \"$clients\" ] || say partial \"$version kafka-clients-$version.jar\"\n"
    "            case $before in kafka_2.*) jar=$before ;; *) jar=kafka_2.13- ;; esac\n"
    "            [ -n \"$main\" ] || say partial \"$version $jar$version.jar\"\n"
    "        else\n"
    "            other=$(ls -d \"$d\"/libs/*.jar 2>/dev/null | jar_release)\n"
    "            [ -z \"$other\" ] || say other \"$other $name\"\n"
    "        fi\n"
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
