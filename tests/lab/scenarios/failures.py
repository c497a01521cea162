"""What kplay makes of a node that fails under its hands, and of one that fails elsewhere."""
from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from lab import acts, inventory, patience
from lab.config import Topic
from lab.load import Load
from lab.node import Node
from lab.observer import read_counters

from .base import Context, expect, scenario, stopwatch, told
from .refusals import complaint, no_controllers, refuses, rolling, runs_of
from .upgrades import nothing_lost

NEWER = "3.9.1"
# The release itself says beforehand that it will not take the file: a person goes on all the same.
ALL_THE_SAME = ("--force", "proof", "--reason", "to see what a start that fails leaves")


@contextlib.contextmanager
def when_counted(node: Node, what: str, act: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Does something as soon as the node's service counts a 'start' or 'stop' in the block."""
    before = len(read_counters(node))
    ended = threading.Event()
    problems: list[BaseException] = []

    def watch() -> None:
        while not ended.is_set():
            if any(word == what for _, word in read_counters(node)[before:]):
                try:
                    act()
                except BaseException as problem:
                    problems.append(problem)
                return
            patience.pause(patience.CLOSE_LOOK)
        problems.append(RuntimeError(f"{node.name} had no {what}"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield problems
    finally:
        ended.set()
        thread.join()


def load_on(ctx: Context, name: str) -> Load:
    """Load on a topic of its own: the lab is shared, and each counts from the first record on."""
    topic = Topic(name, 6, 3, 2)
    ctx.lab.create_topic(topic)
    ctx.lab.wait(lambda: all((name, 5) in ctx.lab.metadata(n.id).partitions
                             for n in ctx.lab.brokers()), f"every broker to know {name}")
    return Load(ctx.lab, topic)


# A release that does not come up

def others_serve(ctx: Context, broken: Node) -> None:
    """Every partition is led by one of the other brokers."""
    who = next(n.id for n in ctx.lab.brokers() if n is not broken)
    seen = ctx.lab.metadata(who)
    assert not seen.offline(), seen.offline()
    assert broken.id not in seen.brokers, "the broken one is listed"


@scenario(cluster="kraft-3.7.2", order=30)
def a_release_that_does_not_start(ctx: Context) -> None:
    """The roll ends at that broker; the others serve, and are not touched."""
    lab = ctx.lab
    broker = lab.brokers()[0]
    before = ctx.counters()
    roll = rolling(ctx, "poison", "--to", NEWER, *no_controllers(ctx))
    with acts.put_back(lab, broker):
        key = acts.poison(broker, NEWER)
        refuses(ctx, 3, (f"release {NEWER} would not start broker {broker.id}",), *roll)
        with load_on(ctx, "poisoned") as load:
            watch = stopwatch()
            done = expect(ctx.kplay(*roll, *ALL_THE_SAME), 4)
            took = watch()
            others_serve(ctx, broker)
            assert load.flows(), "nothing is acknowledged any more"
        line = complaint(done)
        assert f"broker {broker.id}" in line, told(done)
        assert key in done.stderr, f"its log is not shown\n{told(done)}"
        assert ctx.since(before) == {broker.name: ["stop", "start"]}, ctx.since(before)
        ctx.say(f"{line} (after {took:.0f} s)")
        nothing_lost(ctx, load)


@scenario(cluster="kraft-3.7.2", order=31)
def back_on_the_old_release(ctx: Context) -> None:
    """policy.on_failure: back_out puts that broker back, and the roll ends there."""
    lab = ctx.lab
    broker = lab.brokers()[0]
    file = lab.dir / "back-out.yaml"
    file.write_text(inventory.text(lab, on_failure="back_out"))
    before = ctx.counters()
    with acts.put_back(lab, broker):
        key = acts.poison(broker, NEWER)
        watch = stopwatch()
        done = expect(ctx.kplay("run", "--yes", "-c", file, "--runs", runs_of(ctx, "back-out"),
                                "rolling.lua", "--to", NEWER, *no_controllers(ctx),
                                *ALL_THE_SAME), 4)
        took = watch()
        line = complaint(done)
        assert f"broker {broker.id} is back on {lab.spec.release}" in line, told(done)
        lab.wait_in_sync(patience.SPREAD)
        assert broker.release() == lab.spec.release
        assert acts.runs_release(broker, lab.spec.release)
        assert ctx.since(before) == {broker.name: ["stop", "start", "start"]}, ctx.since(before)
        ctx.say(f"{line} (after {took:.0f} s)")


SUPERVISED = """#!/bin/sh
# Starts the node, and starts it again whenever it has ended, until %(off)s is there.
%(service)s start
[ "$1" = start ] || exit 0
setsid sh -c 'touch %(alive)s.$$
while sleep 0.3; do
    [ ! -e %(off)s ] || exec rm %(alive)s.$$
    %(service)s status >/dev/null || %(service)s start
done' >/dev/null 2>&1 </dev/null &
"""


@contextlib.contextmanager
def supervised(ctx: Context, node: Node) -> Iterator[Path]:
    """A cluster file whose start of this node is a supervisor's; it ends with the block."""
    script, run = node.dir / "supervised", node.dir / "run"
    off, alive = run / "unsupervised", run / "supervisor"
    off.unlink(missing_ok=True)
    script.write_text(SUPERVISED % {"service": node.service, "off": off, "alive": alive})
    script.chmod(0o755)
    file = ctx.lab.dir / "supervised.yaml"
    text = inventory.text(ctx.lab)
    ours = text.replace(f'start: ["{node.service}", start]', f'start: ["{script}", start]')
    assert ours != text, f"no start of {node.name} in\n{text}"
    file.write_text(ours)
    try:
        yield file
    finally:
        off.touch()
        patience.until(lambda: not list(run.glob(f"{alive.name}.*")), "the supervisor to end")


@scenario(cluster="kraft-3.7.2", order=32)
def a_crash_loop_under_a_supervisor(ctx: Context) -> None:
    """A broker that dies in start-up and is started again for ever: the second death ends the run,
    in the words of its log."""
    lab = ctx.lab
    broker = lab.brokers()[0]
    before = ctx.counters()
    with acts.put_back(lab, broker):
        key = acts.poison(broker, NEWER)
        with supervised(ctx, broker) as file:
            done = expect(ctx.kplay("run", "--yes", "-c", file, "--runs", runs_of(ctx, "loop"),
                                    "rolling.lua", "--to", NEWER, *no_controllers(ctx),
                                    *ALL_THE_SAME), 4,
                          "its process has died", "times since it was started")
            starts = ctx.since(before)[broker.name].count("start")
        assert key in done.stderr, f"its log is not shown\n{told(done)}"
        assert list(ctx.since(before)) == [broker.name], ctx.since(before)
        assert 2 <= starts < 20, f"{starts} starts before kplay gave up"
        ctx.say(f"{complaint(done)} ({starts} starts)")


# Interrupted by somebody

@scenario(cluster="kraft-3.7.2", order=34)
def a_signal_finishes_the_node(ctx: Context) -> None:
    """SIGTERM with a broker down: it is started and in sync before the run pauses; the run goes on
    with the next one."""
    lab = ctx.lab
    broker, other = lab.brokers()[:2]
    rest = ",".join(str(n.id) for n in lab.nodes if n.id not in (broker.id, other.id))
    runs = runs_of(ctx, "signal")
    before = ctx.counters()
    child = ctx.popen("run", "--yes", "--runs", runs, "rolling.lua", "--skip", rest)
    with when_counted(broker, "stop", child.terminate) as problems:
        done = ctx.finish(child)
    assert not problems, problems
    expect(done, 75, f"pausing when broker {broker.id} is done", "nothing is under way")
    assert "\ndown" not in done.stdout, told(done)
    assert ctx.since(before) == {broker.name: ["stop", "start"]}, ctx.since(before)
    lab.wait_in_sync(patience.SPREAD)
    expect(ctx.kplay("resume", "--yes", "--runs", runs), 0, "done")
    assert ctx.since(before) == {n.name: ["stop", "start"] for n in (broker, other)}


# Killed by somebody

@scenario(cluster="kraft-3.7.2", order=40, long=True)
def killed_while_stopping(ctx: Context) -> None:
    """A kill -9 between the stop and its end: kplay does not take that for a clean stop."""
    lab = ctx.lab
    broker = lab.brokers()[0]
    before = ctx.counters()
    with load_on(ctx, "killed-stopping") as load:
        with when_counted(broker, "stop", lambda: acts.kill(broker)) as problems:
            done = ctx.kplay(*rolling(ctx, "killed", *no_controllers(ctx)))
        assert not problems, problems
        expect(done, 4, "without a clean shutdown")
        ctx.say(complaint(done))
        assert ctx.since(before) == {broker.name: ["stop"]}, ctx.since(before)
        watch = stopwatch()
        ctx.kplay("resume", "--yes", "--runs", runs_of(ctx, "killed"), want=0)
        ctx.say(f"resumed in {watch():.0f} s")
        lab.wait_in_sync()
    assert ctx.since(before) == {n.name: ["stop", "start"] for n in lab.brokers()}, (
        ctx.since(before))
    nothing_lost(ctx, load)


@scenario(cluster="kraft-3.7.2", order=41, long=True)
def another_killed_in_the_middle(ctx: Context) -> None:
    """While one broker is being started, another is killed: no further node is stopped."""
    lab = ctx.lab
    first, second, third = lab.brokers()
    before = ctx.counters()
    settle = f"{patience.stretched(patience.REJOIN):.0f}s"
    with load_on(ctx, "another-killed") as load:
        with when_counted(first, "start", lambda: acts.kill(second)) as problems:
            watch = stopwatch()
            done = ctx.kplay(*rolling(ctx, "another", "--settle", settle, *no_controllers(ctx)))
            took = watch()
        assert not problems, problems
        expect(done, 4, f"broker {second.id} ", "; nothing is touched until it is back",
               f"look at broker {second.id}, start it if it is down")
        line = complaint(done)
        assert ctx.since(before) == {first.name: ["stop", "start"]}, ctx.since(before)
        ctx.say(f"exit {done.returncode} after {took:.0f} s: {line}")
        second.start()
        watch = stopwatch()
        ctx.kplay("resume", "--yes", "--runs", runs_of(ctx, "another"), want=0)
        ctx.say(f"resumed in {watch():.0f} s")
        lab.wait_in_sync()
    assert ctx.since(before) == {first.name: ["stop", "start"],
                                 second.name: ["start", "stop", "start"],
                                 third.name: ["stop", "start"]}, ctx.since(before)
    nothing_lost(ctx, load)
