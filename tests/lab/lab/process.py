"""Processes, known by pid and start time, and ended by nothing else.

A pid alone may be another process tomorrow, and a name may be somebody else's; a pid together with
the time the kernel started it (field 22 of /proc/PID/stat) is one process.  Every process that a
lab starts, and every one that a node's service script starts on behalf of an SSH session, is
written as a line `PID START NAME` into the ledger, the file `pids` of the lab.

Ending a lab also ends the children of those, sessions of the SSH servers, and what a session left
behind without the ledger knowing (a long job, cut off): that carries the lab's directory in its
environment, which the SSH server set.
"""
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import patience

MARK = "KPLAY_LAB"


@dataclass(frozen=True)
class Process:
    pid: int
    start: int
    name: str = ""

    def alive(self) -> bool:
        return identity(self.pid) == self.start

    def send(self, signum: int) -> bool:
        """Sends the signal to exactly this process; False when it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # The handle cannot change hands; the pid behind it is checked after taking it.
            if not self.alive():
                return False
            signal.pidfd_send_signal(handle, signum)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)

    def wait_gone(self) -> None:
        """Waits for the end of the process that was killed."""
        patience.until(lambda: not self.alive(), f"{self.name} ({self.pid}) to be gone",
                       patience.GONE, look=patience.CLOSE_LOOK)


def _stat(pid: int) -> tuple[int, int] | None:
    """Parent and start time of a living process.  A zombie, which only waits for its parent to
    look, is not living, unless it has threads that still hold its ports and files."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2:].split()
    if fields[0] in "ZX" and int(fields[17]) <= 1:
        return None
    return int(fields[1]), int(fields[19])


def identity(pid: int) -> int | None:
    """The start time of a living process in clock ticks since boot; None when there is none."""
    found = _stat(pid)
    return found[1] if found else None


class Ledger:
    """The file of processes to end.  Appended to by this class and by the service scripts, which
    run as the lab's user: hence its mode."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, uid: int, gid: int) -> None:
        self.path.touch()
        os.chown(self.path, uid, gid)

    def add(self, process: Process) -> None:
        with open(self.path, "a") as out:
            out.write(f"{process.pid} {process.start} {process.name}\n")

    def entries(self) -> list[Process]:
        found = []
        for line in self.path.read_text().splitlines():
            parts = line.split(maxsplit=2)
            if len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit():
                found.append(Process(int(parts[0]), int(parts[1]), parts[2] if parts[2:] else ""))
        return found


def as_user(uid: int, gid: int) -> dict[str, Any]:
    """What subprocess needs to run something as that user; nothing when it is oneself."""
    return {} if uid == os.getuid() else {"user": uid, "group": gid, "extra_groups": []}


def spawn(ledger: Ledger, name: str, argv: list[str], *, uid: int, gid: int, env: dict[str, str],
          output: Path) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own, so that Ctrl-C at the terminal does not reach it,
    and writes it into the ledger."""
    with open(output, "ab") as out:
        child: subprocess.Popen[bytes] = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd="/",
            start_new_session=True, **as_user(uid, gid))
    ledger.add(Process(child.pid, identity(child.pid) or 0, name))
    return child


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(parents: list[Process]) -> list[Process]:
    """The processes below these: sessions of an SSH server, and what runs in them."""
    below: dict[int, list[Process]] = {}
    for pid in _all_pids():
        found = _stat(pid)
        if found:
            below.setdefault(found[0], []).append(Process(pid, found[1], "child"))
    reached: list[Process] = []
    waiting = [p.pid for p in parents if p.alive()]
    while waiting:
        for child in below.get(waiting.pop(), []):
            reached.append(child)
            waiting.append(child.pid)
    return reached


def marked(directory: Path) -> list[Process]:
    """Processes whose environment carries this lab's mark."""
    mark = f"{MARK}={directory}".encode()
    found = []
    for pid in _all_pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:  # gone, or another user's
            continue
        start = identity(pid)
        if mark in environment and start is not None and pid != os.getpid():
            found.append(Process(pid, start, "marked"))
    return found


def end_all(ledger: Ledger) -> list[Process]:
    """Ends every process of the lab by SIGKILL, and returns those that would not end.  Repeated
    until nothing is left: a service script may be starting one more while this runs."""
    directory = ledger.path.parent
    living: dict[int, Process] = {}

    def ended() -> bool:
        known = ledger.entries()
        found = [p for p in known + children(known) + marked(directory) if p.alive()]
        living.clear()
        living.update((p.pid, p) for p in found)
        for process in found:
            process.send(signal.SIGKILL)
        return not found

    with contextlib.suppress(TimeoutError):
        patience.until(ended, "every process of the lab to end", patience.GONE)
    return list(living.values())
