"""The few requests of Kafka's protocol that the lab needs, in versions that every release from 2.8
to 4.x speaks: Metadata v10, CreateTopics v4, DescribeConfigs v1, IncrementalAlterConfigs v0,
Alter- and ListPartitionReassignments v0, ListOffsets v1, FindCoordinator v1, OffsetCommit v2, and
DescribeQuorum v0 (KRaft from 3.0).

It shares no code with kplay, so that one mistake cannot blind both.  Field orders are those of
Kafka's message schemas (clients/src/main/resources/common/message of each release).
"""
from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import patience
from .codec import Reader, Writer

Key = tuple[str, int]  # topic, partition

BROKER, TOPIC = 4, 2   # resource types of the config requests
NOT_CONTROLLER = 41


def _server_ms() -> int:
    """How long the server may take for what a request asks, in milliseconds."""
    return int(patience.stretched(patience.SPREAD) * 1000)


class WireError(Exception):
    """A connection that failed, or an error code in an answer."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Partition:
    leader: int                  # -1: none
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    offline: tuple[int, ...]


@dataclass
class Metadata:
    """What one broker believes."""
    controller: int              # ZooKeeper mode: the controller; KRaft: any broker
    brokers: dict[int, str]      # id -> host:port, those alive
    partitions: dict[Key, Partition] = field(default_factory=dict)
    topic_ids: dict[str, bytes] = field(default_factory=dict)

    def under_replicated(self) -> list[Key]:
        return [k for k, p in self.partitions.items() if len(p.isr) < len(p.replicas)]

    def offline(self) -> list[Key]:
        return [k for k, p in self.partitions.items() if p.leader < 0]

    def not_in_sync(self, broker: int) -> list[Key]:
        """Partitions that have a replica on the broker and not in the ISR."""
        return [k for k, p in self.partitions.items()
                if broker in p.replicas and broker not in p.isr]


class Connection:
    """One connection to one broker; requests are answered in turn.  Any failure closes it, and the
    next request connects again."""

    def __init__(self, address: str, allowance: float = patience.ANSWER) -> None:
        self.address = address
        self.allowance = allowance
        self._socket: socket.socket | None = None
        self._sent = 0
        self._topics_bytes = b""
        self._topics: tuple[dict[Key, Partition], dict[str, bytes]] = ({}, {})

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _receive(self, count: int) -> bytes:
        parts = []
        while count:
            assert self._socket
            part = self._socket.recv(count)
            if not part:
                raise OSError("connection closed")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def call(self, api: int, version: int, flexible: bool, body: bytes) -> Reader:
        """Sends a request and returns a reader that stands at the body of the answer."""
        self._sent += 1
        header = struct.pack(">hhi", api, version, self._sent) + struct.pack(">h", 3) + b"lab"
        request = header + (b"\0" if flexible else b"") + body
        try:
            if self._socket is None:
                host, _, port = self.address.rpartition(":")
                self._socket = socket.create_connection(
                    (host, int(port)), patience.stretched(self.allowance))
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(struct.pack(">i", len(request)) + request)
            reader = Reader(self._receive(struct.unpack(">i", self._receive(4))[0]), flexible)
            if reader.number("i") != self._sent:
                raise OSError("an answer to another question")
        except OSError as problem:
            self.close()
            raise WireError(f"{self.address}: {problem}") from problem
        reader.tags()
        return reader

    def metadata(self) -> Metadata:
        """Metadata of all topics.  Topics that did not change since the last call are not decoded
        again, so that asking often is cheap."""
        body = Writer(True).array(None, lambda _: None).number("?", 0).number("?", 0).number("?", 0)
        r = self.call(3, 10, True, body.tags().bytes())
        r.number("i")
        brokers = {}
        for _ in range(r.length("i") or 0):
            node, host, port = r.number("i"), r.string(), r.number("i")
            r.string()
            r.tags()
            brokers[node] = f"{host}:{port}"
        r.string()
        found = Metadata(r.number("i"), brokers)
        rest = r.data[r.at:]
        if rest != self._topics_bytes:
            self._topics = self._read_topics(r)
            self._topics_bytes = rest
        found.partitions, found.topic_ids = self._topics
        return found

    @staticmethod
    def _read_topics(r: Reader) -> tuple[dict[Key, Partition], dict[str, bytes]]:
        partitions: dict[Key, Partition] = {}
        ids: dict[str, bytes] = {}
        for _ in range(r.length("i") or 0):
            r.number("h")
            topic = r.string() or ""
            ids[topic] = r.raw(16)
            r.number("?")
            for _ in range(r.length("i") or 0):
                r.number("h")
                index, leader = r.number("i"), r.number("i")
                r.number("i")
                partitions[topic, index] = Partition(leader, r.ints(), r.ints(), r.ints())
                r.tags()
            r.number("i")
            r.tags()
        return partitions, ids

    def create_topic(self, name: str, partitions: int, replication: int, config: dict[str, str],
                     assignment: dict[int, list[int]] | None = None) -> None:
        """Creates a topic; `assignment` names the replicas of each partition."""
        w = Writer(False).number("i", 1).string(name)
        if assignment:
            partitions = replication = -1
        w.number("i", partitions).number("h", replication)
        w.array((assignment or {}).items(), lambda item: w.number("i", item[0]).array(
            item[1], lambda broker: w.number("i", broker)))
        w.array(config.items(), lambda item: w.string(item[0]).string(item[1]))
        r = self.call(19, 4, False, w.number("i", _server_ms()).number("?", 0).bytes())
        r.number("i")
        for topic, code, text in r.array(lambda: (r.string(), r.number("h"), r.string())):
            if code:
                raise WireError(f"create topic {topic}: error {code} {text or ''}", code)

    def coordinator(self, group: str) -> str:
        """host:port of the broker that has the group."""
        r = self.call(10, 1, False, Writer(False).string(group).number("b", 0).bytes())
        r.number("i")
        code, text, _, host, port = r.number("h"), r.string(), r.number("i"), r.string(), r.number("i")
        if code:
            raise WireError(f"coordinator of {group}: error {code} {text or ''}", code)
        return f"{host}:{port}"

    def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Where the partitions that this broker leads end."""
        w = Writer(False).number("i", -1)
        w.array([topic], lambda name: w.string(name).array(
            partitions, lambda index: w.number("i", index).number("q", -1)))
        r = self.call(2, 1, False, w.bytes())
        found = {}
        for _ in range(r.length("i") or 0):
            r.string()
            for index, code, _, offset in r.array(
                    lambda: (r.number("i"), r.number("h"), r.number("q"), r.number("q"))):
                if code:
                    raise WireError(f"end of {topic}-{index}: error {code}", code)
                found[index] = offset
        return found

    def commit(self, group: str, topic: str, offsets: dict[int, int]) -> None:
        """Commits for a group without members; asked of its coordinator."""
        w = Writer(False).string(group).number("i", -1).string("").number("q", -1)
        w.array([topic], lambda name: w.string(name).array(
            offsets.items(), lambda item: w.number("i", item[0]).number("q", item[1]).string("")))
        r = self.call(8, 2, False, w.bytes())
        for name, parts in r.array(lambda: (r.string(), r.array(
                lambda: (r.number("i"), r.number("h"))))):
            for index, code in parts:
                if code:
                    raise WireError(f"commit of {group} to {name}-{index}: error {code}", code)

    def min_isr(self, topics: Iterable[str]) -> dict[str, int]:
        """min.insync.replicas of topics, as the broker has them now."""
        w = Writer(False)
        w.array(topics, lambda topic: w.number("b", TOPIC).string(topic).array(
            ["min.insync.replicas"], w.string))
        r = self.call(32, 1, False, w.number("?", 0).bytes())
        r.number("i")
        found = {}
        for _ in range(r.length("i") or 0):
            code, text, _, topic = r.number("h"), r.string(), r.number("b"), r.string() or ""
            if code:
                raise WireError(f"describe config of {topic}: error {code} {text or ''}", code)
            for _ in range(r.length("i") or 0):
                r.string()
                found[topic] = int(r.string() or "")
                r.number("?")
                r.number("b")
                r.number("?")
                r.array(lambda: (r.string(), r.string(), r.number("b")))
        return found

    def alter_config(self, kind: int, name: str, changes: dict[str, str | None]) -> None:
        """Sets dynamic configs of a broker or topic; None removes one."""
        w = Writer(False).number("i", 1).number("b", kind).string(name)
        w.array(changes.items(), lambda item: w.string(item[0]).number(
            "b", 1 if item[1] is None else 0).string(item[1]))
        r = self.call(44, 0, False, w.number("?", 0).bytes())
        r.number("i")
        for code, text, _, resource in r.array(
                lambda: (r.number("h"), r.string(), r.number("b"), r.string())):
            if code:
                raise WireError(f"alter config of {resource}: error {code} {text or ''}", code)

    def alter_reassignments(self, changes: dict[Key, list[int] | None]) -> None:
        """Starts reassignments; None cancels one."""
        w = Writer(True).number("i", _server_ms())

        def write(item: tuple[Key, list[int] | None]) -> None:
            (topic, index), replicas = item
            w.string(topic).length(1, "i").number("i", index)
            w.array(replicas, lambda broker: w.number("i", broker)).tags().tags()

        r = self.call(45, 0, True, w.array(changes.items(), write).tags().bytes())
        r.number("i")
        code, text = r.number("h"), r.string()
        if code:
            raise WireError(f"reassign: error {code} {text or ''}", code)
        for _ in range(r.length("i") or 0):
            topic = r.string()
            for _ in range(r.length("i") or 0):
                index, code, text = r.number("i"), r.number("h"), r.string()
                r.tags()
                if code:
                    raise WireError(f"reassign {topic}-{index}: error {code} {text or ''}", code)
            r.tags()

    def reassignments(self) -> dict[Key, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
        """Reassignments that are running: replicas, adding, removing."""
        w = Writer(True).number("i", _server_ms()).array(None, lambda _: None).tags()
        r = self.call(46, 0, True, w.bytes())
        r.number("i")
        code, text = r.number("h"), r.string()
        if code:
            raise WireError(f"list reassignments: error {code} {text or ''}", code)
        found = {}
        for _ in range(r.length("i") or 0):
            topic = r.string() or ""
            for _ in range(r.length("i") or 0):
                index = r.number("i")
                found[topic, index] = (r.ints(), r.ints(), r.ints())
                r.tags()
            r.tags()
        return found
