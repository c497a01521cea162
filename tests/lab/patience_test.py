#!/usr/bin/env python3
"""The lab's own judgement, without a cluster: how long it waits on a slow or busy machine, and what
an observer that is late may call a fault."""
from __future__ import annotations

import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lab import observer, patience
from lab.wire import Metadata, Partition


class Clock:
    """Time that passes only by sleeping, on a machine whose pace is told."""

    def __init__(self, *paces: float) -> None:
        self.now, self.paces, self.measured = 0.0, list(paces), 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def start(self) -> float:
        """What a start of Java takes; the last pace goes on."""
        self.measured += 1
        took = self.paces.pop(0) if len(self.paces) > 1 else self.paces[0]
        return took * patience.QUIET_START

    def __enter__(self) -> Clock:
        self._patches = [mock.patch.object(patience.time, "monotonic", lambda: self.now),
                         mock.patch.object(patience.time, "sleep", self.sleep),
                         mock.patch.object(patience, "_java_start", self.start),
                         mock.patch.object(patience, "_pace", None)]
        for each in self._patches:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._patches:
            each.stop()


def never() -> bool:
    return False


class Waits(unittest.TestCase):
    def gives_up(self, clock: Clock, **more: object) -> float:
        with self.assertRaises(TimeoutError):
            patience.until(never, "nothing", 10, **more)  # type: ignore[arg-type]
        return clock.now

    def test_a_quiet_machine_gives_the_allowance(self) -> None:
        with Clock(1) as clock:
            self.assertAlmostEqual(self.gives_up(clock), 10, delta=0.2)

    def test_a_fast_machine_gives_no_less(self) -> None:
        with Clock(0.3) as clock:
            self.assertAlmostEqual(self.gives_up(clock), 10, delta=0.2)

    def test_a_slow_machine_gives_as_many_times_more(self) -> None:
        with Clock(4) as clock:
            self.assertAlmostEqual(self.gives_up(clock), 40, delta=0.2)

    def test_a_machine_that_became_busy_is_measured_before_giving_up(self) -> None:
        with Clock(1, 6) as clock:
            self.assertAlmostEqual(self.gives_up(clock), 60, delta=0.2)

    def test_a_machine_that_became_quiet_is_not_waited_for_longer(self) -> None:
        with Clock(4, 1) as clock:
            self.assertAlmostEqual(self.gives_up(clock), 40, delta=0.2)

    def test_progress_renews_up_to_the_whole(self) -> None:
        with Clock(1) as clock:
            deadline = patience.Deadline(10, lambda: min(clock.now // 5, 20), whole=1000)
            while not deadline.passed():
                clock.sleep(1)
            self.assertEqual(clock.now, 110)
        with Clock(1) as clock:
            deadline = patience.Deadline(10, lambda: clock.now, whole=50)
            while not deadline.passed():
                clock.sleep(1)
            self.assertEqual(clock.now, 50)

    def test_nothing_is_measured_while_there_is_time(self) -> None:
        with Clock(1) as clock:
            patience.until(lambda: clock.now > 9, "a while", 10)
            self.assertEqual(clock.measured, 1)


class Programs(unittest.TestCase):
    def child(self, script: str) -> subprocess.Popen[str]:
        return subprocess.Popen(["sh", "-c", script], stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_what_was_said_survives_a_program_that_is_ended(self) -> None:
        late = mock.patch.object(patience.Deadline, "passed",
                                 lambda d: d._progress() != (0, 0, None))
        with late, self.assertRaises(patience.Unfinished) as caught:
            patience.finish(self.child("echo said; exec sleep 1h"))
        self.assertEqual((caught.exception.done.returncode, caught.exception.done.stdout),
                         (-9, "said\n"))

    def test_a_silent_program_that_gets_on_is_let_be(self) -> None:
        steps = iter(range(1000))
        with mock.patch.object(patience, "_pace", 1.0), mock.patch.object(
                patience, "_java_start", lambda: patience.QUIET_START):
            out, _ = patience.finish(self.child("sleep 1; echo done"), 0.3,
                                     progress=lambda: next(steps))
        self.assertEqual(out, "done\n")

    def test_it_is_killed_when_told(self) -> None:
        child = self.child("exec sleep 1h")
        self.assertEqual(patience.finish(child, kill_when=lambda: True), ("", ""))
        self.assertEqual(child.returncode, -9)

    def test_both_streams_are_returned(self) -> None:
        out = patience.finish(self.child("echo one; sleep 0.2; echo two; echo three >&2"))
        self.assertEqual(out, ("one\ntwo\n", "three\n"))


def seen(in_sync: bool) -> Metadata:
    isr = (0, 1, 2) if in_sync else (1, 2)
    return Metadata(1, {0: "", 1: "", 2: ""}, {("t", 0): Partition(1, (0, 1, 2), isr, ())})


class LateObserver(unittest.TestCase):
    """Broker 0 was stopped at 100, and the next one at 200."""

    def returned(self, *samples: observer.Sample) -> float | None:
        first = observer.Sample(0, seen(True), 0)
        away = observer.Sample(110, seen(False), 90)
        return observer._returned([first, away, *samples], 0, 100, 200)

    def test_a_return_before_the_next_stop(self) -> None:
        self.assertEqual(self.returned(observer.Sample(190, seen(True), 180)), 190)

    def test_a_return_that_a_late_poll_shows_may_have_been_before(self) -> None:
        self.assertEqual(self.returned(observer.Sample(900, seen(True), 150)), 900)

    def test_a_poll_after_the_next_stop_that_still_misses_it_is_proof(self) -> None:
        self.assertIsNone(self.returned(observer.Sample(230, seen(True), 210)))

    def test_silence_in_between_is_no_proof(self) -> None:
        silent = observer.Sample(210, None, 150)
        self.assertEqual(self.returned(silent, observer.Sample(700, seen(True), 150)), 700)


if __name__ == "__main__":
    unittest.main()
