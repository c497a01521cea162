"""How long to wait: one rule for everything the lab and its scenarios wait for.

A wait has an allowance: the seconds that it may take at the very most where nothing else runs.  The
machine's pace stretches it: how many times as long as there a start of Java takes here and now.
Progress, where a wait has any to show, renews it.  Before a wait is given up the pace is measured
again, so that a machine which became busy meanwhile fails nothing; what is given up waited longer
than the machine explains.

Nothing else in the lab sleeps, names a timeout or counts seconds down (tests/house sees to that).
"""
from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable

# Allowances, in seconds.  They are far above what is usual, which stands beside them.
ANSWER = 5.0      # a broker, to answer one request: milliseconds
GONE = 20.0       # a process that was killed, to be gone: milliseconds
SPREAD = 30.0     # what one broker knows, to be known to all: half a second
REJOIN = 20.0     # a broker that was started, to be back in every ISR: 4 to 11
SYNC = 120.0      # nodes, to start or stop and to be in sync: 2 to 11
TOOL = 120.0      # a script, a command by SSH, a tool of Kafka's: up to 5
SILENCE = 120.0   # a program that tells what it does, between two of its words: up to 30
WHOLE = 900.0     # such a program from first to last, however much it tells: up to 100

LOOK = 0.05       # between two looks at what is waited for
CLOSE_LOOK = 0.005

# A start of Java where nothing else runs, by the clock.  Only ratios to it are used.
QUIET_START = 0.12

_lock = threading.Lock()
_pace: float | None = None


def _java_start() -> float:
    """Seconds that a start of Java takes here and now."""
    home = os.environ.get("JAVA_HOME")
    java = os.path.join(home, "bin", "java") if home else shutil.which("java")
    if not java:
        raise RuntimeError("java is not installed: apt-get install default-jdk-headless")
    begin = time.monotonic()
    subprocess.run([java, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-version"], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin


def measure() -> float:
    """Measures the pace, and returns it: 1 on a quiet machine, more on a slow or a busy one."""
    global _pace
    found = max(1.0, _java_start() / QUIET_START)
    with _lock:
        _pace = found
    return found


def pace() -> float:
    """The pace as it was measured last."""
    with _lock:
        known = _pace
    return known if known is not None else measure()


def stretched(allowance: float) -> float:
    """An allowance in seconds of this machine, for what counts them by itself."""
    return allowance * pace()


class Deadline:
    """When a wait is to be given up.  `progress` returns something that differs from what it
    returned before when there was progress; `whole` bounds the wait however much of it there is."""

    def __init__(self, allowance: float, progress: Callable[[], object] | None = None,
                 whole: float = WHOLE) -> None:
        self._allowance = allowance
        self._whole = max(whole, allowance)
        self._progress = progress
        self._seen = progress() if progress else None
        self._began = self._renewed = time.monotonic()

    def waited(self) -> float:
        return time.monotonic() - self._began

    def _over(self, pace_: float) -> bool:
        now = time.monotonic()
        return (now - self._renewed >= self._allowance * pace_
                or now - self._began >= self._whole * pace_)

    def passed(self) -> bool:
        """The time is over, also by the machine's pace of this moment."""
        if self._progress:
            seen = self._progress()
            if seen != self._seen:
                self._seen, self._renewed = seen, time.monotonic()
        return self._over(pace()) and self._over(measure())


def until(condition: Callable[[], object], what: str, allowance: float = SYNC,
          progress: Callable[[], object] | None = None, look: float = LOOK) -> None:
    """Waits for a condition; TimeoutError says what was waited for."""
    deadline = Deadline(allowance, progress)
    while not condition():
        if deadline.passed():
            raise TimeoutError(f"waited {deadline.waited():.0f} s for {what}, on a machine "
                               f"{pace():.1f} times as slow as a quiet one")
        time.sleep(look)


def pause(seconds: float) -> None:
    """Lets some time pass, in which something is watched."""
    time.sleep(seconds)


def finish(child: subprocess.Popen[str], allowance: float = SILENCE,
           kill_when: Callable[[], bool] | None = None,
           progress: Callable[[], object] | None = None) -> tuple[str, str]:
    """What the child says until its end, or until it is killed because `kill_when` says so.  Each
    word of its renews the deadline, and so does `progress` of a program that keeps its words back
    in a pipe; when there is none for too long it is killed, and Unfinished carries what it said by
    then."""
    said = [b"", b""]
    deadline = Deadline(allowance, lambda: (len(said[0]), len(said[1]), progress and progress()))
    while True:
        try:
            return child.communicate(timeout=LOOK)
        except subprocess.TimeoutExpired as waiting:
            said = [waiting.output or b"", waiting.stderr or b""]
            if kill_when and kill_when():
                child.kill()
                return child.communicate()
            if not deadline.passed():
                continue
        child.kill()
        out, err = child.communicate()
        raise Unfinished(child, f"not done after {deadline.waited():.0f} s", out, err)


class Unfinished(TimeoutError):
    """A program that was ended because it did not end."""

    def __init__(self, child: subprocess.Popen[str], text: str, out: str, err: str) -> None:
        super().__init__(text)
        self.done = subprocess.CompletedProcess(child.args, child.returncode, out, err)


def run(argv: list[str], allowance: float = TOOL,
        **options: object) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end, with nothing to read and both streams in stdout."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, **options)  # type: ignore
    out, _ = finish(child, allowance)
    return subprocess.CompletedProcess(argv, child.returncode, out, "")
