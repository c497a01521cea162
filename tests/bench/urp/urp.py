#!/usr/bin/env python3
"""How long the question "how many partitions are under-replicated?" takes: kplay's urp() in a live
session, beside Kafka's own kafka-topics --describe --under-replicated-partitions.

    tests/bench/urp/urp.py --kplay BIN [--long]

At 30 partitions on three real brokers, and with --long also at 10,000.  A playbook asks 50 times;
between two questions it sleeps, because a view just taken answers a second question without asking
anybody.  The time of a call is taken from the journal: from the record before it to its own, so
that writing its record is part of it.  Kafka's tool is a process of its own each time, as for
people and scripts; a start of Java is most of its time at 30 partitions.  Both are asked once more
with a broker down, and must count the same.
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from datetime import datetime
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from lab import acts, patience
from lab.cluster import Lab
from lab.config import BROKER_PORT, Spec, Topic
from lab.node import Node

CALLS = 50
TOOL_CALLS = 3

PLAYBOOK = """--- The same question, again and again.

return {
  api     = 1,
  summary = "Ask for under-replicated partitions many times.",
  effects = {},
  args    = { times = { "int", default = 50, doc = "how often" } },

  run = function(args)
    for i = 1, args.times do
      step("question " .. i)
      sleep("50ms")
      urp()
    end
  end,
}
"""


def spec(partitions: int) -> Spec:
    """A cluster whose topics have that many partitions, replication factor 3."""
    each = min(partitions, 1000)
    topics = tuple(Topic(f"load-{i}", each, 3, 2) for i in range(partitions // each))
    return Spec("kraft", "3.7.2", controllers=1, topics=topics, properties={
        # Each partition would map ten megabytes of index.
        "log.index.size.max.bytes": "65536", "num.replica.fetchers": "2"})


def ask(binary: Path, lab: Lab, times: int) -> tuple[list[float], int]:
    """Milliseconds of each urp(), and what the last one said."""
    playbook, runs = lab.dir / "ask.lua", lab.dir / f"runs-{times}"
    playbook.write_text(PLAYBOOK)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("KPLAY_")}
    done = patience.run([str(binary), "run", "--runs", str(runs), str(playbook), "--times",
                         str(times)], patience.WHOLE, cwd=lab.dir, env=clean)
    if done.returncode != 0:
        raise RuntimeError(done.stdout)
    journal, = runs.glob("*/journal.jsonl")
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    when = [datetime.fromisoformat(r["t"].replace("Z", "+00:00")).timestamp() * 1000
            for r in records]
    mine = [i for i, r in enumerate(records) if r.get("fn") == "urp"]
    if len(mine) != times:
        raise RuntimeError(f"{len(mine)} answers to {times} questions")
    return [when[i] - when[i - 1] for i in mine], records[mine[-1]]["r"]


def ask_tool(lab: Lab, times: int) -> tuple[list[float], int]:
    """The same of Kafka's tool."""
    broker = lab.brokers()[0]
    took, count = [], 0
    for _ in range(times):
        begin = time.monotonic()
        done = broker.tool("kafka-topics.sh", "--bootstrap-server", f"{broker.host}:{BROKER_PORT}",
                           "--describe", "--under-replicated-partitions")
        took.append((time.monotonic() - begin) * 1000)
        if done.returncode != 0:
            raise RuntimeError(done.stdout)
        count = sum("Partition:" in line for line in done.stdout.splitlines())
    return took, count


def bench(binary: Path, partitions: int) -> bool:
    with Lab(spec(partitions)) as lab:
        print(f"{partitions} partitions: cluster in sync after {lab.timings['up']:.0f} s",
              flush=True)
        ours, healthy = ask(binary, lab, CALLS)
        tool, tool_healthy = ask_tool(lab, TOOL_CALLS)
        mean, tool_mid = statistics.mean(ours), statistics.median(tool)
        # A clock of milliseconds: a single call is not told apart from zero, their mean is.
        print(f"{partitions} partitions: urp() {mean:.1f} ms (mean of {CALLS}, longest "
              f"{max(ours):.0f}), kafka-topics {tool_mid:.0f} ms (median of {TOOL_CALLS}): "
              f"{tool_mid / mean:.0f} times as fast", flush=True)
        others = [n.id for n in lab.brokers()[:2]]
        acts.stop_and_wait(lab, lab.brokers()[2])
        lab.wait(lambda: len({len(lab.metadata(n).under_replicated()) for n in others}) == 1,
                 "two brokers to agree")
        _, less = ask(binary, lab, 1)
        _, tool_less = ask_tool(lab, 1)
        same = (healthy, less) == (tool_healthy, tool_less) and less >= partitions
        print(f"{partitions} partitions: {less} under-replicated without one broker, kafka-topics "
              f"says {tool_less}{'' if same else ': NOT THE SAME'}", flush=True)
        return same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kplay", type=Path, required=True, help="the kplay to measure")
    parser.add_argument("--long", action="store_true", help="at 10,000 partitions too")
    options = parser.parse_args()
    binary = options.kplay.absolute()
    good = bench(binary, 30)
    if options.long:
        environment = Node.environment
        Node.environment = lambda node: {  # type: ignore[method-assign]
            **environment(node), "KAFKA_HEAP_OPTS": "-Xms512m -Xmx2g"}
        good = bench(binary, 10_000) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
