"""The properties files of a lab's nodes, for each way Kafka can be arranged.

zookeeper  one ZooKeeper node and brokers that register there
kraft      controllers and brokers apart
combined   nodes that are both

The files are laid out as people keep them, with comments and in no sorted order, because what edits
them must keep both.  Anything may be overridden per lab; what is written here is what makes a small
cluster behave like a large one (replicated internal topics, racks) or start faster (few threads,
no pause before a first rebalance).
"""
from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .node import Node

MODES = ("zookeeper", "kraft", "combined")
BROKER_PORT = 9092
CONTROLLER_PORT = 9093
ZOOKEEPER_PORT = 2181


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int = 12
    replication: int = 3
    min_isr: int = 2
    config: dict[str, str] = field(default_factory=dict)


def parse_topics(text: str) -> tuple[Topic, ...]:
    """'orders:12:3:2,audit:6:3:1' as topics: name, partitions, replication factor, min ISR."""
    topics = []
    for part in text.split(","):
        name, *numbers = part.split(":")
        if len(numbers) > 3:
            raise ValueError(f"{part}: more than NAME:PARTITIONS:RF:MIN_ISR")
        topics.append(Topic(name, *map(int, numbers)))  # type: ignore[arg-type]
    return tuple(topics)


DEFAULT_TOPICS = (Topic("orders", 12, 3, 2), Topic("payments", 6, 3, 2))


@dataclass
class Spec:
    """What a lab is to be."""
    mode: str
    release: str
    also: tuple[str, ...] = ()           # further releases, staged on every node
    brokers: int = 3                     # combined mode: nodes
    controllers: int = 3                 # kraft mode only
    topics: tuple[Topic, ...] = DEFAULT_TOPICS
    ibp: str | None = None               # zookeeper: inter.broker.protocol.version in the files
    metadata_version: str | None = None  # kraft, combined: to format with; None: the release's own
    properties: dict[str, str] = field(default_factory=dict)  # lines of every server.properties
    auto_leader_rebalance: bool = False
    name: str | None = None              # cluster: in kplay.yaml; None = lab-MODE
    first_id: int = 1                    # the first broker's; the first controller's: 3000 more

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"unknown mode {self.mode}: one of {', '.join(MODES)}")
        self.also = tuple(self.also)
        self.topics = tuple(t if isinstance(t, Topic) else Topic(**t) for t in self.topics)
        for topic in self.topics:
            if topic.replication > self.brokers:
                raise ValueError(f"topic {topic.name} wants {topic.replication} replicas, "
                                 f"there are {self.brokers} brokers")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _text(sections: list[tuple[str, dict[str, str]]], overrides: dict[str, str]) -> str:
    known = {key for _, section in sections for key in section}
    extra = {key: value for key, value in overrides.items() if key not in known}
    lines = []
    for title, section in sections + ([("of this lab", extra)] if extra else []):
        lines.append(f"# {title}")
        lines += [f"{key}={overrides.get(key, value)}" for key, value in section.items()]
        lines.append("")
    return "\n".join(lines)


def zookeeper(node: Node) -> str:
    return _text([("ZooKeeper, one server", {
        "dataDir": str(node.data), "clientPort": str(ZOOKEEPER_PORT),
        "clientPortAddress": node.host, "tickTime": "2000", "maxClientCnxns": "0",
        "admin.enableServer": "false", "4lw.commands.whitelist": "*"})], {})


def server(node: Node, spec: Spec, nodes: list[Node]) -> str:
    """server.properties of a broker, a controller or both."""
    replicas = str(min(3, spec.brokers))
    broker = "broker" in node.roles
    controller = "controller" in node.roles
    sections: list[tuple[str, dict[str, str]]] = []

    listeners = [f"PLAINTEXT://{node.host}:{BROKER_PORT}"] if broker else []
    if spec.mode == "zookeeper":
        connect = next(n.host for n in nodes if "zookeeper" in n.roles)
        identity = {"broker.id": str(node.id), "broker.rack": node.rack,
                    "zookeeper.connect": f"{connect}:{ZOOKEEPER_PORT}"}
        if spec.ibp:
            identity["inter.broker.protocol.version"] = spec.ibp
        sections.append(("who this broker is", identity))
        sections.append(("where it listens", {
            "listeners": ",".join(listeners), "advertised.listeners": ",".join(listeners)}))
    else:
        voters = ",".join(f"{n.id}@{n.host}:{CONTROLLER_PORT}"
                          for n in nodes if "controller" in n.roles)
        identity = {"process.roles": ",".join(node.roles), "node.id": str(node.id)}
        if broker:
            identity["broker.rack"] = node.rack
        identity["controller.quorum.voters"] = voters
        sections.append(("who this node is", identity))
        if controller:
            listeners.append(f"CONTROLLER://{node.host}:{CONTROLLER_PORT}")
        where = {"listeners": ",".join(listeners)}
        if broker:
            where["advertised.listeners"] = listeners[0]
            where["inter.broker.listener.name"] = "PLAINTEXT"
        where["controller.listener.names"] = "CONTROLLER"
        where["listener.security.protocol.map"] = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
        sections.append(("where it listens", where))

    sections.append(("where it keeps its data", {"log.dirs": str(node.data)}))
    if broker:
        sections.append(("internal topics", {
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": "1"}))
        sections.append(("many nodes share this machine", {
            "num.network.threads": "2", "num.io.threads": "4", "background.threads": "4",
            "group.initial.rebalance.delay.ms": "0"}))
    sections.append(("behaviour", {
        "auto.create.topics.enable": "false",
        "auto.leader.rebalance.enable": str(spec.auto_leader_rebalance).lower()}))
    return _text(sections, spec.properties)
