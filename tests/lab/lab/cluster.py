"""Lab: a cluster from nothing to in sync, and away again.

    with Lab(Spec("kraft", "3.7.2", also=("3.9.1",))) as lab:
        ...                                  # in sync; lab.file is its kplay.yaml

However the block ends (its end, an exception, Ctrl-C, SIGTERM, the end of the interpreter), every
process of the lab is ended.  After an exception the directory is kept, logs and all, and named on
standard error; otherwise, and after Ctrl-C, it is removed, unless its place was given by the caller.

All addresses are below 127.<octet>; the octet is drawn from the pid and taken only if nobody
listens there, so that labs can run side by side.
"""
from __future__ import annotations

import atexit
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from . import config, inventory, node as nodes, patience, releases, scripts
from .config import BROKER_PORT, CONTROLLER_PORT, ZOOKEEPER_PORT, Spec, Topic
from .node import Account, Node
from .process import Ledger, Process, end_all
from .wire import NOT_CONTROLLER, Connection, Metadata, WireError


FIRST_CONTROLLER = 3000  # is added to the ids of controllers that are no brokers


def _free_octet() -> int:
    """A second octet of 127/8 where no lab listens."""
    drawn = zlib.crc32(str(os.getpid()).encode())
    for attempt in range(250):
        octet = 2 + (drawn + attempt) % 250
        try:
            for third in (1, 2, 3):
                for port in (nodes.SSH_PORT, BROKER_PORT, CONTROLLER_PORT, ZOOKEEPER_PORT):
                    with socket.socket() as probe:
                        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        probe.bind((f"127.{octet}.{third}.1", port))
            return octet
        except OSError:
            continue
    raise RuntimeError("no free addresses below 127/8")


class Lab:
    def __init__(self, spec: Spec, directory: Path | str | None = None) -> None:
        self.spec = spec
        self.name = spec.name or f"lab-{spec.mode}"
        self.given = directory is not None
        self.dir = Path(directory).absolute() if directory else Path()
        self.owner: Account = nodes.account()
        self.nodes: list[Node] = []
        self.timings: dict[str, float] = {}
        self.tell: Callable[[str], None] = lambda text: None  # what is being done, and how far
        self._running = False
        self._servers: list[subprocess.Popen[bytes]] = []
        self._signals: dict[int, object] = {}
        self._connections: dict[int, Connection] = {}

    # What there is

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.dir / "pids")

    @property
    def file(self) -> Path:
        return self.dir / "kplay.yaml"

    @property
    def identity(self) -> Path:
        return self.dir / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.dir / "ssh" / "known_hosts"

    def brokers(self) -> list[Node]:
        return [n for n in self.nodes if "broker" in n.roles]

    def controllers(self) -> list[Node]:
        return [n for n in self.nodes if "controller" in n.roles]

    def zookeepers(self) -> list[Node]:
        return [n for n in self.nodes if "zookeeper" in n.roles]

    def node(self, which: int | str) -> Node:
        """A node by its id or its name."""
        return next(n for n in self.nodes if which in (n.id, n.name))

    def bootstrap(self) -> str:
        return ",".join(f"{n.host}:{BROKER_PORT}" for n in self.brokers())

    # What it says

    def connection(self, broker: Node, allowance: float = patience.ANSWER) -> Connection:
        """A new connection to that broker; the caller closes it."""
        return Connection(f"{broker.host}:{BROKER_PORT}", allowance)

    def ask(self, broker: int) -> Connection:
        """The lab's own connection to a broker; for the main thread."""
        if broker not in self._connections:
            self._connections[broker] = self.connection(self.node(broker))
        return self._connections[broker]

    def hang_up(self) -> None:
        """Closes the lab's own connections; the next question opens another."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def metadata(self, broker: int | None = None) -> Metadata:
        """Metadata as one broker sees it, by default the first that answers."""
        problem: WireError | None = None
        for each in self.brokers():
            if broker in (None, each.id):
                try:
                    return self.ask(each.id).metadata()
                except WireError as failed:
                    problem = failed
        raise problem or WireError(f"no broker {broker}")

    def min_isr(self) -> dict[str, int]:
        """min.insync.replicas of every topic, as the first broker that answers has them."""
        problem: WireError | None = None
        for each in self.brokers():
            try:
                connection = self.ask(each.id)
                return connection.min_isr(connection.metadata().topic_ids)
            except WireError as failed:
                problem = failed
        raise problem or WireError("no brokers")

    def on_controller(self, act: Callable[[Connection], object]) -> None:
        """Does something that only the controller takes: in ZooKeeper mode one broker, which may
        change meanwhile; in KRaft any broker, which passes it on."""
        refused: list[Exception] = []

        def done() -> bool:
            try:
                act(self.ask(self.metadata().controller))
                return True
            except (WireError, StopIteration) as problem:
                if getattr(problem, "code", 0) not in (0, NOT_CONTROLLER):
                    raise
                refused[:] = [problem]
                return False

        try:
            patience.until(done, "a controller", patience.SPREAD)
        except TimeoutError as late:
            raise (refused[0] if refused else late) from late

    def in_sync(self) -> bool:
        """Every broker answers, lists all the others, and has every replica in its ISR."""
        everyone = {n.id for n in self.brokers()}
        try:
            for each in self.brokers():
                seen = self.ask(each.id).metadata()
                if set(seen.brokers) != everyone or seen.under_replicated() or seen.offline():
                    return False
                if not {t.name for t in self.spec.topics} <= set(seen.topic_ids):
                    return False
        except WireError:
            return False
        return True

    def wait_in_sync(self, allowance: float = patience.SYNC) -> None:
        self.wait(self.in_sync, "every broker to be in every ISR", allowance)

    def wait(self, condition: Callable[[], bool], what: str,
             allowance: float = patience.SYNC) -> None:
        """Waits for a condition; TimeoutError says what was waited for, and where the logs are."""
        try:
            patience.until(condition, what, allowance)
        except TimeoutError as late:
            raise TimeoutError(f"{late}; logs are in {self.dir}/nodes") from None

    def recorded(self) -> int:
        """Bytes in the journals of all runs on this lab: they grow while a kplay gets on."""
        size = 0
        for path in self.dir.glob("*runs*/*/journal.jsonl"):
            with suppress(FileNotFoundError):  # a new run's directory is renamed once
                size += path.stat().st_size
        return size

    def create_topic(self, topic: Topic, assignment: dict[int, list[int]] | None = None) -> None:
        settings = {"min.insync.replicas": str(topic.min_isr), **topic.config}
        self.on_controller(lambda c: c.create_topic(topic.name, topic.partitions, topic.replication,
                                                    settings, assignment))
        self.wait(lambda: self._known(topic.name), f"every broker to know {topic.name}")

    def _known(self, topic: str) -> bool:
        """A broker that answers may hear of a new topic some time after another."""
        known = []
        for each in self.brokers():
            try:
                known.append(topic in self.ask(each.id).metadata().topic_ids)
            except WireError:
                continue  # it is down
        return bool(known) and all(known)

    # How it comes

    @contextmanager
    def _timed(self, what: str, words: str) -> Iterator[None]:
        stages = 5 if self.spec.mode == "zookeeper" else 6
        self.tell(f"{len(self.timings) + 1} of {stages}  {words}")
        begin = time.monotonic()
        yield
        self.timings[what] = round(time.monotonic() - begin, 2)

    def _plan(self) -> None:
        octet = _free_octet()
        spec = self.spec

        def add(kind: str, third: int, index: int, roles: tuple[str, ...], id_: int | None) -> None:
            rack = "abcdefghijklmnopqrstuvwxyz"[index % 26] if "broker" in roles else ""
            name = f"{kind}-{index + 1 if id_ is None else id_}"
            self.nodes.append(Node(name, f"127.{octet}.{third}.{index + 1}",
                                   self.dir / "nodes" / name, self.owner, roles, id_, rack))

        if spec.mode == "zookeeper":
            add("zookeeper", 3, 0, ("zookeeper",), None)
        if spec.mode == "kraft":
            for i in range(spec.controllers):
                add("controller", 2, i, ("controller",), FIRST_CONTROLLER + spec.first_id + i)
        for i in range(spec.brokers):
            if spec.mode == "combined":
                add("node", 1, i, ("broker", "controller"), spec.first_id + i)
            else:
                add("broker", 1, i, ("broker",), spec.first_id + i)

    def _make_directory(self) -> None:
        if self.given:
            self.dir.mkdir(parents=True)
        else:
            self.dir = Path(tempfile.mkdtemp(prefix="kplay-lab-"))
        self.dir.chmod(0o755)  # the lab's user passes through
        self.ledger.create(self.owner.uid, self.owner.gid)

    def _build(self) -> None:
        with self._timed("trees", f"a directory tree, a configuration and keys for each of {len(self.nodes)} nodes"):
            shared = self.dir / "releases"
            for version in (self.spec.release, *self.spec.also):
                scripts.write(releases.install(releases.fetch(version), shared))
            (self.dir / "ssh").mkdir(mode=0o755)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f",
                            str(self.identity)], check=True, stdin=subprocess.DEVNULL)
            authorized = self.dir / "ssh" / "authorized_keys"
            shutil.copy(self.identity.with_suffix(".pub"), authorized)
            known = ""
            for each in self.nodes:
                for release in shared.iterdir():
                    releases.install(release, each.dir / "releases")
                current = each.dir / "releases" / releases.directory_name(self.spec.release)
                known += nodes.build(each, self.ledger, current, authorized)
                text = (config.zookeeper(each) if "zookeeper" in each.roles
                        else config.server(each, self.spec, self.nodes))
                each.properties.write_text(text)
                os.chown(each.properties, self.owner.uid, self.owner.gid)
            self.known_hosts.write_text(known)
        self.file.write_text(inventory.text(self))
        (self.dir / "lab.json").write_text(json.dumps({
            "spec": self.spec.as_dict(),
            "nodes": [{"name": n.name, "host": n.host, "roles": n.roles, "id": n.id, "rack": n.rack}
                      for n in self.nodes]}, indent=1))

    def _format(self) -> None:
        """Formats the data directories of KRaft nodes with Kafka's own tool, two at a time."""
        # kafka-storage takes an id that begins with "-" for an option.
        cluster_id = "-"
        while cluster_id.startswith("-"):
            cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        version = self.spec.metadata_version

        def one(each: Node) -> None:
            words = ["--release-version", version] if version else []
            done = each.tool("kafka-storage.sh", "format", "-t", cluster_id, "-c", each.properties,
                             *words)
            if done.returncode != 0:
                raise RuntimeError(f"{each.name}: could not be formatted:\n{done.stdout}")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, self.nodes))

    def up(self) -> None:
        """Builds the cluster and returns when every partition is in sync."""
        begin = time.monotonic()
        patience.measure()
        versions = (self.spec.release, *self.spec.also)
        with self._timed("releases", f"Kafka {', '.join(versions)}"):
            for version in versions:
                if not (releases.cache() / releases.directory_name(version)).is_dir():
                    self.tell(f"        fetching Kafka {version}, about 100 MB, once, into {releases.cache()}")
                releases.fetch(version)
        self._make_directory()
        self._running = True
        self._plan()
        self._build()
        with self._timed("ssh servers", "an SSH server for each node, on a loopback address"):
            self.serve(*self.nodes)
        if self.spec.mode != "zookeeper":
            with self._timed("format", "formatting the nodes' directories with kafka-storage"):
                self._format()
        with self._timed("start", f"starting {', '.join(n.name for n in self.nodes)}"):
            for each in self.nodes:
                each.start()
        with self._timed("in sync", "waiting until every broker lists every other"):
            self.wait(self._all_listed, "every broker to list every other")
            for topic in self.spec.topics:
                self.tell(f"        topic {topic.name}, {topic.partitions} partitions")
                self.create_topic(topic)
            self.tell("        waiting until every replica is in sync")
            self.wait_in_sync()
        self.timings["up"] = round(time.monotonic() - begin, 2)

    def serve(self, *hosts: Node) -> None:
        """Starts the SSH servers of these, and returns when they accept."""
        for each in hosts:
            self._servers.append(nodes.start_sshd(each, self.ledger))
        for each in hosts:
            self.wait(lambda n=each: _accepts(n.host, nodes.SSH_PORT),  # type: ignore[misc]
                      f"the SSH server of {each.name}")

    def _all_listed(self) -> bool:
        for each in self.nodes:
            if each.process() is None:
                raise RuntimeError(f"{each.name} ended while the lab was starting, see {each.log}")
        try:
            return all(len(self.ask(n.id).metadata().brokers) == len(self.brokers())
                       for n in self.brokers())
        except WireError:
            return False

    @classmethod
    def attach(cls, directory: Path | str) -> Lab:
        """The lab that was left running in a directory."""
        home = Path(directory).absolute()
        kept = json.loads((home / "lab.json").read_text())
        lab = cls(Spec(**kept["spec"]), home)
        for each in kept["nodes"]:
            lab.nodes.append(Node(each["name"], each["host"], home / "nodes" / each["name"],
                                  lab.owner, tuple(each["roles"]), each["id"], each["rack"]))
        return lab

    # How it goes

    def end(self) -> list[Process]:
        """Ends every process of the lab; returns those that would not end."""
        self.hang_up()
        self._running = False
        stuck = end_all(self.ledger) if self.ledger.path.exists() else []
        for server in self._servers:
            server.poll()  # what is left of them in the process table
        return stuck

    def keep_running(self) -> None:
        """The end of the `with` block is not to be the end of the cluster."""
        self._running = False

    def __enter__(self) -> Lab:
        atexit.register(self._at_exit)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                self._signals[number] = signal.signal(number, _raise)
        try:
            self.up()
        except BaseException as problem:
            self.__exit__(type(problem), problem, problem.__traceback__)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None,
                 trace: TracebackType | None) -> None:
        main = threading.current_thread() is threading.main_thread()
        # A second Ctrl-C must not leave half of the processes.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
        try:
            if not self._running:
                return
            stuck = self.end()
            if stuck:
                print(f"lab: would not end: {stuck}", file=sys.stderr)
            if kind is not None and not (kind is KeyboardInterrupt and not self.given):
                print(f"lab: kept for you to look at: {self.dir}", file=sys.stderr)
            elif not self.given:
                shutil.rmtree(self.dir, ignore_errors=True)
        finally:
            atexit.unregister(self._at_exit)
            for number, handler in self._signals.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
            if main:
                signal.signal(signal.SIGINT, before)

    def _at_exit(self) -> None:
        if self._running:
            self.end()


def _raise(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), patience.stretched(patience.ANSWER)).close()
        return True
    except OSError:
        return False
