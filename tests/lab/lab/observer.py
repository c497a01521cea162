"""Observer: what the cluster did, seen by someone who is not kplay and shares no code with it.

Every 20 ms it asks every broker for its Metadata and looks at the counters that the nodes' service
scripts keep.  Brokers disagree for some 100 ms after each change, so each one's view is kept apart;
"back in every ISR" is believed of a broker when two others say so.

From that come the figures a roll is judged by: for each broker when it was stopped, started, and
back; and the idle time, from the moment the last of the two confirming brokers had it back in every
ISR to the stop of the next one, in which nothing happened that anybody had to wait for.

Times are milliseconds since the epoch.  A sample carries the time its request was sent: what it
shows may be up to one round trip younger, so that idle times err on the long side.
"""
from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from .wire import Key, Metadata, WireError

if TYPE_CHECKING:
    from .cluster import Lab
    from .node import Node

EVERY = 0.020
# A broker that is starting accepts and then says nothing for a second: it is asked anew soon.
SOON = 0.5


def now_ms() -> float:
    return time.time() * 1000


def read_counters(node: Node) -> list[tuple[float, str]]:
    """The real starts and stops of a node: (time, 'start' or 'stop'), oldest first."""
    events = []
    for line in node.counters.read_text().splitlines():
        parts = line.split()
        if len(parts) == 2:
            events.append((float(parts[0]), parts[1]))
    return events


@dataclass(frozen=True)
class Sample:
    """A broker's view, kept when it differs from its last one; None when it did not answer."""
    sent: float
    view: Metadata | None
    before: float  # when the last request before this one was sent that was answered


@dataclass(frozen=True)
class Event:
    time: float
    node: str
    id: int | None  # ZooKeeper has none
    what: str  # start, stop


@dataclass
class Restart:
    broker: int
    stopped: float
    # Other broker -> when it had this one back in every ISR, for the last time before the next
    # stop.
    seen_by: dict[int, float] = field(default_factory=dict)
    back: float | None = None       # when the second of the others said so
    next_stop: float | None = None  # the next stop of a broker

    @property
    def idle(self) -> float | None:
        """Milliseconds from `back` to the next broker's stop; None for the last broker, and when it
        was not back by then."""
        return None if self.back is None or self.next_stop is None else self.next_stop - self.back


@dataclass(frozen=True)
class Peak:
    under_replicated: int
    at_min_isr: int       # |ISR| equal to min.insync.replicas
    under_min_isr: int
    offline: int


@dataclass
class Timeline:
    events: list[Event]                  # starts and stops of all nodes while observed, by time
    samples: dict[int, list[Sample]]     # by the broker asked
    restarts: list[Restart]              # of brokers, by time of stop
    min_isr: dict[str, int]
    polls: int = 0

    def idle(self) -> float | None:
        """Median idle time of the roll in milliseconds."""
        known = [r.idle for r in self.restarts if r.idle is not None]
        return statistics.median(known) if known else None

    def too_early(self) -> list[Restart]:
        """Restarts after which another broker was stopped before this one was back: a fault."""
        return [r for r in self.restarts if r.next_stop is not None and r.back is None]

    def view_at(self, time_: float, broker: int) -> Metadata | None:
        """What a broker said last before that time."""
        found = None
        for sample in self.samples[broker]:
            if sample.sent > time_:
                break
            found = sample.view
        return found

    def leaders_at(self, time_: float, broker: int) -> dict[Key, int]:
        view = self.view_at(time_, broker)
        return {key: p.leader for key, p in view.partitions.items()} if view else {}

    def peak(self, t0: float, t1: float, broker: int | None = None) -> Peak:
        """The worst that one broker saw in the window, each count by itself; without `broker` the
        first that was not stopped or started in it, for a restarted one tells old news."""
        touched = {e.id for e in self.events if t0 <= e.time <= t1}
        who = broker if broker is not None else next(b for b in self.samples if b not in touched)
        counts = [self._count(sample.view) for sample in self.samples[who]
                  if t0 <= sample.sent <= t1 and sample.view]
        at_start = self.view_at(t0, who)
        if at_start:
            counts.append(self._count(at_start))
        return Peak(*(max(column) for column in zip(*counts))) if counts else Peak(0, 0, 0, 0)

    def _count(self, view: Metadata) -> tuple[int, int, int, int]:
        at = under = 0
        for (topic, _), partition in view.partitions.items():
            least = self.min_isr[topic]
            at += len(partition.isr) == least
            under += len(partition.isr) < least
        return len(view.under_replicated()), at, under, len(view.offline())


class Observer:
    """Runs from start() to stop(), or as a context: `with Observer(lab) as seen:` then
    `seen.timeline`."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.timeline: Timeline | None = None
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []
        self._samples: dict[int, list[Sample]] = {n.id: [] for n in lab.brokers()}
        self._polls = 0
        self._began = 0.0

    def start(self) -> Observer:
        self._began = now_ms()
        for broker in self.lab.brokers():
            thread = threading.Thread(target=self._watch, args=(broker,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def _watch(self, broker: Node) -> None:
        connection = self.lab.connection(broker, SOON)
        kept = self._samples[broker.id]
        previous = now_ms()
        while not self._ending.is_set():
            sent = now_ms()
            view: Metadata | None
            try:
                view = connection.metadata()
            except (WireError, ValueError, IndexError):
                view = None
            self._polls += 1
            last = kept[-1].view if kept else None
            # Topics that did not change come back as the same object.
            if not kept or (view is None) != (last is None) or (
                    view and last and (view.partitions is not last.partitions
                                       or view.brokers != last.brokers
                                       or self.lab.spec.mode == "zookeeper"
                                       and view.controller != last.controller)):
                kept.append(Sample(sent, view, previous))
            if view:
                previous = sent
            self._ending.wait(EVERY)
        connection.close()

    def stop(self) -> Timeline:
        if self.timeline:
            return self.timeline
        ended = now_ms()
        self._ending.set()
        for thread in self._threads:
            thread.join()
        events = sorted((Event(time_, node.name, node.id, what) for node in self.lab.nodes
                         for time_, what in read_counters(node) if self._began <= time_ <= ended),
                        key=lambda e: e.time)
        self.timeline = Timeline(events, self._samples, self._restarts(events, ended),
                                 self.lab.min_isr(), self._polls)
        return self.timeline

    def _restarts(self, events: list[Event], ended: float) -> list[Restart]:
        brokers = {n.id for n in self.lab.brokers()}
        stops = [e for e in events if e.id in brokers and e.what == "stop"]
        found = []
        for stop in stops:
            one = Restart(stop.id, stop.time)
            one.next_stop = next((e.time for e in stops if e.time > stop.time), None)
            until = one.next_stop or ended
            for asked in brokers - {stop.id}:
                returned = _returned(self._samples[asked], stop.id, stop.time, until)
                if returned is not None:
                    one.seen_by[asked] = returned
            if len(one.seen_by) >= 2:
                one.back = sorted(one.seen_by.values())[1]
            found.append(one)
        return found

    def __enter__(self) -> Observer:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()


def _returned(samples: list[Sample], broker: int, after: float, until: float) -> float | None:
    """When these views last changed, between `after` and `until`, from not having the broker in
    every ISR to having it; None when one asked at `until` or later still did not.  On a busy
    machine polls are far between: a change seen by the first poll after `until` may have been
    there before it.  A broker that does not answer says nothing."""
    there, when = True, None
    for sample in samples:
        if sample.sent > until and (there or sample.before > until):
            break
        has = there
        if sample.view is not None:
            has = broker in sample.view.brokers and not sample.view.not_in_sync(broker)
        if sample.sent > after and has and not there:
            when = sample.sent
        there = has
    return when if there else None
