"""Load: a producer and a consumer that run while a cluster is worked on, and afterwards say what
their users would have noticed.

    with Load(lab) as load:
        ...                                    # the upgrade
    result = load.result                       # or load.stop()
    assert result.missing == 0
    print(result.gap_in(t0, t1).worst)         # ms without an acknowledgement, worst partition

The programs are lab_load (load.c), found by $KPLAY_LAB_LOAD or below build/.
"""
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from . import patience
from .config import Topic
from .process import spawn

if TYPE_CHECKING:
    from .cluster import Lab


STEADY_TICKS = 10  # of 100 ms
STEADY_MS = 150.0  # where nothing else runs


def binary() -> Path:
    """lab_load, the newest of the build trees."""
    named = os.environ.get("KPLAY_LAB_LOAD")
    if named:
        return Path(named).absolute()
    root = Path(__file__).resolve().parents[3]
    built = sorted(root.glob("build*/**/tests/lab/lab_load"), key=lambda p: p.stat().st_mtime)
    if not built:
        raise RuntimeError("lab_load is not built: build the target lab_load, "
                           "or name it with KPLAY_LAB_LOAD")
    return built[-1]


@dataclass(frozen=True)
class Gap:
    """Milliseconds without an acknowledgement: over all partitions together, and of the partition
    that had the longest."""
    all: float = 0.0
    worst: float = 0.0
    partition: int = -1


@dataclass
class Result:
    topic: str
    sent: int = 0
    acked: int = 0
    failed: int = 0
    missing: int = 0          # acknowledged and not read
    duplicated: int = 0       # in the log twice
    rebalances: int = 0
    errors: list[str] = field(default_factory=list)
    # (time, longest gap of all, of the worst partition, that partition), one each 100 ms; a gap
    # that lasts still counts as far as it has come
    ticks: list[tuple[float, float, float, int]] = field(default_factory=list)
    # (from, to, partition), partition -1 for all together
    gaps: list[tuple[float, float, int]] = field(default_factory=list)

    def gap_in(self, t0: float, t1: float) -> Gap:
        """The longest gaps that touch the window (milliseconds since the epoch); a gap that began
        before it or ended after it counts whole."""
        every, worst = [0.0], [(0.0, -1)]
        for begin, end, partition in self.gaps:
            if begin < t1 and end > t0:
                if partition < 0:
                    every.append(end - begin)
                else:
                    worst.append((end - begin, partition))
        for when, of_all, of_worst, partition in self.ticks:
            if t0 <= when <= t1:
                every.append(of_all)
                worst.append((of_worst, partition))
        return Gap(max(every), *max(worst))

    def gap(self) -> Gap:
        return self.gap_in(0, float("inf"))


class Load:
    def __init__(self, lab: Lab, topic: Topic | None = None, rate: int = 400,
                 size: int = 100) -> None:
        self.lab = lab
        self.topic = topic or lab.spec.topics[0]
        self.rate = rate
        self.size = size
        self.dir = lab.dir / "load" / self.topic.name
        self.result: Result | None = None
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> Load:
        """Starts both and returns when records have flowed to every partition for a second: what
        comes with a first connection to each broker is no part of a baseline.  On a machine too
        busy for that it returns all the same, once records flow."""
        self.dir.mkdir(parents=True)
        common = ["--bootstrap", self.lab.bootstrap(), "--topic", self.topic.name,
                  "--partitions", str(self.topic.partitions)]
        self._run("produce", common + ["--rate", str(self.rate), "--size", str(self.size)])
        self._run("consume", common + ["--acked", str(self.dir / "produce"),
                                       "--group", f"lab-{self.topic.name}"])
        self.lab.wait(lambda: self.acked() > self.topic.partitions, "a first record")
        with contextlib.suppress(TimeoutError):
            self.lab.wait(self._steady, "a steady flow of records", patience.SPREAD)
        return self

    def _steady(self) -> bool:
        """The last second saw no gap to speak of."""
        last = [line for line in self._lines("produce") if line[0] == "tick" and len(line) == 11]
        return len(last) > STEADY_TICKS and all(
            float(line[9]) < patience.stretched(STEADY_MS) for line in last[-STEADY_TICKS:])

    def _run(self, what: str, words: list[str]) -> None:
        self._children[what] = spawn(
            self.lab.ledger, f"load {what}", [str(binary()), what, *words, "--out",
                                              str(self.dir / what)],
            uid=os.getuid(), gid=os.getgid(), env=dict(os.environ), output=self.dir / f"{what}.log")

    def _lines(self, what: str) -> list[list[str]]:
        try:
            return [line.split() for line in (self.dir / what).read_text().splitlines() if line]
        except OSError:
            return []

    def acked(self) -> int:
        """Records acknowledged so far; looked up every 100 ms by the producer."""
        for child in self._children.values():
            if child.poll() is not None:
                raise RuntimeError(f"lab_load ended with {child.returncode}, see {self.dir}")
        ticks = [line for line in self._lines("produce") if line[0] == "tick" and len(line) == 11]
        return int(ticks[-1][3]) if ticks else 0

    def flows(self) -> bool:
        """Records are acknowledged now."""
        before = self.acked()
        with contextlib.suppress(TimeoutError):
            patience.until(lambda: self.acked() > before, "a record", patience.SPREAD)
        return self.acked() > before

    def _end(self, what: str) -> None:
        """SIGTERM, and until it has done what it ends with; it writes while it gets on.  The second
        SIGTERM makes the consumer count what it has."""
        child, out = self._children[what], self.dir / what
        for _ in range(2):
            child.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                patience.until(lambda: child.poll() is not None, f"load {what} to end",
                               progress=lambda: out.stat().st_size)
                return
        raise RuntimeError(f"load {what} would not end, see {self.dir}")

    def stop(self) -> Result:
        """Stops the producer, lets the consumer read all that was acknowledged, and counts."""
        if self.result:
            return self.result
        for what in ("produce", "consume"):  # the consumer reads the producer's last words
            self._end(what)
        result = Result(self.topic.name)
        for line in self._lines("produce"):
            if line[0] == "tick":
                result.ticks.append((float(line[1]), float(line[7]), float(line[9]),
                                     int(line[10])))
            elif line[0] == "gap":
                partition = -1 if line[3] == "all" else int(line[3])
                result.gaps.append((float(line[1]), float(line[2]), partition))
            elif line[0] == "error":
                result.errors.append(" ".join(line[1:]))
            elif line[0] == "total":
                result.sent, result.acked, result.failed = int(line[2]), int(line[4]), int(line[6])
        totals = [line for line in self._lines("consume") if line[0] == "total"]
        if not totals:
            raise RuntimeError(f"the consumer ended without a count, see {self.dir}")
        numbers = dict(zip(totals[0][1::2], map(int, totals[0][2::2])))
        if numbers["acked"] != result.acked:
            raise RuntimeError(f"producer and consumer disagree on what was acknowledged: "
                               f"{result.acked}, {numbers['acked']}")
        for name in ("missing", "duplicated", "rebalances"):
            setattr(result, name, numbers[name])
        self.result = result
        return result

    def __enter__(self) -> Load:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None,
                 trace: TracebackType | None) -> None:
        if kind is None:
            self.stop()


def fill(lab: Lab, topic: Topic, count: int, size: int = 10000) -> None:
    """Writes `count` records of `size` bytes and returns when they are acknowledged."""
    out = lab.dir / f"fill-{topic.name}"
    done = patience.run(
        [str(binary()), "produce", "--bootstrap", lab.bootstrap(), "--topic", topic.name,
         "--partitions", str(topic.partitions), "--rate", "100000", "--count", str(count),
         "--size", str(size), "--out", str(out)])
    if done.returncode != 0:
        raise RuntimeError(f"could not fill {topic.name}: {done.stdout}")
