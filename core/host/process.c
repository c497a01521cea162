/* Which process is the node: the shell functions that find it, read it, and never guess.
 *
 * A Kafka process is one that has kafka.Kafka as a whole word of its command line; the word after
 * it is the properties file (Kafka.scala: server.properties, then --override pairs).  It is the
 * node's when that file is the layout's, by name or by inode.  With systemd it is the unit's main
 * process, or the one Kafka process below it when a wrapper does not exec java.
 *
 * kafka-server-stop.sh finds its victims by a pattern over all of `ps ax`; two brokers on a host,
 * or a command line longer than 4096 bytes, and it stops the wrong ones or none.  So nothing here
 * uses it.
 */
#include "host/inner.h"

/* find_process sets pid (0: none), start (jiffies), and pids when more than one process runs the
 * file; with a status command also status_said and status_rc. */
static const char functions[] =
    "args_of() { { tr '\\0' '\\n' <\"/proc/$1/cmdline\"; } 2>/dev/null; }\n"
    "is_kafka() { args_of \"$1\" | grep -qx 'kafka\\.Kafka'; }\n"
    /* arguments PID: what its command line says, a line each: `script yes` of a start script, which
     * bears the words of its java; `file`, `override` and `class_path` (Java takes the last). */
    "arguments() {\n"
    "    args_of \"$1\" | awk '\n"
    "        NR == 1 {\n"
    "            shell = $0\n"
    "            sub(/^.*\\//, \"\", shell)\n"
    "            if (shell ~ /^(sh|bash|dash|ash|ksh|zsh)$/) print \"script yes\"\n"
    "        }\n"
    "        seen && before ~ /^--?override$/ { print \"override \" $0; before = \"\"; next }\n"
    "        seen && sub(/^--?override=/, \"\") { print \"override \" $0; before = \"\"; next }\n"
    "        seen && !file && !/^-/ { file = $0 }\n"
    "        seen { before = $0; next }\n"
    "        before ~ /^(-cp|-classpath|--class-path)$/ { path = $0 }\n"
    "        sub(/^(--class-path=|-Djava\\.class\\.path=)/, \"\") { path = $0 }\n"
    "        { seen = $0 == \"kafka.Kafka\"; before = $0 }\n"
    "        END { print \"file \" file; print \"class_path \" path }'\n"
    "}\n"
    "config_of() {\n"
    "    file=$(arguments \"$1\" | sed -n 's/^file //p')\n"
    "    case $file in\n"
    "    '' | /*) ;;\n"
    "    *) dir=$(readlink \"/proc/$1/cwd\" 2>/dev/null) && file=$dir/$file ;;\n"
    "    esac\n"
    "    printf '%s\\n' \"$file\"\n"
    "}\n"
    "below_unit() {\n" /* PID: it, or the Kafka process it is the only ancestor of */
    "    below=$1\n"
    "    for depth in 1 2 3 4; do\n"
    "        ! is_kafka \"$below\" || { echo \"$below\"; return; }\n"
    "        set -- \"$1\" $(cat \"/proc/$below/task/$below/children\" 2>/dev/null)\n"
    "        [ $# -eq 2 ] || break\n"
    "        below=$2\n"
    "    done\n"
    "    echo \"$1\"\n"
    "}\n"
    "by_command_line() {\n"
    "    for p in $(grep -lF kafka.Kafka /proc/[0-9]*/cmdline 2>/dev/null); do\n"
    "        p=${p#/proc/} p=${p%/cmdline}\n"
    "        file=$(config_of \"$p\")\n"
    "        [ -n \"$file\" ] || continue\n"
    "        [ \"$file\" = \"$config\" ] || [ \"$file\" -ef \"$config\" ] || continue\n"
    "        echo \"$p\"\n"
    "    done\n"
    "}\n"
    "only_java() {\n" /* while a start script runs, it bears the same words as its java */
    "    for p in \"$@\"; do\n"
    "        comm=\n"
    "        { read -r comm <\"/proc/$p/comm\"; } 2>/dev/null\n"
    "        [ \"$comm\" != java ] || echo \"$p\"\n"
    "    done\n"
    "}\n"
    "find_process() {\n"
    "    pid=0 start='' pids=''\n"
    "    if [ -n \"$unit\" ]; then\n"
    "        pid=$(systemctl show -p MainPID \"$unit\" 2>/dev/null | sed -n 's/^MainPID=//p')\n"
    "        [ -n \"$pid\" ] || fail \"systemctl does not say whether $unit runs\"\n"
    "        [ \"$pid\" = 0 ] || pid=$(below_unit \"$pid\")\n"
    "    elif [ -n \"$has_status\" ]; then\n"
    "        status_said=$(status_command </dev/null 2>/dev/null) && status_rc=0 || status_rc=$?\n"
    "        pid=$(printf '%s\\n' \"$status_said\" |\n"
    "            sed -n '/^[[:space:]]*[0-9][0-9]*[[:space:]]*$/{s/[^0-9]//g;p;q;}')\n"
    "    fi\n"
    "    [ \"${pid:-0}\" = 0 ] || start=$(start_of \"$pid\")\n"
    "    [ -z \"$start\" ] || return 0\n"
    /* One that its manager does not know of runs all the same: it was started by hand, or the
     * status command failed. */
    "    set -- $(by_command_line)\n"
    "    if [ $# -gt 1 ]; then\n"
    "        pids=$(only_java \"$@\")\n"
    "        [ -z \"$pids\" ] || set -- $pids\n"
    "    fi\n"
    "    pids=\n"
    "    [ $# -le 1 ] || pids=\"$*\"\n"
    "    pid=${1:-0}\n"
    "    [ \"$pid\" = 0 ] || start=$(start_of \"$pid\")\n"
    "    [ -n \"$start\" ] || pid=0\n"
    "}\n";

void kp_script_process(kp_script *s, const kp_host *h)
{
    const kp_host_service *service = &h->spec.service;
    kp_script_set(s, "unit", service->unit);
    kp_script_set(s, "config", h->spec.layout.config);
    kp_script_set(s, "has_status", kp_len(service->status) ? "yes" : "");
    kp_script_command(s, h, "status_command", "files", service->status);
    kp_script_add(s, functions);
}
