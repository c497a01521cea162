"""What would have been found with a node down is found before the first stop: for every node, by
the check, by preflight and by the roll itself.  What only the start can show ends the roll at the
first node."""
from __future__ import annotations

from pathlib import Path

from lab import acts, inventory
from lab.config import BROKER_PORT
from lab.node import Node
from lab.observer import read_counters

from .base import Context, expect, scenario, told
from .failures import NEWER
from .refusals import complaint, no_controllers, rolling, runs_of, untouched


def refused_with(ctx: Context, name: str, words: tuple[str, ...], *more: str | Path) -> None:
    """The roll is refused before its first action, in these words, and preflight finds the same."""
    with untouched(ctx):
        done = expect(ctx.kplay(*rolling(ctx, name, *more)), 3, *words)
        expect(ctx.kplay("run", "preflight.lua", *more), 3, *words)
    ctx.say(complaint(done))


@scenario(cluster="kraft-3.7.2", order=27)
def refuses_a_spare_host(ctx: Context) -> None:
    """The cluster file names a clone where nothing runs, while the true broker goes on."""
    lab = ctx.lab
    broker = lab.brokers()[0]
    twin = acts.spare(lab, broker)
    file = lab.dir / "spare.yaml"
    file.write_text(inventory.text(lab, hosts={broker.id: twin}))
    words = (f"broker {broker.id} answers on {broker.host}:{BROKER_PORT}",
             f"no process of it runs on {twin.host}")
    with untouched(ctx):
        done = expect(ctx.kplay("run", "--yes", "-c", file, "--runs", runs_of(ctx, "spare"),
                                "rolling.lua"), 3, *words)
        expect(ctx.kplay("cluster", "check", "-c", file), 3, *words)
    assert not read_counters(twin) and twin.process() is None, "the spare host was touched"
    ctx.say(complaint(done))


@scenario(cluster="kraft-3.7.2", order=28)
def refuses_what_a_host_lacks(ctx: Context) -> None:
    """On the last broker of the roll: the properties file inside the release, a release half
    unpacked, no way back."""
    lab = ctx.lab
    last = lab.brokers()[-1]
    to = ("--to", NEWER, *no_controllers(ctx))
    with acts.file_in_release(last, NEWER):
        refused_with(ctx, "in-release", (f"broker {last.id} lies inside the release",), *to)
    with acts.without_jar(last, NEWER):
        refused_with(ctx, "half", (NEWER, last.host), *to)
        expect(ctx.kplay("run", "--dry-run", "rolling.lua", *to), 3, "is only half unpacked",
               "the cluster itself would be refused")
    with acts.without_release(last, lab.spec.release):
        refused_with(ctx, "way-back", (f"broker {last.id} runs {lab.spec.release}",
                                       "could not be put back"), *to)
    with untouched(ctx):
        ctx.kplay("run", "preflight.lua", *to, want=0)


def _starts(node: Node, release: str) -> None:
    """The start script names that release's directory, and not the link."""
    text = node.service.read_text()
    assert "$node/current/bin/" in text
    node.service.write_text(text.replace(
        "$node/current/bin/", f"$node/releases/{acts.release_dir(node, release).name}/bin/"))


@scenario(cluster="kraft-3.7.2", order=33)
def a_start_script_that_names_the_old_release(ctx: Context) -> None:
    """The node comes up with what it ran before: the roll ends there, and touches no other."""
    lab = ctx.lab
    broker, old = lab.brokers()[0], lab.spec.release
    before = ctx.counters()
    with acts.put_back(lab, broker):
        _starts(broker, old)
        done = expect(ctx.kplay(*rolling(ctx, "pinned", "--to", NEWER, *no_controllers(ctx))), 4)
        line = complaint(done)
        ctx.say(line)
        for word in (f"broker {broker.id}", old, NEWER):
            assert word in line, told(done)
        assert ctx.since(before) == {broker.name: ["stop", "start"]}, ctx.since(before)
        assert acts.runs_release(broker, old)


@scenario(cluster="kraft-3.7.2", order=80)
def a_provider_in_log_dirs(ctx: Context) -> None:
    """A config provider gives one broker its log.dirs: they are found by what the process holds
    open, and a restart proves clean.  The upgrade that follows here is of such a broker too."""
    lab = ctx.lab
    broker = lab.brokers()[1]
    acts.provided(broker, "log.dirs")
    try:
        acts.restart_by_ssh(lab, broker)
        with untouched(ctx):
            expect(ctx.kplay("run", "preflight.lua", "--to", NEWER), 5, "a config provider gives the value")
        before = ctx.counters()
        others = [str(n.id) for n in lab.nodes if n is not broker]
        ctx.kplay(*rolling(ctx, "provider", "--skip", ",".join(others)), want=0)
        assert ctx.since(before) == {broker.name: ["stop", "start"]}, ctx.since(before)
    except BaseException:
        ctx.spoil()
        raise


@scenario(cluster="combined-3.9.1", order=20)
def refuses_a_metadata_version_too_low(ctx: Context) -> None:
    """Formatted as of 3.3: nothing of 4.0 reads that."""
    words = "the cluster's metadata.version is level 5, release 4.0 needs at least 7"
    refused_with(ctx, "metadata-version", (words,), "--to", "4.0.1")
    with untouched(ctx):
        expect(ctx.kplay("run", "--dry-run", "rolling.lua", "--to", "4.0.1"), 3, words)


@scenario(cluster="zookeeper-3.4.1", order=22)
def refuses_a_protocol_version_set_twice(ctx: Context) -> None:
    """On the last broker of the roll; Kafka would take the last of them."""
    last = ctx.lab.brokers()[-1]
    with acts.as_it_was(last.properties):
        for version in ("3.4", "3.3"):
            acts.add_line(last, f"inter.broker.protocol.version={version}")
        refused_with(ctx, "twice", ("inter.broker.protocol.version is set 2 times",),
                     "--to", "3.5.2")
