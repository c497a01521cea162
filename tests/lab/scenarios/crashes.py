"""kplay is killed in the middle of a roll, and resumed: every node is stopped and started once."""
from __future__ import annotations

import json
import random
import signal
from pathlib import Path
from typing import Any

from lab import patience

from .base import Context, Done, events, expect, scenario, stopwatch, told
from .upgrades import nodes_of, once_each

# Verb and which broker.  The intent is on disk, and nobody was asked yet: only a look at the host
# can tell.
SPREAD = (("stop_broker", 0), ("start_broker", 1))
MOST_STEPS = 60


# The simulated cluster's, whatever the ids of the lab are.
DEMO_BROKERS_ONLY = ("--skip", "3001,3002,3003")


def brokers_only(ctx: Context) -> list[str]:
    """The words that leave the controllers out."""
    return ["--skip", ",".join(str(n.id) for n in ctx.lab.controllers())]


def resume(ctx: Context, kill_at: int | None = None) -> Done[str]:
    env = {"KPLAY_CRASH": f"record:{kill_at}"} if kill_at else None
    return ctx.kplay("resume", "--json", "--yes", env=env)


def last_event(done: Done[str]) -> str:
    """What the killed kplay said last, for the figures."""
    said = events(done)
    if not said:
        return "nothing said yet"
    last = said[-1]
    words = [last["event"], last.get("verb", ""), str(last.get("node", "")), last.get("step", "")]
    return " ".join(word for word in words if word)


def records(runs: Path) -> list[dict[str, Any]]:
    """The newest run's records."""
    newest = max(runs.glob("*/journal.jsonl"), key=lambda p: p.stat().st_mtime)
    return [json.loads(line) for line in newest.read_text().splitlines()]


def intents(ctx: Context) -> dict[tuple[str, int], int]:
    """(verb, which broker) -> the number of its intent's record in a roll of the brokers, which is
    the same on a simulated cluster of as many nodes."""
    runs = ctx.lab.dir / "simulated-runs"
    ctx.kplay("run", "--demo", "--runs", runs, "--yes", "rolling.lua", *DEMO_BROKERS_ONLY, want=0)
    found = [r for r in records(runs) if r["k"] == "intent" and "node" in r]
    ids = sorted({r["node"] for r in found})
    return {(r["fn"], ids.index(r["node"])): r["n"] for r in found}


@scenario(cluster="kraft-3.7.2", order=60)
def killed_at_two_records(ctx: Context) -> None:
    """Killed right after an intent is on disk, twice."""
    names = [n.name for n in ctx.lab.brokers()]
    numbers = intents(ctx)
    for verb, which in SPREAD:
        what = (verb, ctx.lab.brokers()[which].id)
        before = ctx.counters()
        done = ctx.kplay("run", "--json", "--yes", "rolling.lua", *brokers_only(ctx),
                         env={"KPLAY_CRASH": f"record:{numbers[verb, which]}"})
        assert done.returncode == -signal.SIGKILL, f"not killed\n{told(done)}"
        last = records(ctx.lab.dir / "runs")[-1]
        assert (last["k"], last["fn"], last["node"]) == ("intent", *what), last
        touched = ctx.since(before)
        watch = stopwatch()
        expect(resume(ctx), 0)
        ctx.lab.wait_in_sync(patience.SPREAD)
        once_each(ctx, before, names)
        ctx.say(f"killed after record {numbers[verb, which]} (intent of {verb} {what[1]}, "
                f"{touched}); resumed in {watch():.1f} s")


@scenario(cluster="kraft-3.7.2", order=61, long=True)
def killed_at_some_time(ctx: Context) -> None:
    """A kill at a random time of a roll of every node: of the time that its first stops took, for
    how long a roll takes is the machine's."""
    names = nodes_of(ctx.lab)
    before = ctx.counters()
    watch = stopwatch()
    stopped, due = random.randrange(1, len(names)), list[float]()

    def now() -> bool:
        if not due and len(ctx.since(before)) >= stopped:
            due.append(watch() * (1 + random.random() / stopped))
        return bool(due) and watch() >= due[0]

    done = ctx.kplay("run", "--json", "--yes", "rolling.lua", kill_when=now)
    seconds = watch()
    assert done.returncode == -signal.SIGKILL, f"over within {seconds:.1f} s\n{told(done)}"
    touched = ctx.since(before)
    expect(resume(ctx), 0)
    ctx.lab.wait_in_sync(patience.SPREAD)
    once_each(ctx, before, names)
    ctx.say(f"killed after {seconds:.1f} s ({last_event(done)}), {len(touched)} nodes touched")


@scenario(cluster="kraft-3.7.2", order=62, long=True)
def killed_after_every_record(ctx: Context) -> None:
    """The crawl: every session is killed after the second record it writes, and after a later one
    when it did not get on: what a resumed run writes first is the session itself, an action in
    doubt, an intent or a wait once more, and all questions of a check that had not passed."""
    names = [n.name for n in ctx.lab.brokers()]
    before = ctx.counters()
    watch = stopwatch()
    done = ctx.kplay("run", "--json", "--yes", "rolling.lua", *brokers_only(ctx),
                     env={"KPLAY_CRASH": "record:1"})
    sessions, step, reached = 1, 2, 0
    while done.returncode == -signal.SIGKILL:
        written = records(ctx.lab.dir / "runs")
        places = {r["i"] for r in written if r["k"] in ("done", "read", "ask", "note")}
        if len(places) == reached:
            step += 1
        elif not written[-1].get("i", "@").startswith("@"):
            step = 2
        reached = len(places)
        if written[-1]["k"] == "close":  # the last record of all: nothing is left to resume
            expect(resume(ctx), 2, "no run is unfinished")
            break
        assert step < MOST_STEPS, f"no progress at record {len(written)}\n{told(done)}"
        sessions += 1
        done = resume(ctx, len(written) + step)
    else:
        expect(done, 0)
    last = records(ctx.lab.dir / "runs")[-1]
    assert (last["k"], last["state"]) == ("close", "done"), last
    ctx.lab.wait_in_sync(patience.SPREAD)
    once_each(ctx, before, names)
    ctx.say(f"{sessions} sessions, {sessions - 1} of them killed, {watch():.0f} s")
