"""What is wrong before anything begins: the cluster file, SSH, releases, another run.  One line
says what, the exit code tells the kind, and no node is touched."""
from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from lab import acts, inventory
from lab.config import BROKER_PORT
from lab.node import SSH_PORT

from .base import Context, expect, scenario, told
from .crashes import DEMO_BROKERS_ONLY, SPREAD, intents
from .refusals import complaint, refuses, rolling, runs_of, untouched


def variant(ctx: Context, name: str, *changes: tuple[str, str]) -> Path:
    """A cluster file that differs from the lab's in these places."""
    text = inventory.text(ctx.lab)
    for old, new in changes:
        assert old in text, f"{old} is not in the cluster file"
        text = text.replace(old, new)
    file = ctx.lab.dir / f"{name}.yaml"
    file.write_text(text)
    return file


def rolls(ctx: Context, name: str, file: Path, *words: str) -> tuple[str | Path, ...]:
    return ("run", "--yes", "-c", file, "--runs", runs_of(ctx, name), "rolling.lua", *words)


@scenario(cluster="kraft-3.7.2", order=10)
def errors_of_the_cluster_file(ctx: Context) -> None:
    """Not understood: exit 2, with the place; nothing is contacted."""
    first = f"cluster: {ctx.lab.name}\n"
    second, third = (n.id for n in ctx.lab.brokers()[1:])
    cases = (
        ("tab", (first, first + "\tuser: x\n"), ":2:"),
        ("unknown-key", (first, first + "colour: blue\n"), "colour"),
        ("twice", (first, first + first), "cluster"),
        ("alias", (f"cluster: {ctx.lab.name}", f"cluster: &name {ctx.lab.name}"), ":1:"),
        ("wrong-type", (f"  - id: {second}\n", "  - id: two\n"), "id"),
        ("wrong-guard", ("guard: strict", "guard: bold"), "bold"),
        ("two-of-one-id", (f"  - id: {second}\n", f"  - id: {third}\n"), f"{third}"),
    )
    for name, change, word in cases:
        file = variant(ctx, f"bad-{name}", change)
        done = refuses(ctx, 2, (word,), *rolls(ctx, "file", file))
        assert f"bad-{name}.yaml:" in complaint(done), f"no place is named\n{told(done)}"
    refuses(ctx, 2, ("none.yaml",), *rolls(ctx, "file", ctx.lab.dir / "none.yaml"))


@scenario(cluster="kraft-3.7.2", order=11)
def errors_of_the_command_line(ctx: Context) -> None:
    """One line each, exit 2, nothing is contacted."""
    for cause, words in (
            ('"rollling.lua"', ("run", "--yes", "rollling.lua")),
            ("banana", ("run", "--yes", "rolling.lua", "--to", "banana")),
            ("speed", ("run", "--yes", "rolling.lua", "--speed", "9")),
            ("7777", ("run", "--yes", "rolling.lua", "--skip", "7777")),
            ("--force needs a reason", ("run", "--yes", "--force", "min-isr", "rolling.lua")),
            ("nobody is here to say yes", ("run", "rolling.lua"))):
        refuses(ctx, 2, (cause,), *words)


@scenario(cluster="kraft-3.7.2", order=12)
def errors_of_releases(ctx: Context) -> None:
    """Not known, not staged anywhere, not staged on one host."""
    refuses(ctx, 3, ("no way is known from 4.x to 5.x",), *rolling(ctx, "release", "--to", "9.9.9"))
    refuses(ctx, 3, ("3.8.1 is not staged",), *rolling(ctx, "release", "--to", "3.8.1"))
    node = ctx.lab.brokers()[1]
    with acts.without_release(node, "3.9.1"):
        refuses(ctx, 3, (f"3.9.1 is not staged on {node.host}",),
                *rolling(ctx, "release", "--to", "3.9.1"))


@scenario(cluster="kraft-3.7.2", order=13)
def errors_of_the_network(ctx: Context) -> None:
    """A listener or a host where nobody is."""
    second = ctx.lab.brokers()[1]
    listener = f'"{second.host}:{BROKER_PORT}"'
    wrong = variant(ctx, "wrong-port", (f"kafka: {listener}", f'kafka: "{second.host}:9"'))
    refuses(ctx, 3, (f"broker {second.id} does not answer",), *rolls(ctx, "port", wrong))
    with untouched(ctx):
        done = expect(ctx.kplay("cluster", "check", "-c", wrong), 6, f"{second.host}:9")
        ctx.say(complaint(done))
    away = f"{second.host.rpartition('.')[0]}.99"
    gone = variant(ctx, "wrong-host", (f'host: "{second.host}"', f'host: "{away}"'))
    done = refuses(ctx, 6, (f"broker {second.id}", away), *rolls(ctx, "host", gone))
    expect(done, 6, away)
    everyone = [(f'kafka: "{n.host}:{BROKER_PORT}"', f'kafka: "{n.host}:9"')
                for n in ctx.lab.brokers()]
    nobody = variant(ctx, "wrong-ports", *everyone)
    refuses(ctx, 6, ("does not answer", "connect", "refused"), *rolls(ctx, "ports", nobody))


@scenario(cluster="kraft-3.7.2", order=14)
def errors_of_ssh(ctx: Context) -> None:
    """A key that nobody let in, a host key that nobody knows, one that changed."""
    lab = ctx.lab
    stranger = lab.dir / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    identity, known = f'identity: "{lab.identity}"', f'known_hosts: "{lab.known_hosts}"'
    refuses(ctx, 6, ("login refused",),
            *rolls(ctx, "ssh", variant(ctx, "wrong-key", (identity, f'identity: "{stranger}"'))))

    lines = lab.known_hosts.read_text().splitlines()
    second = f"[{lab.brokers()[1].host}]:{SSH_PORT} "
    unknown = lab.dir / "unknown_hosts"
    unknown.write_text("".join(f"{line}\n" for line in lines if not line.startswith(second)))
    refuses(ctx, 6, ("unknown host key",),
            *rolls(ctx, "ssh", variant(ctx, "unknown-key", (known, f'known_hosts: "{unknown}"'))))

    first = next(line for line in lines if line.startswith(f"[{lab.brokers()[0].host}]:"))
    changed = lab.dir / "changed_hosts"
    changed.write_text("".join(
        second + first.split(" ", 1)[1] + "\n" if line.startswith(second) else f"{line}\n"
        for line in lines))
    refuses(ctx, 6, ("CHANGED host key",),
            *rolls(ctx, "ssh", variant(ctx, "changed-key", (known, f'known_hosts: "{changed}"'))))


@scenario(cluster="kraft-3.7.2", order=15)
def errors_of_another_cluster(ctx: Context) -> None:
    """A run of one cluster is not gone on with on another: here, one that began on a simulated
    cluster."""
    runs = runs_of(ctx, "other")
    roll = ("--runs", runs, "--yes", "rolling.lua", *DEMO_BROKERS_ONLY)
    kill = {"KPLAY_CRASH": f"record:{intents(ctx)[SPREAD[0]]}"}
    done = ctx.kplay("run", "--demo", *roll, env=kill)
    assert done.returncode == -signal.SIGKILL, told(done)
    refuses(ctx, 3, ("the cluster is not the one this run began on",),
            "resume", "--yes", "--runs", runs)


SLOW = """--- A run that takes its time.

return {
  api     = 1,
  summary = "Do nothing for a while.",
  effects = { "leader.elect" },
  run = function()
    log("begun")
    sleep("1h")
  end,
}
"""


@scenario(cluster="kraft-3.7.2", order=16)
def errors_of_two_at_once(ctx: Context) -> None:
    """The second run on a cluster is refused, and so is a resume of the first by somebody else."""
    runs = runs_of(ctx, "two")
    playbook = ctx.lab.dir / "slow.lua"
    playbook.write_text(SLOW)
    first = ctx.popen("run", "--yes", "--runs", runs, playbook)
    ctx.lab.wait(lambda: any('"note"' in p.read_text() and "begun" in p.read_text()
                             for p in runs.glob("*/journal.jsonl")), "the first run to begin")
    refuses(ctx, 3, ("is open in process",), *rolling(ctx, "two"))
    refuses(ctx, 3, ("is open in process", "at work"), "resume", "--yes", "--runs", runs)
    assert first.poll() is None, "the first run ended"
    first.send_signal(signal.SIGINT)
    ctx.finish(first, 75)
