"""What a node's next start would load, and with which options: found on real hosts while every node
still runs, and gone when the remedy that is named was followed."""
from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lab import acts
from lab.node import Node

from .base import Context, Done, expect, scenario, told
from .failures import NEWER
from .refusals import rolling, untouched

# What only a file that was changed, a service or a host can bring.
ROWS = ("does not have the class", "refuses an option", "log4j 1", "systemd kills",
        "does not run with what its file says", "eligible leader replicas", "is not known")
# One that Java 17 takes and warns of, and 25 does not know.
OLD_OPTION = "-XX:+UseBiasedLocking"
JAVAS = Path("/usr/lib/jvm")


def _preflight(ctx: Context, code: int | None, *words: str, to: str = NEWER) -> Done[str]:
    with untouched(ctx):
        done = ctx.kplay("run", "preflight.lua", "--to", to)
    return done if code is None else expect(done, code, *words)


def _without(done: Done[str], *words: str) -> None:
    said = (done.stdout or "") + (done.stderr or "")
    for word in words:
        assert word not in said, f"{word!r} is said\n{told(done)}"


def _own(node: Node, path: Path) -> Path:
    os.chown(path, node.owner.uid, node.owner.gid, follow_symlinks=False)
    return path


def _sound(ctx: Context, to: str) -> None:
    _without(_preflight(ctx, None, to=to), *ROWS)


@scenario(cluster="kraft-3.7.2", order=34, long=True)
def no_host_row_is_found_in_kraft(ctx: Context) -> None:
    _sound(ctx, NEWER)
    _sound(ctx, "4.0.1")


@scenario(cluster="combined-3.9.1", order=21, long=True)
def no_host_row_is_found_on_combined_nodes(ctx: Context) -> None:
    _sound(ctx, "4.0.1")


@scenario(cluster="zookeeper-3.4.1", order=23, long=True)
def no_host_row_is_found_with_zookeeper(ctx: Context) -> None:
    _sound(ctx, "3.5.2")


@scenario(cluster="kraft-3.7.2", order=35, long=True)
def a_class_that_the_staged_release_does_not_have(ctx: Context) -> None:
    """Nowhere it refuses; in the jar of a plugin that was copied into the release it does not."""
    broker = ctx.lab.brokers()[1]
    words = (f"release {NEWER} does not have the class com.acme.Nowhere, which metric.reporters of "
             f"broker {broker.id} names")
    jar = acts.release_dir(broker, NEWER) / "libs" / "acme.jar"
    with acts.as_it_was(broker.properties):
        acts.edit(broker, "metric.reporters", "com.acme.Nowhere")
        _preflight(ctx, 3, words)
        expect(ctx.kplay(*rolling(ctx, "plugin", "--to", NEWER)), 3, words)
        with zipfile.ZipFile(jar, "w") as file:
            file.writestr("com/acme/Nowhere.class", b"\xca\xfe\xba\xbe")
        _own(broker, jar)
        try:
            _without(_preflight(ctx, None), words)
        finally:
            jar.unlink()
    _preflight(ctx, 0)
    ctx.say(words)


@scenario(cluster="kraft-3.7.2", order=36, long=True)
def a_file_that_is_not_what_runs(ctx: Context) -> None:
    """Told, and let pass; gone when the node was restarted with it."""
    broker = ctx.lab.brokers()[0]
    words = f"broker {broker.id} does not run with what its file says of num.io.threads"
    with acts.put_back(ctx.lab, broker):
        acts.edit(broker, "num.io.threads", "9")
        done = _preflight(ctx, 0, words)
        acts.restart_by_ssh(ctx.lab, broker)
        _without(_preflight(ctx, 0), words)
    acts.restart_by_ssh(ctx.lab, broker)
    ctx.say(next(line for line in done.stdout.splitlines() if words in line).strip())


@contextlib.contextmanager
def _running(path: Path) -> Iterator[None]:
    """A program of that name runs on the machine, which is every node's host."""
    path.write_text("#!/bin/sh\nwhile :; do sleep 0.2; done\n")
    path.chmod(0o755)
    child = subprocess.Popen([path, "agent"])
    try:
        yield
    finally:
        child.kill()
        child.wait()
        path.unlink()


@scenario(cluster="kraft-3.7.2", order=37, long=True)
def a_configuration_agent_on_the_host(ctx: Context) -> None:
    broker = ctx.lab.brokers()[0]
    words = f"puppet runs on {broker.host}, the host of broker {broker.id}"
    with _running(broker.dir / "run" / "puppet"):
        _preflight(ctx, 0, words)
    _without(_preflight(ctx, 0), words)


def _other_java() -> tuple[Path, Path] | None:
    """The JDK that the lab's nodes run on, and one here that does not know OLD_OPTION."""
    word = Path(os.environ["JAVA_HOME"], "bin/java") if "JAVA_HOME" in os.environ else None
    now = (word or Path(shutil.which("java") or "/usr/bin/java")).resolve()
    for java in sorted(JAVAS.glob("*/bin/java")):
        refused = subprocess.run([java, OLD_OPTION, "-version"], capture_output=True, text=True)
        if "Unrecognized VM option" in refused.stdout + refused.stderr:
            return now.parent.parent, java.parent.parent
    return None


def _jdk(node: Node, home: Path) -> None:
    """The JDK of that host, which its service names by a link, is that one now."""
    fresh = node.dir / "jdk.fresh"
    fresh.symlink_to(home)
    _own(node, fresh).rename(node.dir / "jdk")


def _serve_with(node: Node, text: str, *exports: str) -> None:
    node.service.write_text(text.replace("\nexport LOG_DIR", "".join(
        f"\nexport {word}" for word in exports) + "\nexport LOG_DIR", 1))


@scenario(cluster="kraft-3.7.2", order=38, long=True)
def options_and_logging_of_the_next_start(ctx: Context) -> None:
    """A broker's service names its JDK by a link, an old option and a log4j 1 file.  While the link
    leads to the Java that runs nothing is to be found of the option; then the host gets another."""
    lab = ctx.lab
    broker = lab.brokers()[0]
    javas = _other_java()
    if javas is None:
        ctx.say("no newer Java here that refuses an old option: not tried")
        return
    now, later = javas
    text = broker.service.read_text()
    option = f"refuses an option that it runs with: Unrecognized VM option '{OLD_OPTION[5:]}'"
    log4j = f"the service of broker {broker.id} names a log4j 1 configuration"
    logging = broker.dir / "config" / "log4j.properties"
    shutil.copy(broker.dir / "current" / "config" / "log4j.properties", logging)
    home = f"JAVA_HOME={broker.dir}/jdk"
    _own(broker, logging)
    _jdk(broker, now)
    try:
        with acts.put_back(lab, broker):
            _serve_with(broker, text, home, f"KAFKA_JVM_PERFORMANCE_OPTS='-server {OLD_OPTION}'",
                        f"KAFKA_OPTS=-Dlog4j.configuration=file:{logging}")
            acts.restart_by_ssh(lab, broker)
            _without(_preflight(ctx, 0), "refuses an option", "log4j 1")
            expect(_preflight(ctx, None, to="4.0.1"), 3, log4j)  # two hops
            _jdk(broker, later)
            ctx.say(next(line for line in _preflight(ctx, 3, option).stdout.splitlines()
                         if option in line).strip())
            # The remedy: taken out of the service, and restarted with that.
            _jdk(broker, now)
            _serve_with(broker, text, home, "KAFKA_JVM_PERFORMANCE_OPTS='-server -XX:+UseG1GC'")
            acts.restart_by_ssh(lab, broker)
            _jdk(broker, later)
            _without(_preflight(ctx, 0), "refuses an option", "takes the options of")
            _without(_preflight(ctx, None, to="4.0.1"), log4j)
    finally:
        _jdk(broker, now)
        acts.restart_by_ssh(lab, broker)
        (broker.dir / "jdk").unlink()
        logging.unlink()
