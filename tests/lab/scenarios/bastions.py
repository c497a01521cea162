"""Two bastions: two directories of runs, and one cluster that both reach.

The first kplay waits where a test wants it, until the test lets it go on, and is frozen meanwhile
(SIGSTOP: a laptop that sleeps, a bastion off the network): nothing here depends on how fast the
machine is.
"""
from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from lab.config import Topic

from .base import Context, Done, expect, scenario, told
from .crashes import records
from .refusals import complaint, runs_of, untouched

FIRST = """--- Restart two brokers; in the middle of the first and before the second it waits for a topic.

local function gate(topic, stall)
  wait_until(function() return #partitions{{ topic = topic }} > 0 end, {{ stall = stall }})
end

return {{
  api     = 1,
  summary = "Restart two brokers.",
  effects = {{ "broker.restart" }},
  run = function()
    stop_broker({0})
    gate("{name}-go-1", "61m")
    start_broker({0})
    wait_in_sync({0})
    gate("{name}-go-2", "62m")
    stop_broker({1})
    start_broker({1})
    wait_in_sync({1})
  end,
}}
"""

SECOND = """--- Restart another broker.

return {{
  api     = 1,
  summary = "Restart a broker.",
  effects = {{ "broker.restart" }},
  run = function()
    stop_broker({2})
    start_broker({2})
    wait_in_sync({2})
  end,
}}
"""


class Bastions:
    """The first one's run under way, and the words of the second one's."""

    def __init__(self, ctx: Context, name: str) -> None:
        self.ctx = ctx
        self.runs = [runs_of(ctx, f"{name}-{n}") for n in (1, 2)]
        first, self.second = (ctx.lab.dir / f"{name}-{n}.lua" for n in (1, 2))
        ids = [broker.id for broker in ctx.lab.brokers()]
        self.name = name
        first.write_text(FIRST.format(*ids, name=name))
        self.second.write_text(SECOND.format(*ids))
        self.child = ctx.popen("run", "--yes", "--runs", self.runs[0], first)

    def run_name(self, n: int) -> str:
        return next(self.runs[n].glob("*/journal.jsonl")).parent.name

    def go_on(self, gate: int) -> None:
        """Lets the first run through that gate, now or when it comes to it."""
        self.ctx.lab.create_topic(Topic(f"{self.name}-go-{gate}", 1, 2, 1))

    def waits(self, gate: int) -> bool:
        """The newest record of the first run is the beginning of that wait."""
        with contextlib.suppress(ValueError):  # there is no run yet
            last = records(self.runs[0])[-1]
            return last["k"] == "wait" and f"6{gate}m" in str(last.get("a"))
        return False

    @contextlib.contextmanager
    def frozen(self, gate: int) -> Iterator[None]:
        """At that gate of the first run, its kplay is stopped for the block, and let through then."""
        self.ctx.lab.wait(lambda: self.child.poll() is not None or self.waits(gate),
                          f"the first run to come to gate {gate}")
        assert self.child.poll() is None, told(self.end())
        os.kill(self.child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.child.pid, signal.SIGCONT)
            self.go_on(gate)

    def end(self) -> Done[str]:
        return self.ctx.finish(self.child)

    def words(self, *more: str | Path) -> tuple[str | Path, ...]:
        return ("run", "--yes", "--runs", self.runs[1], *more, self.second)


@scenario(cluster="kraft-3.7.2", order=46)
def two_bastions_and_the_second_is_refused(ctx: Context) -> None:
    """While the first has a broker down, and between two brokers: it is refused, touches nothing,
    and the first goes on to its end.  Then the second may."""
    lab = ctx.lab
    before = ctx.counters()
    both = Bastions(ctx, "refused")
    with both.frozen(1), untouched(ctx):
        done = expect(ctx.kplay(*both.words()), 3,
                      f"refused before stopping broker {lab.brokers()[2].id}")
        ctx.say(complaint(done))
    with both.frozen(2), untouched(ctx):
        done = expect(ctx.kplay("resume", "--yes", "--runs", both.runs[1]), 3,
                      f"fenced: run {both.run_name(0)} holds all {len(lab.nodes)} hosts, by ",
                      f"--take-over {both.run_name(0)} --reason TEXT")
        ctx.say(complaint(done))
    expect(both.end(), 0)
    assert ctx.since(before) == {n.name: ["stop", "start"] for n in lab.brokers()[:2]}, (
        ctx.since(before))
    ctx.kplay("resume", "--yes", "--runs", both.runs[1], want=0)
    assert ctx.since(before) == {n.name: ["stop", "start"] for n in lab.brokers()}, (
        ctx.since(before))


@scenario(cluster="kraft-3.7.2", order=47)
def two_bastions_and_the_second_takes_over(ctx: Context) -> None:
    """With a reason, on record in both journals; the first wakes up and does nothing on any
    host, then and later."""
    lab = ctx.lab
    reason = "bastion 1 is gone"
    both = Bastions(ctx, "taken")
    both.go_on(1)
    with both.frozen(2):
        before = ctx.counters()
        expect(ctx.kplay(*both.words("--take-over", "1124-ffff", "--reason", reason)), 3,
               "--take-over 1124-ffff: it holds no host here", both.run_name(0))
        assert not ctx.since(before), ctx.since(before)
        done = expect(ctx.kplay("resume", "--yes", "--runs", both.runs[1], "--take-over",
                                both.run_name(0), "--reason", reason), 0, "taken over: run")
        ctx.say(next(line.strip() for line in done.stdout.splitlines() if "taken over" in line))
        assert ctx.since(before) == {lab.brokers()[2].name: ["stop", "start"]}, ctx.since(before)
        noted = [r["r"] for r in records(both.runs[1]) if r.get("i") == "@take-over"]
        assert [(r["run"], r["reason"], r["hosts"]) for r in noted] == [
            (both.run_name(0), reason, len(lab.nodes))], noted

    with untouched(ctx):
        done = expect(both.end(), 3, f"run {both.run_name(1)} has taken the hosts over")
        ctx.say(complaint(done))
        last = records(both.runs[0])[-1]
        assert both.run_name(1) in last["err"]["what"], last
        done = expect(ctx.kplay("resume", "--yes", "--runs", both.runs[0]), 3,
                      f"run {both.run_name(1)} had taken over all {len(lab.nodes)} hosts")
        ctx.say(complaint(done))
    lab.wait_in_sync()
