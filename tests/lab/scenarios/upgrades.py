"""Upgrades and restarts of whole clusters under load: what their users noticed, how long nothing
happened, and whether the rehearsal on the simulator had told what then took place."""
from __future__ import annotations

import re
import statistics
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab import acts, patience
from lab.cluster import Lab
from lab.load import Load
from lab.observer import Event, Observer, Timeline, now_ms

from .base import Context, events, expect, scenario, seconds

IDLE_POLLS = 3


@dataclass
class Roll:
    """A roll that went well."""
    began: float
    timeline: Timeline
    events: list[dict[str, Any]]

    def stops(self, lab: Lab) -> list[Event]:
        known = {n.name for n in lab.nodes}
        return [e for e in self.timeline.events if e.what == "stop" and e.node in known]


def nodes_of(lab: Lab) -> list[str]:
    """The names of the nodes that kplay works on."""
    return [n.name for n in lab.nodes if "zookeeper" not in n.roles]


LED = re.compile(r"^\[(.{19}),(\d{3})\] .*Completed transition to Leader\(", re.MULTILINE)


def led_at(lab: Lab, time: float) -> str:
    """The controller that led the quorum then, by the controllers' own logs: on a busy machine it
    may have changed since anybody was asked."""
    elected = [(datetime.strptime(at, "%Y-%m-%d %H:%M:%S").timestamp() * 1000 + int(ms), node.name)
               for node in lab.controllers()
               for at, ms in LED.findall(node.log.read_text(errors="replace"))]
    return max(e for e in elected if e[0] < time)[1]


def elected_meanwhile(ctx: Context, one: Roll) -> set[int]:
    """The controllers, when another came to lead before the active one was taken: which of them is
    the last is then another than was rehearsed."""
    lab = ctx.lab
    stops = [e for e in one.stops(lab) if "controller" in lab.node(e.node).roles]
    if not stops:
        return set()
    led, leads = led_at(lab, stops[0].time), led_at(lab, stops[-1].time)
    if led == leads:
        return set()
    ctx.say(f"the controllers elected {leads} while {led} was not stopped yet")
    return {n.id for n in lab.controllers()}


def once_each(ctx: Context, before: dict[str, list[tuple[float, str]]], names: list[str]) -> None:
    """Each of the nodes was stopped and started once, and no other was touched."""
    happened = ctx.since(before)
    assert happened == {name: ["stop", "start"] for name in names}, happened


def roll(ctx: Context, *words: str) -> Roll:
    """A real roll, watched; asserts what holds of every one."""
    lab = ctx.lab
    before = ctx.counters()
    began = now_ms()
    with Observer(lab) as seen:
        done = ctx.kplay("run", "--json", "--yes", "rolling.lua", *words, want=0)
        lab.wait_in_sync(patience.SPREAD)
    once_each(ctx, before, nodes_of(lab))
    timeline = seen.timeline
    assert timeline is not None
    early = timeline.too_early()
    assert not early, f"the next broker was stopped before this one was back: {early}"
    return Roll(began, timeline, events(done))


def idle(ctx: Context, *rolls: Roll) -> None:
    """How long nothing happened between nodes, by two clocks; all are said before one is judged."""
    measured = []
    for one in rolls:
        closed = next(e for e in one.events if e["event"] == "closed")
        stops = [s for s in closed["value"]["stops"] if "idle_polls" in s]
        followed = [r.broker for r in one.timeline.restarts[1:]]
        own = statistics.median(s["idle_ms"] for s in stops if s["node"] in followed)
        polls = max(s["idle_polls"] for s in stops)
        requests = max(s["idle_requests"] for s in stops)
        observed = one.timeline.idle()
        assert observed is not None, "no broker was followed by another"
        ctx.say(f"idle between brokers {observed:.0f} ms (median, observed); kplay's own figure "
                f"{own:.0f} ms; over all {len(stops)} nodes at most {polls} polls, "
                f"{requests} requests")
        measured.append((observed, polls))
    # Polls are judged; milliseconds are told, for they are the machine's.
    for _, polls in measured:
        assert polls <= IDLE_POLLS, f"{polls} polls between two nodes"


def gaps(ctx: Context, one: Roll, load: Load) -> None:
    """What the producer noticed of each stop; call it when the load has ended."""
    result = load.result
    assert result is not None
    stops = one.stops(ctx.lab)
    base = result.gap_in(one.began, stops[0].time)
    took = one.timeline.events[-1].time - stops[0].time
    ctx.say(f"{len(stops)} nodes in {seconds(took)}; longest time without an acknowledgement, all "
            f"partitions together / worst one: {base.all:.0f} / {base.worst:.0f} ms before")
    parts = []
    for stop, after in zip(stops, [*stops[1:], None]):
        until = after.time if after else stop.time + 15_000
        gap = result.gap_in(stop.time, until)
        parts.append(f"{stop.node} {gap.all:.0f} / {gap.worst:.0f}")
    ctx.say("  " + ", ".join(parts))


def nothing_lost(ctx: Context, load: Load) -> None:
    result = load.stop()
    ctx.say(f"{result.acked} records acknowledged, {result.missing} missing, "
            f"{result.duplicated} twice in the log, {result.failed} refused to the producer")
    assert result.acked > 0 and result.missing == 0, result.errors[-10:]


def rehearse(ctx: Context, *words: str) -> list[dict[str, Any]]:
    """The events of a dry run; nothing of it may reach the cluster."""
    with ctx.unchanged():
        done = ctx.kplay("run", "--dry-run", "--json", "rolling.lua", *words)
        # Go; or go with warnings, as of a broker whose log.dirs a provider gives.
        expect(done, 5 if done.returncode == 5 else 0)
    return events(done)


def _begun(told_: list[dict[str, Any]], alike: set[int]) -> list[tuple[str, int | None]]:
    """Verb and node of each action; the nodes that are `alike` are any of them."""
    return [(e["verb"], -1 if e.get("node") in alike else e.get("node"))
            for e in told_ if e["event"] == "begin"]


def _led(told_: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Broker and how many partitions it led, of each stop."""
    return [(e["node"], e["value"]["leaders"]) for e in told_
            if e["event"] == "done" and e.get("verb") == "stop_broker"]


def as_rehearsed(ctx: Context, sim: list[dict[str, Any]], real: Roll) -> None:
    """The rehearsal and the roll have the same structure: order, leaders that moved, the worst
    counts of each stop, and who led each partition after it."""
    alike = elected_meanwhile(ctx, real)
    rehearsed, begun = _begun(sim, alike), _begun(real.events, alike)
    assert rehearsed == begun, f"rehearsed {rehearsed}\nreal {begun}"
    assert _led(sim) == _led(real.events), f"rehearsed {_led(sim)}\nreal {_led(real.events)}"
    simulated = [a for a in sim[-1]["acts"] if a["act"] == "stop" and "peak_urp" in a]
    assert [a["node"] for a in simulated] == [r.broker for r in real.timeline.restarts]
    worst = []
    for act, restart in zip(simulated, real.timeline.restarts):
        assert restart.back is not None
        who = next(n.id for n in ctx.lab.brokers() if n.id != restart.broker)
        peak = real.timeline.peak(restart.stopped, restart.back, who)
        said = (act["peak_urp"], act["peak_at_min_isr"])
        assert said == (peak.under_replicated, peak.at_min_isr), (
            f"stop of broker {restart.broker}: rehearsed {said} under-replicated and at min ISR, "
            f"real {peak}")
        worst.append(f"{peak.under_replicated} / {peak.at_min_isr}")
        leaders = {(topic, number): leader for topic, ids in act["leaders"].items()
                   for number, leader in enumerate(ids)}
        found = real.timeline.leaders_at(restart.back, who)
        differ = {key: (leaders.get(key), found.get(key)) for key in leaders.keys() | found.keys()
                  if leaders.get(key) != found.get(key)}
        assert not differ, (f"after the stop of broker {restart.broker} led (rehearsed, real): "
                            f"{differ}")
    ctx.say(f"as rehearsed: {len(rehearsed)} actions, {len(simulated)} stops of brokers, peaks "
            f"{', '.join(worst)} under-replicated / at min ISR, all leaders")


def controllers_first(lab: Lab, one: Roll) -> None:
    """By the service scripts' times: controllers before brokers, the active controller last."""
    stops = one.stops(lab)
    order = [e.node for e in stops]
    first = len(lab.controllers())
    assert all("controller" in lab.node(name).roles for name in order[:first]), order
    led = led_at(lab, stops[first - 1].time)
    assert order[first - 1] == led, f"{led} led the quorum, and the order was {order}"


def zookeeper_rolls(ctx: Context, *, restart: bool) -> None:
    """3.4.1 to 3.5.2 with the protocol version pinned, and perhaps a restart of every broker."""
    lab = ctx.lab
    with Load(lab) as load:
        sim = rehearse(ctx, "--to", "3.5.2")
        rolls = {"upgrade": roll(ctx, "--to", "3.5.2")}
        for broker in lab.brokers():
            assert acts.ibp(broker) in (["3.4"], ["3.4-IV0"]), (broker.name, acts.ibp(broker))
            assert acts.runs_release(broker, "3.5.2"), f"{broker.name} runs something else"
        if restart:
            rolls["restart"] = roll(ctx)
    nothing_lost(ctx, load)
    as_rehearsed(ctx, sim, rolls["upgrade"])
    for what, one in rolls.items():
        ctx.say(f"{what}:")
        gaps(ctx, one, load)
    idle(ctx, *rolls.values())


@scenario(cluster="zookeeper-3.4.1", order=50, busy=True)
def zookeeper_upgrade(ctx: Context) -> None:
    """Without a lost record, pinned, and as rehearsed."""
    ctx.spoil()
    zookeeper_rolls(ctx, restart=False)


@scenario(cluster="zookeeper-3.4.1", order=51, long=True)
def zookeeper_upgrade_and_restart(ctx: Context) -> None:
    """The same, and what was upgraded is restarted."""
    ctx.spoil()
    zookeeper_rolls(ctx, restart=True)


def kraft_upgrades(ctx: Context, *releases: str) -> None:
    """From 3.7.2 to each of these in turn, on one cluster."""
    ctx.spoil()
    lab = ctx.lab
    rolls = []
    with Load(lab) as load:
        for to in releases:
            sim = rehearse(ctx, "--to", to)
            one = roll(ctx, "--to", to)
            for name in nodes_of(lab):
                assert acts.runs_release(lab.node(name), to), f"{name} does not run {to}"
            rolls.append((to, sim, one))
    nothing_lost(ctx, load)
    for to, sim, one in rolls:
        ctx.say(f"to {to}:")
        controllers_first(lab, one)
        as_rehearsed(ctx, sim, one)
        gaps(ctx, one, load)
    idle(ctx, *(one for *_, one in rolls))


@scenario(cluster="kraft-3.7.2", order=90, busy=True)
def kraft_upgrade(ctx: Context) -> None:
    """Without a lost record, controllers first, and as rehearsed."""
    kraft_upgrades(ctx, "3.9.1")


@scenario(cluster="kraft-3.7.2", order=91, long=True)
def kraft_two_upgrades(ctx: Context) -> None:
    """And on to the next major release, under the same load."""
    kraft_upgrades(ctx, "3.9.1", "4.0.1")


@scenario(cluster="kraft-3.7.2", order=92, long=True)
def kraft_two_upgrades_again(ctx: Context) -> None:
    """What holds once must hold again."""
    kraft_upgrades(ctx, "3.9.1", "4.0.1")


@scenario(cluster="combined-3.9.1", order=50, busy=True)
def combined_restart(ctx: Context) -> None:
    """Nodes that are brokers and voters, and whose leaders move back by themselves."""
    with Load(ctx.lab) as load:
        one = roll(ctx)
    nothing_lost(ctx, load)
    gaps(ctx, one, load)
    idle(ctx, one)
