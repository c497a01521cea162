"""One node of a lab: what a host of its own would be.

    <lab>/nodes/<name>/
        releases/kafka_2.13-V/   whole release directories of its own (libs/ are hard links)
        current -> releases/kafka_2.13-V
        config/                  server.properties, or zookeeper.properties
        data/                    log.dirs, or ZooKeeper's dataDir
        logs/                    server.log, sshd.log
        run/                     pid of the service, counters, lock
        service                  start | stop | status
        ssh/                     host key and sshd_config

All of it belongs to the account that the SSH server lets in, and that Kafka runs as.
`run/counters` gets a line `EPOCH-MS start` or `EPOCH-MS stop` for each real start and stop and is
the host's own memory of what was done to it: a scenario compares it with what kplay says it did.
"""
from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import patience
from .process import MARK, Ledger, Process, as_user, spawn

SSH_PORT = 2222
USER = "kplaylab"

SERVICE = """#!/bin/sh
# Service of %(name)s: start | stop | status.  Starting a running node and stopping a stopped one
# succeed and change nothing; only real starts and stops are counted.
set -u
node=%(dir)s
export LOG_DIR=$node/logs %(mark)s %(environment)s

# Of a living process: field 22 of its stat line; nothing for a zombie without threads.
start_time() {
    awk '{ sub(/^.*\\) /, ""); if ($1 !~ /[ZX]/ || $18 > 1) print $20 }' "/proc/$1/stat" 2>/dev/null
}

running() { # sets pid
    pid= started=
    [ -f "$node/run/pid" ] && read -r pid started <"$node/run/pid"
    [ -n "$pid" ] && [ "$(start_time "$pid")" = "$started" ]
}

count() { # TIME WHAT
    echo "$1 $2" >>"$node/run/counters"
}

start() {
    running && return 0
    count "$(date +%%s%%3N)" start
    setsid "$node/current/bin/%(script)s" "$node/config/%(properties)s" \\
        >>"$node/logs/server.log" 2>&1 </dev/null 9>&- &
    pid=$!
    started=$(start_time "$pid")
    if [ -z "$started" ]; then
        echo "%(name)s: the process ended at once, see $node/logs/server.log" >&2
        return 1
    fi
    echo "$pid $started" >"$node/run/pid"
    echo "$pid $started %(name)s" >>"%(ledger)s"
    # Until the scripts have given way to Java the process does not look like the node it will be.
    until tr '\\0' '\\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF %(main)s; do
        if ! running; then
            echo "%(name)s: the process ended at once, see $node/logs/server.log" >&2
            return 1
        fi
        sleep 0.02
    done
}

stop() {
    running || return 0
    count "$(date +%%s%%3N)" stop
    kill -TERM "$pid"
}

status() {
    running || return 3
    echo "$pid"
}

exec 9>>"$node/run/lock"
case "${1-}" in
    start|stop) flock 9; "$1" ;;
    status) status ;;
    *) echo "usage: $0 start|stop|status" >&2; exit 2 ;;
esac
"""

SSHD_CONFIG = """Port %(port)d
ListenAddress %(host)s
HostKey %(dir)s/ssh/host_key
AuthorizedKeysFile %(authorized)s
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
AllowUsers %(user)s
UseDNS no
MaxStartups 100
SetEnv %(environment)s
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Account:
    """The user that nodes belong to."""
    name: str
    uid: int
    gid: int
    home: str


def account() -> Account:
    """Oneself; for root, the system user kplaylab, which is made when it is not there: a tool that
    is tried as root on hosts that let root in proves nothing."""
    if os.getuid() == 0:
        try:
            pwd.getpwnam(USER)
        except KeyError:
            # `*` and not the default `!`: a locked account is refused by an SSH server without PAM.
            subprocess.run(["useradd", "--system", "--user-group", "--create-home", "--home-dir",
                            f"/var/lib/{USER}", "--shell", "/bin/sh", "--password", "*", USER],
                           check=True, stdout=subprocess.DEVNULL)
        entry = pwd.getpwnam(USER)
    else:
        entry = pwd.getpwuid(os.getuid())
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


@dataclass
class Node:
    name: str                 # broker-0, controller-3000, node-1, zookeeper-1
    host: str                 # its loopback address
    dir: Path
    owner: Account
    roles: tuple[str, ...]    # of: broker, controller, zookeeper
    id: int | None            # node.id or broker.id; ZooKeeper has none
    rack: str = ""

    @property
    def properties(self) -> Path:
        file = "zookeeper.properties" if "zookeeper" in self.roles else "server.properties"
        return self.dir / "config" / file

    @property
    def service(self) -> Path:
        return self.dir / "service"

    @property
    def log(self) -> Path:
        return self.dir / "logs" / "server.log"

    @property
    def counters(self) -> Path:
        return self.dir / "run" / "counters"

    @property
    def data(self) -> Path:
        return self.dir / "data"

    def release(self) -> str:
        """The version `current` points to."""
        return os.readlink(self.dir / "current").rpartition("-")[2]

    def environment(self) -> dict[str, str]:
        """What a process of this node starts with."""
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.owner.home,
               "USER": self.owner.name, "LANG": "C.UTF-8", MARK: str(self.dir.parent.parent)}
        if "JAVA_HOME" in os.environ:
            env["JAVA_HOME"] = os.environ["JAVA_HOME"]
        return env

    def call(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a command as the node's owner and returns what it printed."""
        return patience.run([str(word) for word in argv], env=self.environment(), cwd="/",
                            **as_user(self.owner.uid, self.owner.gid))

    def tool(self, script: str, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a script of the current release, `kafka-topics.sh` for example."""
        return self.call(self.dir / "current" / "bin" / script, *argv)

    def start(self) -> None:
        """Starts the node through its service script: a counted start."""
        done = self.call(self.service, "start")
        if done.returncode != 0:
            raise RuntimeError(done.stdout.strip())

    def stop(self) -> None:
        """Asks the node to stop (SIGTERM) and does not wait for it: a counted stop."""
        done = self.call(self.service, "stop")
        if done.returncode != 0:
            raise RuntimeError(done.stdout.strip())

    def process(self) -> Process | None:
        """The living process of the node."""
        try:
            pid, start = (self.dir / "run" / "pid").read_text().split()
        except (OSError, ValueError):
            return None
        found = Process(int(pid), int(start), self.name)
        return found if found.alive() else None


def _own(node: Node, path: Path) -> None:
    if node.owner.uid != os.getuid():
        os.chown(path, node.owner.uid, node.owner.gid, follow_symlinks=False)


def build(node: Node, ledger: Ledger, install_current: Path, authorized: Path) -> str:
    """Makes the node's tree but for releases and properties, and returns its known_hosts line.
    `install_current` is the release directory of this node that `current` points to."""
    for part in ("config", "data", "logs", "run", "ssh"):
        (node.dir / part).mkdir()
    (node.dir / "current").symlink_to(install_current.relative_to(node.dir))
    node.counters.touch()

    zookeeper = "zookeeper" in node.roles
    java_home = os.environ.get("JAVA_HOME")
    node.service.write_text(SERVICE % {
        "name": node.name, "dir": node.dir, "ledger": ledger.path,
        "mark": f"{MARK}={ledger.path.parent}",
        "environment": f"JAVA_HOME={java_home}" if java_home else "",
        "script": "zookeeper-server-start.sh" if zookeeper else "kafka-server-start.sh",
        "main": "org.apache.zookeeper.server.quorum.QuorumPeerMain" if zookeeper else "kafka.Kafka",
        "properties": node.properties.name})
    node.service.chmod(0o755)

    key = node.dir / "ssh" / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", node.name, "-f", str(key)],
                   check=True, stdin=subprocess.DEVNULL)
    marks = [f"{MARK}={ledger.path.parent}"] + ([f"JAVA_HOME={java_home}"] if java_home else [])
    (node.dir / "ssh" / "sshd_config").write_text(SSHD_CONFIG % {
        "port": SSH_PORT, "host": node.host, "dir": node.dir, "authorized": authorized,
        "user": node.owner.name, "environment": " ".join(marks)})
    for path in [node.dir, *node.dir.rglob("*")]:
        if path.parent.name != "libs":  # hard links to files that are not this node's
            _own(node, path)
    kind, blob = key.with_suffix(".pub").read_text().split()[:2]
    return f"[{node.host}]:{SSH_PORT} {kind} {blob}\n"


def start_sshd(node: Node, ledger: Ledger) -> subprocess.Popen[bytes]:
    """Starts the node's SSH server as the node's owner, who is then all it can let in."""
    server = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:" + os.environ["PATH"])
    if not server:
        raise RuntimeError("sshd is not installed: apt-get install openssh-server")
    log = node.dir / "logs" / "sshd.log"
    log.touch()
    _own(node, log)
    return spawn(ledger, f"sshd {node.name}",
                 [server, "-D", "-e", "-f", str(node.dir / "ssh" / "sshd_config")],
                 uid=node.owner.uid, gid=node.owner.gid, env=node.environment(), output=log)
