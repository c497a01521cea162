"""The kplay.yaml that describes a lab to kplay: the nodes are hosts reached by SSH, managed by the
start, stop and status commands of their service scripts."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .config import BROKER_PORT, CONTROLLER_PORT, ZOOKEEPER_PORT
from .node import SSH_PORT, Node

if TYPE_CHECKING:
    from .cluster import Lab


def _q(text: str | Path) -> str:
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _service(node: Node) -> str:
    verbs = ", ".join(f"{verb}: [{_q(node.service)}, {verb}]"
                      for verb in ("start", "stop", "status"))
    return f"{{ manager: command, {verbs} }}"


def _layout(node: Node) -> str:
    paths: dict[str, str | Path] = {
        "releases": node.dir / "releases", "current": node.dir / "current",
        "config": node.properties, "log": node.log, "release": "kafka_2.13-{version}"}
    return "{ " + ", ".join(f"{key}: {_q(value)}" for key, value in paths.items()) + " }"


def _entry(node: Node, port: int, host: Node) -> list[str]:
    lines = [f"  - id: {node.id}", f"    host: {_q(host.host)}"]
    if node.rack:
        lines.append(f"    rack: {node.rack}")
    return lines + [f"    kafka: {_q(f'{node.host}:{port}')}", f"    service: {_service(host)}",
                    f"    layout: {_layout(host)}"]


def text(lab: Lab, *, hosts: dict[int | None, Node] | None = None, on_failure: str = "stop",
         guard: str = "strict", extra: str = "") -> str:
    """The cluster file.  `hosts` is for a wrong one: {2: another} gives node 2 the host of
    another, which takes that one's service and files along, because hosts have theirs at the same
    paths.  `extra` is appended as it is."""

    def host(node: Node) -> Node:
        return (hosts or {}).get(node.id, node)

    kafka = [f"bootstrap.servers: {_q(lab.bootstrap())}"]
    if lab.controllers():
        kafka.append("bootstrap.controllers: " + _q(",".join(
            f"{node.host}:{CONTROLLER_PORT}" for node in lab.controllers())))
    kafka.append("security.protocol: PLAINTEXT")
    lines = [
        f"cluster: {lab.name}",
        f"kafka: {{ {', '.join(kafka)} }}",
        f"ssh: {{ user: {lab.owner.name}, port: {SSH_PORT}, identity: {_q(lab.identity)}, "
        f"known_hosts: {_q(lab.known_hosts)} }}",
        "brokers:"]
    for node in lab.brokers():
        lines += _entry(node, BROKER_PORT, host(node))
    if lab.controllers():
        lines.append("controllers:")
        for node in lab.controllers():
            lines += _entry(node, CONTROLLER_PORT, host(node))
    for node in lab.zookeepers():
        connect = f"{node.host}:{ZOOKEEPER_PORT}"
        lines += ["zookeeper:", f"  - {{ host: {_q(node.host)}, connect: {_q(connect)} }}"]
    lines += [f"policy: {{ guard: {guard}, on_failure: {on_failure} }}",
              f"runs: {_q(lab.dir / 'runs')}"]
    return "\n".join(lines) + "\n" + extra
