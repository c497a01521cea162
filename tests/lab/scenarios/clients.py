"""Who is connected: clients of four kinds are told apart, brokers are none, and a host that cannot tell lets nobody pass."""
from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from lab import acts, patience
from lab.clients import OLD_JAVA, PYTHON, Programs, jre
from lab.node import Node

from .base import Context, expect, scenario
from .refusals import runs_of

ASK = """return {
  api = 1, summary = "clients", effects = {},
  run = function()
    for _, b in ipairs(clients()) do
      if b.problem then log(("problem %d %s"):format(b.node, b.problem)) end
      for _, c in ipairs(b.clients or {}) do log(("client %s %s %d %s"):format(c.name, c.version, b.node, c.listener)) end
      for _, d in ipairs(b.deprecated or {}) do log(("request %s %d %s"):format(d.request, d.version, d.name)) end
    end
  end,
}
"""


def told(ctx: Context) -> dict[str, set[tuple[str, ...]]]:
    """What clients() says, by kind of line, while the lab itself is not connected."""
    playbook = ctx.lab.dir / "who.lua"
    playbook.write_text(ASK)
    ctx.lab.hang_up()
    said = expect(ctx.kplay("run", "--runs", runs_of(ctx, "clients"), playbook), 0).stdout
    lines = [line.split() for line in said.splitlines()]
    return {word: {tuple(words[words.index(word) + 1:]) for words in lines if word in words}
            for word in ("client", "request", "problem")}


def audit(ctx: Context, code: int, *words: str) -> None:
    ctx.lab.hang_up()
    done = ctx.kplay("run", "--runs", runs_of(ctx, "clients"), "clients.lua", "--to", "4.0.1", "--quiet", "1s", "--yes")
    expect(done, code, *words)


def software(rows: set[tuple[str, ...]]) -> set[str]:
    return {f"{row[0]} {row[1]}" for row in rows}


@contextlib.contextmanager
def without_jdk(ctx: Context, node: Node) -> Iterator[None]:
    """In the block the node runs with a Java that has no jcmd."""
    java, text = jre(ctx.lab.dir / "jre"), node.service.read_text()

    def restart() -> None:
        acts.stop_and_wait(ctx.lab, node)
        node.start()
        ctx.lab.wait_in_sync()

    node.service.write_text(text.replace("\nexport ", f"\nexport JAVA_HOME={java}\nexport ", 1))
    try:
        restart()
        exe = os.readlink(f"/proc/{acts.running(node).pid}/exe")
        assert exe == f"{java}/bin/java", exe
        yield
    finally:
        node.service.write_text(text)
        restart()


@scenario(cluster="combined-3.9.1", order=7)
def clients_are_told_apart(ctx: Context) -> None:
    patience.until(lambda: not told(ctx)["client"], "nobody but the brokers to be connected")
    with Programs(ctx.lab) as programs:
        programs.java("old", OLD_JAVA)
        programs.java("new", "3.9.1")
        programs.python("python")
        programs.librdkafka("load")
        first = told(ctx)
        names, requests = software(first["client"]), first["request"]
        known = {"unknown unknown", "apache-kafka-java 3.9.1", f"kafka-python {PYTHON}"}
        assert known < names, names
        assert [name.split()[0] for name in names - known] == ["librdkafka"], names
        assert {("Produce", "2", "unknown"), ("FetchConsumer", "3", "unknown")} <= requests, requests
        assert {row[2] for row in requests} == {"unknown"}, requests
        ctx.say(f"{', '.join(sorted(names))}; the unknown one sent {len(requests)} kinds of requests that 4.0 does not take")
        audit(ctx, 3, "breaks: unknown software", "Produce v2", "which 4.0 no longer takes")
        programs.end("old")
        patience.until(lambda: "unknown unknown" not in software(told(ctx)["client"]), "the old client to be gone")
        audit(ctx, 5, "nothing is left of it")  # it warned at first
        with without_jdk(ctx, ctx.lab.brokers()[1]):
            id_ = ctx.lab.brokers()[1].id
            audit(ctx, 3, f"broker {id_} does not tell its clients: there is no jcmd beside")
    patience.until(lambda: not told(ctx)["client"], "nobody but the brokers to be connected")
