"""What a scenario is, and what it is given.

    @scenario(cluster="kraft-3.7.2", order=20)
    def refuses_a_second_run(ctx):
        done = ctx.kplay("run", "rolling.lua", "--yes", want=3)
        ctx.say(f"refused: {done.stderr.strip()}")

Scenarios with the same cluster key share one lab, which is built when the first of them asks for
ctx.lab, and is taken down after the last; they run in the order of their `order`; what a run of one
holds of the hosts is free for the next (one scenario with several directories of runs must see to
that itself).  A scenario that
fails, that says ctx.spoil(), or that leaves partitions out of sync takes the lab with it: the next
one gets another.  So each must cope both with a new lab and with what those before it left behind.
"""
from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import patience
from lab.cluster import Lab
from lab.config import DEFAULT_TOPICS, Spec, Topic
from lab.observer import read_counters

# With RF 2 a stop does not touch every partition alike.
TOPICS = (*DEFAULT_TOPICS, Topic("audit", 6, 2, 1))

# Key -> what to build.  A module may add its own.  Ids begin at 0, Kafka's default, in some and at
# 1 in others: no scenario depends on which.
clusters: dict[str, Spec] = {
    "zookeeper-3.4.1": Spec("zookeeper", "3.4.1", also=("3.5.2",), topics=TOPICS, first_id=0),
    "kraft-3.7.2": Spec("kraft", "3.7.2", also=("3.9.1", "4.0.1"), topics=TOPICS, first_id=0),
    "combined-3.9.1": Spec("combined", "3.9.1", also=("4.0.1",), metadata_version="3.3-IV1",
                           topics=TOPICS, auto_leader_rebalance=True),
}

Done = subprocess.CompletedProcess


Function = Callable[["Context"], None]


@dataclass(frozen=True)
class Scenario:
    name: str
    cluster: str
    order: int
    long: bool
    busy: bool
    run: Function


registered: list[Scenario] = []


def scenario(cluster: str = "kraft-3.7.2", order: int = 10,
             long: bool = False, busy: bool = False) -> Callable[[Function], Function]:
    """Registers a function as a scenario.  `long`: only with --long, or when named by --only;
    `busy`: stands for its cluster's when they run beside busy loops."""
    if cluster not in clusters:
        raise ValueError(f"no cluster {cluster}: one of {', '.join(clusters)}")

    def register(function: Function) -> Function:
        if any(s.name == function.__name__ for s in registered):
            raise ValueError(f"two scenarios {function.__name__}")
        registered.append(Scenario(function.__name__, cluster, order, long, busy, function))
        return function

    return register


def told(done: Done[str], lines: int = 60) -> str:
    """What a kplay said, for an assertion's text: the last lines of each stream."""
    parts = [f"$ kplay {' '.join(map(str, done.args[1:]))}\n  ended with {done.returncode}"]
    for name, text in (("stdout", done.stdout), ("stderr", done.stderr)):
        kept = (text or "").splitlines()[-lines:]
        if kept:
            parts.append(f"--- its {name}, the last {len(kept)} lines")
            parts += kept
    return "\n".join(parts)


def expect(done: Done[str], code: int, *words: str) -> Done[str]:
    """Asserts the exit code, and that each of the words was said on either stream."""
    assert done.returncode == code, f"exit {code} expected\n{told(done)}"
    said = (done.stdout or "") + (done.stderr or "")
    for word in words:
        assert word in said, f"{word!r} is not said\n{told(done)}"
    return done


def events(done: Done[str]) -> list[dict[str, Any]]:
    """The JSON lines that a kplay with --json printed."""
    found = []
    for line in done.stdout.splitlines():
        if line.startswith("{") and "event" in (one := json.loads(line)):
            found.append(one)
    return found


class Context:
    """What one scenario is given."""

    def __init__(self, binary: Path, lab: Callable[[], Lab]) -> None:
        self.binary = binary
        self.figures: list[str] = []
        self.spoilt = False
        self._lab = lab
        self._children: list[subprocess.Popen[str]] = []

    @property
    def lab(self) -> Lab:
        """The cluster, in sync when it was handed over."""
        return self._lab()

    def say(self, text: str) -> None:
        """A figure, printed below the scenario's line."""
        self.figures.append(text)

    def spoil(self) -> None:
        """The next scenario needs another cluster."""
        self.spoilt = True

    def popen(self, *args: str | Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """A kplay in the lab's directory, whose kplay.yaml it takes unless args name another; ended
        with the scenario if it still runs then."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("KPLAY_")}
        child = subprocess.Popen(
            [str(self.binary), *map(str, args)], cwd=self.lab.dir, env={**clean, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._children.append(child)
        return child

    def finish(self, child: subprocess.Popen[str], want: int | None = None,
               kill_when: Callable[[], bool] | None = None) -> Done[str]:
        """Lets a kplay come to its end, or kills it when that is so; `want` asserts its exit code.
        One that was killed by a signal has minus its number as returncode."""
        try:
            out, err = patience.finish(child, kill_when=kill_when, progress=self.lab.recorded)
        except patience.Unfinished as late:
            raise AssertionError(f"{late}\n{told(late.done)}") from None
        done = Done(child.args, child.returncode, out, err)
        return done if want is None else expect(done, want)

    def kplay(self, *args: str | Path, env: dict[str, str] | None = None, want: int | None = None,
              kill_when: Callable[[], bool] | None = None) -> Done[str]:
        """Runs kplay to its end."""
        return self.finish(self.popen(*args, env=env), want, kill_when)

    def counters(self) -> dict[str, list[tuple[float, str]]]:
        """The real starts and stops of every node so far, by its name: (ms since the epoch, 'start'
        or 'stop'), oldest first.  The start of the lab itself is one of each node."""
        return {node.name: read_counters(node) for node in self.lab.nodes}

    def since(self, before: dict[str, list[tuple[float, str]]]) -> dict[str, list[str]]:
        """What happened to each node since that snapshot: {'broker-0': ['stop', 'start'], ...};
        nodes to which nothing happened are left out."""
        return {name: [what for _, what in now[len(before[name]):]]
                for name, now in self.counters().items() if len(now) > len(before[name])}

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Asserts that no node is started or stopped in the block."""
        before = self.counters()
        yield
        assert not self.since(before), f"nothing was to happen: {self.since(before)}"

    def close(self) -> None:
        for child in self._children:
            if child.poll() is None:
                child.kill()
            with contextlib.suppress(ValueError, OSError):
                child.communicate()


def seconds(ms: float) -> str:
    return f"{ms / 1000:.2f} s"


def stopwatch() -> Callable[[], float]:
    begin = time.monotonic()
    return lambda: time.monotonic() - begin
