"""Clients of other kinds than the lab's own load: Java's of some release, and kafka-python.

    with Programs(lab) as programs:
        programs.java("old", OLD_JAVA)         # returns when it writes and reads
        programs.python("python")
        programs.end("old")

What they need is fetched once into the cache of the releases.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from . import patience, releases
from .load import binary
from .process import spawn

if TYPE_CHECKING:
    from .cluster import Lab

OLD_JAVA = "0.10.2.2"     # older than KIP-511: it tells no name
PYTHON = "3.0.12"

READER = """import sys, kafka
consumer = kafka.KafkaConsumer(sys.argv[2], bootstrap_servers=sys.argv[1].split(","), group_id=sys.argv[3])
consumer.poll(2000)
print("reads", flush=True)
while True:
    consumer.poll(200)
"""


def _python() -> Path:
    """The directory that kafka-python is installed in."""
    def make(work: Path, made: Path) -> None:
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(made),
                               f"kafka-python=={PYTHON}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"kafka-python {PYTHON} could not be fetched: {done.stdout[-300:]}")
    return releases.cached(f"kafka-python-{PYTHON}", make)


def jre(into: Path) -> Path:
    """A Java that is no JDK: without jcmd."""
    home = os.environ.get("JAVA_HOME")
    jlink = shutil.which("jlink", path=f"{home}/bin" if home else None)
    if not jlink:
        raise RuntimeError("jlink is not installed: apt-get install default-jdk-headless")
    done = patience.run([jlink, "--add-modules", "java.se,jdk.unsupported,jdk.management,jdk.security.auth",
                         "--strip-debug", "--output", str(into)])
    if done.returncode != 0:
        raise RuntimeError(f"jlink: {done.stdout}")
    return into


class Programs:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.topic = lab.spec.topics[1]  # the first is read by who accounts for each of its records
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def _start(self, name: str, argv: list[str], words: tuple[str, ...] = ("reads",),
               env: dict[str, str] | None = None) -> None:
        out = self.lab.dir / f"client-{name}.log"
        child = spawn(self.lab.ledger, f"client {name}", argv, uid=os.getuid(), gid=os.getgid(),
                      env={**os.environ, **(env or {})}, output=out)
        self._children[name] = child

        def ready() -> bool:
            if child.poll() is not None:
                raise RuntimeError(f"client {name} ended: {out.read_text()[-500:]}")
            said = out.read_text().splitlines()
            return all(word in said for word in words)
        patience.until(ready, f"client {name} to read", patience.SYNC)

    def java(self, name: str, version: str) -> None:
        """A Java client with the kafka-clients of that version."""
        libs = releases.library("kafka-clients", version)
        source = Path(__file__).with_name("Client.java")
        self._start(name, ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*", str(source),
                           self.lab.bootstrap(), self.topic.name, name])

    def python(self, name: str) -> None:
        self._start(name, [sys.executable, "-c", READER, self.lab.bootstrap(), self.topic.name, name],
                    env={"PYTHONPATH": str(_python())})

    def librdkafka(self, name: str) -> None:
        """lab_load, which is built on it; it says nothing of use here."""
        self._start(name, [str(binary()), "produce", "--bootstrap", self.lab.bootstrap(), "--topic", self.topic.name,
                           "--partitions", str(self.topic.partitions), "--rate", "20", "--count", "1000000",
                           "--size", "100", "--out", str(self.lab.dir / f"client-{name}")], words=())

    def end(self, *names: str) -> None:
        for name in names:
            child = self._children.pop(name)
            child.kill()
            child.wait()

    def __enter__(self) -> Programs:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.end(*list(self._children))
