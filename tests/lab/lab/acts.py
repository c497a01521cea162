"""What a scenario does to a cluster, to see what kplay makes of it: nodes that are killed or
frozen, files that someone edited, partitions that are not as they should be.

Everything here goes around kplay, and is not counted by the service scripts unless it says so.
"""
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from . import node as nodes, patience, releases
from .config import Topic
from .load import fill
from .node import SSH_PORT, Node
from .process import Process
from .wire import BROKER, TOPIC, Connection, Key

if TYPE_CHECKING:
    from .cluster import Lab

# A release, and a line that stops it from starting while all older ones here do not know the key.
POISON = {
    "3.5": ("group.coordinator.threads", "0"),
    "3.9": ("group.coordinator.append.linger.ms", "-1"),
    "4.0": ("share.coordinator.threads", "0"),
}


# Processes

def ssh(lab: Lab, node: Node, command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command on a node as kplay would: by SSH, as the lab's user, without a terminal."""
    return patience.run(
        ["ssh", "-F", "none", "-T", "-p", str(SSH_PORT), "-i", str(lab.identity),
         "-o", f"UserKnownHostsFile={lab.known_hosts}", "-o", "StrictHostKeyChecking=yes",
         "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
         f"{lab.owner.name}@{node.host}", command])


def running(node: Node) -> Process:
    process = node.process()
    if process is None:
        raise RuntimeError(f"{node.name} does not run")
    return process


def kill(node: Node) -> None:
    """kill -9, and waits until the process is gone.  A broker started again within its session
    (18 s in ZooKeeper mode, 9 s in KRaft) is kept out until the session ends; in ZooKeeper mode it
    gives up and exits: NodeExists at /brokers/ids."""
    process = running(node)
    process.send(signal.SIGKILL)
    process.wait_gone()


def freeze(node: Node) -> None:
    """The process stays, its port accepts, and nothing answers."""
    running(node).send(signal.SIGSTOP)


def thaw(node: Node) -> None:
    running(node).send(signal.SIGCONT)


def stop_and_wait(lab: Lab, node: Node) -> None:
    """A counted stop, until the process is gone and, of a broker, until another broker says so: its
    partitions are under-replicated then."""
    process = running(node)
    node.stop()
    lab.wait(lambda: not process.alive(), f"{node.name} to stop")
    others = [n.id for n in lab.brokers() if n is not node and n.process()]
    if "broker" in node.roles and others:
        lab.wait(lambda: node.id not in lab.metadata(others[0]).brokers,
                 f"broker {others[0]} to miss {node.name}")


def restart_by_ssh(lab: Lab, node: Node) -> None:
    """A counted restart through the node's SSH server, and until every partition is in sync."""
    process = running(node)
    for verb in ("stop", "start"):
        done = ssh(lab, node, f"{node.service} {verb}")
        if done.returncode != 0:
            raise RuntimeError(f"{node.name}: {verb}: {done.stdout}")
        if verb == "stop":
            lab.wait(lambda: not process.alive(), f"{node.name} to stop")
    lab.wait_in_sync()


# Files of a node

def lines_of(path: Path, key: str) -> list[str]:
    """The values that a properties file gives a key, in order; the last one counts."""
    values = []
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", "!")) and name.strip() == key:
            values.append(value.strip())
    return values


def ibp(node: Node) -> list[str]:
    """The inter.broker.protocol.version lines of a node's server.properties."""
    return lines_of(node.properties, "inter.broker.protocol.version")


def edit(node: Node, key: str, value: str | None) -> None:
    """Someone's edit of server.properties: the key's lines are replaced by one, or removed (None).
    The file is replaced by a rename, as editors do, and stays the node's owner's."""
    kept = [line for line in node.properties.read_text().splitlines()
            if line.partition("=")[0].strip() != key]
    if value is not None:
        kept.append(f"{key}={value}")
    fresh = node.properties.with_suffix(".edited")
    fresh.write_text("\n".join(kept) + "\n")
    os.chown(fresh, node.owner.uid, node.owner.gid)
    fresh.rename(node.properties)


def poison(node: Node, release: str) -> str:
    """Edits the file so that `release` does not start, and the older releases of the lab do.
    Returns the key."""
    key, value = POISON[".".join(release.split(".")[:2])]
    edit(node, key, value)
    return key


def add_line(node: Node, line: str) -> None:
    """Someone's line at the end of server.properties."""
    with open(node.properties, "a") as file:
        file.write(line + "\n")


@contextlib.contextmanager
def away(node: Node, path: Path) -> Iterator[None]:
    """A file or directory of the node is not there in the block."""
    hidden = node.dir / "run" / path.name
    path.rename(hidden)
    try:
        yield
    finally:
        hidden.rename(path)


@contextlib.contextmanager
def as_it_was(*paths: Path) -> Iterator[None]:
    """What happens to these files in the block is undone after it."""
    kept = [(path, path.read_bytes(), path.stat()) for path in paths]
    try:
        yield
    finally:
        for path, data, stat in kept:
            fresh = path.with_name(path.name + ".as-it-was")
            fresh.write_bytes(data)
            fresh.chmod(stat.st_mode & 0o777)
            os.chown(fresh, stat.st_uid, stat.st_gid)
            fresh.rename(path)


def release_dir(node: Node, release: str) -> Path:
    return node.dir / "releases" / releases.directory_name(release)


def relink(node: Node, release: str) -> None:
    """By hand: the node's link names that release."""
    fresh = node.dir / "current.by-hand"
    fresh.symlink_to(Path("releases") / releases.directory_name(release))
    if node.owner.uid != os.getuid():
        os.chown(fresh, node.owner.uid, node.owner.gid, follow_symlinks=False)
    fresh.rename(node.dir / "current")


def runs_release(node: Node, release: str) -> bool:
    """The process has that release's jars on its class path."""
    return f"/kafka-clients-{release}.jar" in Path(f"/proc/{running(node).pid}/cmdline").read_text()


@contextlib.contextmanager
def put_back(lab: Lab, node: Node) -> Iterator[None]:
    """Whatever becomes of this node in the block: after it the file is as it was, the process is one
    of the release that the link named, and every partition is in sync."""
    release = node.release()
    try:
        with as_it_was(node.properties, node.service):
            yield
    finally:
        relink(node, release)
        with contextlib.suppress(RuntimeError, OSError):  # it is none, or ends of itself
            if not runs_release(node, release):
                kill(node)
        if not node.process():
            node.start()
        lab.wait_in_sync()


def without_release(node: Node, release: str) -> contextlib.AbstractContextManager[None]:
    """The release directory of this node is not there in the block."""
    return away(node, release_dir(node, release))


def without_jar(node: Node, release: str) -> contextlib.AbstractContextManager[None]:
    """A staged release of this node is only half unpacked in the block: no kafka.Kafka in it."""
    return away(node, release_dir(node, release) / "libs" / f"kafka_2.13-{release}.jar")


@contextlib.contextmanager
def file_in_release(node: Node, other: str) -> Iterator[None]:
    """server.properties really lies inside the release in use, and release `other` has one of its
    own there: a switch would swap the file."""
    inside = release_dir(node, node.release()) / "config" / node.properties.name
    swapped = release_dir(node, other) / "config" / node.properties.name
    with as_it_was(node.properties):
        for path, text in ((inside, node.properties.read_text()), (swapped, "# as unpacked\n")):
            path.write_text(text)
            os.chown(path, node.owner.uid, node.owner.gid)
        fresh = node.properties.with_suffix(".edited")
        fresh.symlink_to(node.dir / "current" / "config" / node.properties.name)
        fresh.rename(node.properties)
        try:
            yield
        finally:
            inside.unlink()
            swapped.unlink()


def provided(node: Node, key: str) -> None:
    """Someone's edit: a value is no longer in server.properties, but in a file that the node's own
    config provider reads."""
    value = lines_of(node.properties, key)[-1]
    site = node.dir / "config" / "site.properties"
    site.write_text(f"{key}={value}\n")
    os.chown(site, node.owner.uid, node.owner.gid)
    edit(node, key, f"${{file:{site}:{key}}}")
    add_line(node, "config.providers=file")
    add_line(node, "config.providers.file.class="
                   "org.apache.kafka.common.config.provider.FileConfigProvider")


def spare(lab: Lab, node: Node) -> Node:
    """A spare host for the node: a clone of its host, with an SSH server of its own and the same
    files at its own places, where nothing runs."""
    name = f"spare-{node.name}"
    parts = node.host.split(".")
    twin = Node(name, ".".join((*parts[:2], "4", parts[3])), lab.dir / "nodes" / name, lab.owner,
                node.roles, node.id, node.rack)
    for each in (lab.dir / "releases").iterdir():
        releases.install(each, twin.dir / "releases")
    known = nodes.build(twin, lab.ledger, release_dir(twin, node.release()),
                        lab.dir / "ssh" / "authorized_keys")
    twin.properties.write_text(node.properties.read_text().replace(str(node.dir), str(twin.dir)))
    for name in ("meta.properties", ".kafka_cleanshutdown"):
        path = twin.data / name
        source = node.data / name
        path.write_text(source.read_text() if source.exists() else "")
        os.chown(path, twin.owner.uid, twin.owner.gid)
    os.chown(twin.properties, twin.owner.uid, twin.owner.gid)
    with open(lab.known_hosts, "a") as file:
        file.write(known)
    lab.serve(twin)
    return twin


# Partitions

def set_topic_config(lab: Lab, topic: str, changes: dict[str, str | None]) -> None:
    """min.insync.replicas, unclean.leader.election.enable, ...; None removes a setting."""
    lab.on_controller(lambda c: c.alter_config(TOPIC, topic, changes))


class Reassignment:
    """A partition that is being moved, so slowly that it will not end by itself: data of 8 MB and a
    throttle of 1 KB a second.  While it runs Metadata shows the partition as under-replicated."""

    def __init__(self, lab: Lab, name: str = "moving") -> None:
        self.lab = lab
        self.topic = Topic(name, 1, 2, 1)
        self.key: Key = (name, 0)
        ids = [n.id for n in lab.brokers()]
        self.before, self.after = ids[:2], [ids[0], ids[2]]

    def start(self) -> Reassignment:
        self.lab.create_topic(self.topic, {0: self.before})
        self.lab.wait(lambda: self.key in self.lab.metadata().partitions, "the topic to move",
                      patience.SPREAD)
        fill(self.lab, self.topic, 800)
        self._throttle("1000")
        self.lab.on_controller(lambda c: c.alter_reassignments({self.key: self.after}))
        return self

    def running(self) -> bool:
        found: set[Key] = set()

        def look(connection: Connection) -> None:
            found.update(connection.reassignments())

        self.lab.on_controller(look)
        return self.key in found

    def finish(self) -> None:
        """Lifts the throttle and waits for the end."""
        self._throttle(None)
        self.lab.wait(lambda: not self.running(), "the reassignment to end")

    def cancel(self) -> None:
        self.lab.on_controller(lambda c: c.alter_reassignments({self.key: None}))
        self._throttle(None)

    def _throttle(self, rate: str | None) -> None:
        for broker in self.lab.brokers():
            changes = {f"{side}.replication.throttled.rate": rate
                       for side in ("leader", "follower")}
            self.lab.ask(broker.id).alter_config(BROKER, str(broker.id), changes)
        every = None if rate is None else "*"
        set_topic_config(self.lab, self.topic.name, {
            f"{side}.replication.throttled.replicas": every for side in ("leader", "follower")})
