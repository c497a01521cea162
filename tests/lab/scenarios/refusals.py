"""What kplay refuses: the cause is named in one line, the exit code is 3, and nothing is touched.

Each scenario makes one thing wrong, asks for a run, and puts it right again.  Runs are kept apart
from each other's (--runs), so that one left unfinished stands in nobody's way.
"""
from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from lab import acts, inventory
from lab.config import Spec, Topic

from .base import Context, Done, clusters, expect, scenario, stopwatch, told
from .crashes import records

clusters["zookeeper-2.8.2"] = Spec("zookeeper", "2.8.2", also=("3.5.2",),
                                   topics=(Topic("orders", 6, 3, 2),))


# Shared with the scenarios of failures and errors

def runs_of(ctx: Context, name: str) -> Path:
    return ctx.lab.dir / f"runs-{name}"


def no_controllers(ctx: Context) -> list[str]:
    return ["--skip", ",".join(str(n.id) for n in ctx.lab.controllers())]


def _files(ctx: Context) -> dict[str, tuple[str, str]]:
    """Of each node: its release link, and what its properties file is by content."""
    return {node.name: (os.readlink(node.dir / "current"),
                        hashlib.sha256(node.properties.read_bytes()).hexdigest())
            for node in ctx.lab.nodes}


@contextlib.contextmanager
def untouched(ctx: Context) -> Iterator[None]:
    """Asserts that in the block no node was started or stopped, no file and no link changed."""
    before = _files(ctx)
    with ctx.unchanged():
        yield
    assert _files(ctx) == before, "a file or a link was changed"


def complaint(done: Done[str]) -> str:
    """The line that says what is wrong; there must be exactly one, with a next step behind it."""
    lines = done.stderr.splitlines()
    found = [line for line in lines if line.startswith("kplay: ")]
    assert len(found) == 1, f"one line was to say it\n{told(done)}"
    assert any(line.lstrip().startswith("next") for line in lines), f"no next step\n{told(done)}"
    return found[0]


def refuses(ctx: Context, code: int, causes: tuple[str, ...], *words: str | Path) -> Done[str]:
    """Runs kplay; asserts the exit code, that the complaint names one of the causes, and that
    nothing was touched."""
    with untouched(ctx):
        done = expect(ctx.kplay(*words), code)
    line = complaint(done)
    assert any(cause in line for cause in causes), f"{causes}: none is named\n{told(done)}"
    ctx.say(line)
    return done


def rolling(ctx: Context, name: str, *words: str | Path) -> tuple[str | Path, ...]:
    """The words of a roll with a runs directory of its own."""
    return ("run", "--yes", "--runs", runs_of(ctx, name), "rolling.lua", *words)


def delete_topic(ctx: Context, name: str) -> None:
    broker = ctx.lab.brokers()[0]
    done = broker.tool("kafka-topics.sh", "--bootstrap-server", f"{broker.host}:9092", "--delete",
                       "--topic", name)
    assert done.returncode == 0, done.stdout
    ctx.lab.wait(lambda: all(name != topic for topic, _ in ctx.lab.metadata().partitions),
                 f"topic {name} to go")


# The cluster is not well

@scenario(cluster="kraft-3.7.2", order=20)
def refuses_while_a_broker_is_down(ctx: Context) -> None:
    """Stopped before the run: it is named, and so is what it left under-replicated."""
    lab = ctx.lab
    broker = lab.brokers()[2]
    acts.stop_and_wait(lab, broker)
    try:
        done = refuses(ctx, 3, (f"broker {broker.id} is down",), *rolling(ctx, "down"))
        expect(done, 3, "under-replicated")
    finally:
        broker.start()
        lab.wait_in_sync()


@scenario(cluster="kraft-3.7.2", order=21)
def refuses_while_a_broker_does_not_answer(ctx: Context) -> None:
    """A frozen process: its port accepts, the others list it for 9 s, then it counts as down."""
    lab = ctx.lab
    broker = lab.brokers()[1]
    acts.freeze(broker)
    try:
        refuses(ctx, 3, (f"broker {broker.id} does not answer", f"broker {broker.id} is down",
                         "under-replicated"), *rolling(ctx, "frozen"))
    finally:
        acts.thaw(broker)
        lab.wait_in_sync()


@scenario(cluster="kraft-3.7.2", order=22)
def refuses_while_a_partition_moves(ctx: Context) -> None:
    """A running reassignment, with all brokers up.  The replica that is being added does not count
    as one that is missing."""
    moving = acts.Reassignment(ctx.lab).start()
    try:
        refuses(ctx, 3, (f"being reassigned: {moving.topic.name}-0",), *rolling(ctx, "moving"))
        assert moving.running(), "the reassignment ended by itself"
    finally:
        moving.cancel()
        delete_topic(ctx, moving.topic.name)


# A stop would make data unavailable

@scenario(cluster="kraft-3.7.2", order=23)
def refuses_a_topic_of_one_replica(ctx: Context) -> None:
    """It would be unavailable; with policy.accept it may be."""
    topic = Topic("single", 1, 1, 1)
    ctx.lab.create_topic(topic)
    ctx.lab.wait_in_sync()
    try:
        done = refuses(ctx, 3, ("would have no leader",), *rolling(ctx, "single"))
        expect(done, 3, "single-0")
        _accepted_by_name(ctx)
    finally:
        delete_topic(ctx, topic.name)


def _accepted_by_name(ctx: Context) -> None:
    """policy.accept is the way that the refusal names: the same check passes with it."""
    file = ctx.lab.dir / "accepts.yaml"
    text = inventory.text(ctx.lab)
    wanted = "policy: { guard: strict, "
    assert wanted in text
    file.write_text(text.replace(
        wanted, wanted + "accept: [ { topic: single, why: one replica by design } ], "))
    with untouched(ctx):
        ctx.kplay("run", "--dry-run", "-c", file, "rolling.lua", want=0)


@contextlib.contextmanager
def setting(ctx: Context, key: str, value: str, otherwise: str | None) -> Iterator[None]:
    """A configuration of the topic orders in the block, another one after it.  Brokers hear of a
    change one by one, so each is waited for until kplay sees it too."""

    def change(to: str | None, well: bool) -> None:
        acts.set_topic_config(ctx.lab, "orders", {key: to})
        ctx.lab.wait(lambda: (ctx.kplay("run", "preflight.lua").returncode == 0) == well,
                     f"the brokers to hear of {key}")

    change(value, False)
    try:
        yield
    finally:
        change(otherwise, True)


@scenario(cluster="kraft-3.7.2", order=24)
def refuses_min_isr_of_all_replicas(ctx: Context) -> None:
    """No broker can stop without writes being refused."""
    with setting(ctx, "min.insync.replicas", "3", "2"):
        refuses(ctx, 3, ("would fall below min.insync.replicas",), *rolling(ctx, "min-isr"))


@scenario(cluster="kraft-3.7.2", order=25)
def refuses_unclean_leader_election(ctx: Context) -> None:
    """A partition that may elect a leader which lacks records."""
    with setting(ctx, "unclean.leader.election.enable", "true", None):
        refuses(ctx, 3, ("allow unclean leader election",), *rolling(ctx, "unclean"))


@scenario(cluster="kraft-3.7.2", order=26)
def refuses_hosts_that_are_mixed_up(ctx: Context) -> None:
    """Two brokers have each other's host in the file; the listeners are right."""
    second, third = ctx.lab.brokers()[1:]
    file = ctx.lab.dir / "mixed-up.yaml"
    file.write_text(inventory.text(ctx.lab, hosts={second.id: third, third.id: second}))
    refuses(ctx, 3, ("the process on",),
            "run", "--yes", "-c", file, "--runs", runs_of(ctx, "mixed-up"), "rolling.lua")
    with untouched(ctx):
        expect(ctx.kplay("cluster", "check", "-c", file), 3,
               f"the process there is node {third.id}")


# Releases

@scenario(cluster="zookeeper-3.4.1", order=20)
def refuses_4_in_zookeeper_mode(ctx: Context) -> None:
    """Under either set of rules: the way leads through a migration."""
    refuses(ctx, 3, ("has no ZooKeeper mode: migrate",), *rolling(ctx, "to-4", "--to", "4.0.1"))
    refuses(ctx, 3, ("has no ZooKeeper mode: migrate",),
            *rolling(ctx, "to-4", "--to", "4.0.1", "--rules", "documented"))


NOT_PINNED = """--- Another release on broker %(id)d, without a thought for its protocol version.

return {
  api     = 1,
  summary = "Upgrade broker %(id)d and forget to pin.",
  effects = { "broker.restart", "release.switch" },

  run = function()
    stop_broker(%(id)d)
    switch_release(%(id)d, "3.5.2")
    start_broker(%(id)d)
  end,
}
"""


@scenario(cluster="zookeeper-3.4.1", order=21)
def refuses_an_unpinned_newer_binary(ctx: Context) -> None:
    """The guard refuses the start, after a playbook forgot set_ibp."""
    lab = ctx.lab
    broker = lab.brokers()[0]
    assert not acts.ibp(broker), "the file is not to pin it"
    playbook = lab.dir / "not-pinned.lua"
    playbook.write_text(NOT_PINNED % {"id": broker.id})
    before = ctx.counters()
    with acts.put_back(lab, broker):
        done = expect(ctx.kplay("run", "--yes", "--runs", runs_of(ctx, "not-pinned"), playbook), 3)
        line = complaint(done)
        assert "inter.broker.protocol.version is not set" in line, told(done)
        assert ctx.since(before) == {broker.name: ["stop"]}, ctx.since(before)
        assert broker.process() is None
        ctx.say(line)


@scenario(cluster="zookeeper-2.8.2", order=20)
def refuses_a_hop_too_far(ctx: Context) -> None:
    """The hops that are needed instead are named."""
    refuses(ctx, 3, ("2.8.2 -> 3.0.2 -> 3.5.2",), *rolling(ctx, "hop", "--to", "3.5.2"))


@scenario(cluster="zookeeper-2.8.2", order=30, busy=True)
def refuses_a_file_changed_by_someone(ctx: Context) -> None:
    """After kplay's own edit, and before the start it was made for."""
    ctx.spoil()
    lab = ctx.lab
    runs = runs_of(ctx, "changed")
    words = ("rolling.lua", "--to", "3.5.2", "--rules", "documented")
    # The records are the same ones on a simulated cluster of as many nodes.
    simulated = lab.dir / "simulated-changed"
    ctx.kplay("run", "--demo", "--mode", "zookeeper", "--runs", simulated, "--yes", *words, want=0)
    edit = next(r["n"] for r in records(simulated) if (r["k"], r.get("fn")) == ("done", "set_ibp"))
    ids = [n.id for n in lab.brokers()]

    before = ctx.counters()
    done = ctx.kplay("run", "--yes", "--runs", runs, *words, env={"KPLAY_CRASH": f"record:{edit}"})
    assert done.returncode == -signal.SIGKILL, told(done)
    last = records(runs)[-1]
    assert (last["k"], last["fn"]) == ("done", "set_ibp"), last
    broker = lab.node(last["node"])
    pinned = acts.ibp(broker)
    assert len(pinned) == 1, pinned
    acts.edit(broker, "inter.broker.protocol.version", "3.5")

    done = expect(ctx.kplay("resume", "--yes", "--runs", runs), 3)
    ctx.say(complaint(done))
    assert "was changed by someone after kplay's edit" in complaint(done), told(done)
    happened = ctx.since(before)
    assert set(happened) <= {broker.name}, happened
    assert happened.get(broker.name, []).count("start") == 0, happened
    ctx.say(f"by then: {happened or 'nothing was stopped'}")

    acts.edit(broker, "inter.broker.protocol.version", pinned[0])
    watch = stopwatch()
    ctx.kplay("resume", "--yes", "--runs", runs, want=0)
    ctx.say(f"put right and resumed in {watch():.0f} s")
    lab.wait_in_sync()
    assert ctx.since(before) == {lab.node(i).name: ["stop", "start"] for i in ids}
    assert [n.release() for n in lab.brokers()] == ["3.5.2"] * len(ids)
