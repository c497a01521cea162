#!/usr/bin/env python3
"""Runs the scenarios: kplay against real Kafka clusters.

    tests/lab/scenarios.py --kplay BIN --load LAB_LOAD [--long | --busy N] [--only NAME ...]
    tests/lab/scenarios.py --list [--long | --busy N]

One line each: ok or FAILED, the name, seconds, and below it the figures it measured.  The scenarios
of one cluster run after each other, so that clusters are built seldom.  The directory of a cluster
on which one failed is kept and named.  Exit code 1 when one failed.  However this ends, no process
stays.  With --busy one scenario of each cluster passes on a machine that has N busy loops to run
beside it.
"""
from __future__ import annotations

import sys

sys.dont_write_bytecode = True

import argparse
import contextlib
import importlib
import os
import subprocess
import traceback
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
# The package has this program's name, and is found by it because it is a directory.
from scenarios import base  # noqa: E402
from lab import patience  # noqa: E402
from lab.cluster import Lab  # noqa: E402

# Ends by itself when whoever started it is gone.
BUSY_LOOP = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(1_000_000):
        pass
"""


class Shared:
    """The lab that the scenarios of one key share."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.lab: Lab | None = None

    def get(self) -> Lab:
        if self.lab is None:
            watch = base.stopwatch()
            lab = Lab(base.clusters[self.key])
            lab.__enter__()
            self.lab = lab
            print(f"        cluster {self.key}, {watch():.0f} s", flush=True)
        return self.lab

    def end(self, problem: BaseException | None = None) -> None:
        """Takes the lab down; after a problem its directory is kept."""
        if self.lab:
            lab, self.lab = self.lab, None
            lab.__exit__(type(problem) if problem else None, problem, None)

    def free_hosts(self) -> None:
        """A run that a scenario leaves unfinished holds the hosts; those of the next one are kept
        elsewhere, and are to find hosts as no kplay has used them."""
        for node in self.lab.nodes if self.lab else ():
            for fence in (node.dir / "releases" / ".kplay").glob("*/epoch"):
                fence.unlink()

    def healthy(self) -> bool:
        try:
            if self.lab:
                self.lab.wait_in_sync(patience.SPREAD)
            return True
        except Exception:
            return False


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """So many processes that do nothing but take the machine's time, in the block."""
    children = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP, str(os.getpid())])
                for _ in range(count)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def run(one: base.Scenario, shared: Shared, binary: Path) -> bool:
    patience.measure()
    watch = base.stopwatch()
    ctx = base.Context(binary, shared.get)
    problem: BaseException | None = None
    try:
        one.run(ctx)
    except Exception as failed:
        problem = failed
    except BaseException as failed:  # Ctrl-C, SIGTERM: the lab goes down and so does this
        ctx.close()
        shared.end(failed)
        raise
    ctx.close()
    shared.free_hosts()
    print(f"{'FAILED' if problem else 'ok':6}  {one.name:40} {watch():6.1f} s", flush=True)
    for figure in ctx.figures:
        print(f"        {figure}", flush=True)
    if problem:
        text = "".join(traceback.format_exception(problem)).rstrip()
        print("\n".join("    | " + line for line in text.splitlines()), flush=True)
    if problem or ctx.spoilt or not shared.healthy():
        shared.end(problem)
    return problem is None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kplay", type=Path, help="the kplay to test")
    parser.add_argument("--load", type=Path, help="lab_load")
    parser.add_argument("--long", action="store_true", help="the long ones too")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these, long ones too")
    parser.add_argument("--busy", type=int, default=0, metavar="N",
                        help="beside N busy loops; one of each cluster, unless --only names them")
    parser.add_argument("--list", action="store_true", help="name them and end")
    options = parser.parse_args()

    for module in sorted((HERE / "scenarios").glob("*.py")):
        if module.stem not in ("__init__", "base"):
            importlib.import_module(f"scenarios.{module.stem}")
    keys = list(base.clusters)
    chosen = sorted((s for s in base.registered if (s.name in options.only if options.only
                                                    else s.busy if options.busy
                                                    else options.long or not s.long)),
                    key=lambda s: (keys.index(s.cluster), s.order))
    unknown = set(options.only or ()) - {s.name for s in chosen}
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; --list names them")
    if options.list:
        for one in chosen:
            print(f"{one.cluster:20} {one.name}{'  (long)' if one.long else ''}")
        return 0
    for what in ("kplay", "load"):
        path = getattr(options, what)
        if path is None or not os.access(path, os.X_OK):
            parser.error(f"--{what} must name a program")
    os.environ["KPLAY_LAB_LOAD"] = str(options.load.absolute())

    failed = []
    watch = base.stopwatch()
    with busy_loops(options.busy):
        shared = Shared(chosen[0].cluster)
        try:
            for one in chosen:
                if one.cluster != shared.key:
                    shared.end()
                    shared = Shared(one.cluster)
                if not run(one, shared, options.kplay.absolute()):
                    failed.append(one.name)
        finally:
            shared.end()
    print(f"{len(chosen) - len(failed)} of {len(chosen)} passed in {watch():.0f} s"
          + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
