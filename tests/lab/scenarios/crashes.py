"""kplay is killed in the middle of a roll, and resumed: every node is stopped and started once."""
from __future__ import annotations

import json
import random
import signal
from typing import Any

from .base import Context, Done, events, expect, scenario, stopwatch, told
from .upgrades import nodes_of, once_each

# Of a restart of three brokers: after the intent of a stop, and after that of a later start.  What
# lies where is looked up in the journal and said.
SPREAD = (15, 40)


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


def killed_at_record(ctx: Context, number: int) -> None:
    names = [n.name for n in ctx.lab.brokers()]
    before = ctx.counters()
    done = ctx.kplay("run", "--json", "--yes", "rolling.lua", *brokers_only(ctx),
                     env={"KPLAY_CRASH": f"record:{number}"})
    assert done.returncode == -signal.SIGKILL, f"not killed at record {number}\n{told(done)}"
    touched = ctx.since(before)
    watch = stopwatch()
    expect(resume(ctx), 0)
    ctx.lab.wait_in_sync(10)
    once_each(ctx, before, names)
    ctx.say(f"killed after record {number} ({last_event(done)}), {len(touched)} nodes touched; "
            f"resumed in {watch():.1f} s")


@scenario(cluster="kraft-3.7.2", order=60)
def killed_at_two_records(ctx: Context) -> None:
    for number in SPREAD:
        killed_at_record(ctx, number)


@scenario(cluster="kraft-3.7.2", order=61)
def killed_at_some_time(ctx: Context) -> None:
    """A kill at a random time of a roll of every node."""
    seconds = random.uniform(2, 30)
    names = nodes_of(ctx.lab)
    before = ctx.counters()
    child = ctx.popen("run", "--json", "--yes", "rolling.lua")
    try:
        child.wait(seconds)
    except Exception:
        child.kill()
    out, err = child.communicate()
    done = Done(child.args, child.returncode, out, err)
    assert done.returncode == -signal.SIGKILL, f"over within {seconds:.1f} s\n{told(done)}"
    touched = ctx.since(before)
    expect(resume(ctx), 0)
    ctx.lab.wait_in_sync(10)
    once_each(ctx, before, names)
    ctx.say(f"killed after {seconds:.1f} s ({last_event(done)}), {len(touched)} nodes touched")


def journal(ctx: Context) -> list[dict[str, Any]]:
    """The newest run's records."""
    newest = max((ctx.lab.dir / "runs").glob("*/journal.jsonl"), key=lambda p: p.stat().st_mtime)
    return [json.loads(line) for line in newest.read_text().splitlines()]


@scenario(cluster="kraft-3.7.2", order=62, long=True)
def killed_after_every_record(ctx: Context) -> None:
    """The crawl: every session is killed after the second record it writes, and after a later one
    when it did not get on: what a resumed run writes first is the session itself, an action in
    doubt, an intent or a wait once more."""
    names = [n.name for n in ctx.lab.brokers()]
    before = ctx.counters()
    watch = stopwatch()
    done = ctx.kplay("run", "--json", "--yes", "rolling.lua", *brokers_only(ctx),
                     env={"KPLAY_CRASH": "record:1"})
    sessions, step, reached = 1, 2, 0
    while done.returncode == -signal.SIGKILL:
        records = journal(ctx)
        settled = sum(r["k"] in ("done", "read", "ask", "note") for r in records)
        step = 2 if settled > reached else step + 1
        reached = settled
        assert step <= 8, f"no progress at record {len(records)}\n{told(done)}"
        sessions += 1
        done = resume(ctx, len(records) + step)
    expect(done, 0)
    ctx.lab.wait_in_sync(10)
    once_each(ctx, before, names)
    ctx.say(f"{sessions} sessions, {sessions - 1} of them killed, {watch():.0f} s")
