"""Kafka releases, made from the jars that Maven Central serves.

A release directory `kafka_2.13-V` is `libs/`, `config/` (logging) and `bin/` (scripts of ours under
Kafka's names, scripts.py).  It is fetched once into a cache that outlives build trees and labs; a
lab gets hard links, so that a node owns a whole release directory and may break it, at no cost.

The cache is $KPLAY_LAB_CACHE, by default ${XDG_CACHE_HOME:-~/.cache}/kplay-lab.  Two labs may fetch
at the same time: a lock is held while fetching, and a release appears by a rename, whole.
"""
from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import scripts

# The releases that the scenarios use, and that `python3 -m lab.releases` fetches.
ALL = ("2.8.2", "3.4.1", "3.5.2", "3.7.2", "3.9.1", "4.0.1", "4.4.0")

# Central has no connect-* jars of 4.0.1, although kafka-tools 4.0.1 names them; nothing here uses
# them in any release.
EXCLUDED = ("connect-api", "connect-json", "connect-transforms", "connect-runtime")

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lab</groupId><artifactId>kafka-{version}</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""


def number(version: str) -> tuple[int, ...]:
    """'3.9.1' as (3, 9, 1), to compare releases."""
    return tuple(int(part) for part in version.split("."))


def directory_name(version: str) -> str:
    return f"kafka_2.13-{version}"


def cache() -> Path:
    named = os.environ.get("KPLAY_LAB_CACHE")
    if named:
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base).absolute() / "kplay-lab"


def _dependency(group: str, artifact: str, version: str) -> str:
    excluded = "".join(
        f"<exclusion><groupId>org.apache.kafka</groupId><artifactId>{name}</artifactId></exclusion>"
        for name in EXCLUDED)
    # log4j 1.2 and its slf4j binding, which old releases name, are replaced by reload4j.
    for group_id, name in (("log4j", "log4j"), ("org.slf4j", "slf4j-log4j12")):
        excluded += (f"<exclusion><groupId>{group_id}</groupId>"
                     f"<artifactId>{name}</artifactId></exclusion>")
    return (f"    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version><exclusions>{excluded}</exclusions></dependency>")


def pom(version: str) -> str:
    """The Maven project whose runtime dependencies are that release's libs/."""
    wanted = [("org.apache.kafka", "kafka_2.13", version)]
    if number(version) >= (3, 5):
        wanted.append(("org.apache.kafka", "kafka-tools", version))
    if number(version) >= (4,):
        wanted.append(("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"))
        wanted.append(("org.apache.logging.log4j", "log4j-core", "2.24.3"))
    else:
        wanted.append(("org.slf4j", "slf4j-reload4j", "1.7.36"))
    return POM.format(version=version, dependencies="\n".join(_dependency(*w) for w in wanted))


def cached(name: str, make: Callable[[Path, Path], None]) -> Path:
    """The directory of that name in the cache; `make` makes it first, in a directory to work in, if
    it is not there."""
    home = cache()
    home.mkdir(parents=True, exist_ok=True)
    target = home / name
    if target.is_dir():
        return target
    with open(home / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        work = Path(tempfile.mkdtemp(prefix="fetch-", dir=home))
        try:
            made = work / target.name
            make(work, made)
            made.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


def _copy_jars(what: str, project: str, work: Path, into: Path) -> None:
    """The runtime dependencies of a Maven project."""
    if not shutil.which("mvn"):
        raise RuntimeError(f"{what} is not in {cache()} and mvn is not installed: "
                           "apt-get install maven, or set KPLAY_LAB_CACHE")
    (work / "pom.xml").write_text(project)
    done = subprocess.run(
        ["mvn", "-B", "-q", "-f", str(work / "pom.xml"), "dependency:copy-dependencies",
         "-DincludeScope=runtime", f"-DoutputDirectory={into}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        told = [line for line in done.stdout.splitlines() if "ERROR" in line]
        raise RuntimeError(f"{what} could not be fetched: {''.join(told[:1])}")


def fetch(version: str) -> Path:
    """The cached release directory of `version`, fetched first if it is not there."""
    def make(work: Path, made: Path) -> None:
        _copy_jars(f"Kafka {version}", pom(version), work, made / "libs")
        scripts.write(made)
    return cached(directory_name(version), make)


def library(artifact: str, version: str) -> Path:
    """The jars of one library of Kafka's and of what it needs, likewise."""
    def make(work: Path, made: Path) -> None:
        one = _dependency("org.apache.kafka", artifact, version)
        _copy_jars(f"{artifact} {version}", POM.format(version=version, dependencies=one), work, made)
    return cached(f"{artifact}-{version}", make)


def install(release: Path, into: Path) -> Path:
    """Another copy of a release directory, below `into`.  The jars are hard links (copies where a
    link cannot be made: another file system), the rest is small and copied."""
    def link(src: str, dst: str) -> None:
        try:
            os.link(src, dst)
        except OSError:
            shutil.copyfile(src, dst)

    target = into / release.name
    shutil.copytree(release / "libs", target / "libs", copy_function=link)
    for part in ("bin", "config"):
        shutil.copytree(release / part, target / part)
    return target


def main() -> None:
    for version in ALL:
        print(fetch(version))


if __name__ == "__main__":
    main()
