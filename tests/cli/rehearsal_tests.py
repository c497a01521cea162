"""What a rehearsal says of how long the real run would take, and where it knows it from."""

import json
import re
from pathlib import Path

from place import Place, expect, simulated

TOPICS = "[ { name: t, partitions: 6, rf: 3, min_isr: 2 } ]"
SLOW = "  timing: { boot: 5m }\n"
OWN = "the simulator's own estimate"


def verdict(p: Place, *words: str) -> tuple[str, int]:
    """Where the time is from, and how many seconds it is."""
    said = expect(p.run("run", "--dry-run", "rolling.lua", *words), 0)
    about, origin = re.search(r"verdict   go.*, about (.*?)   (.*)", said).groups()
    told = json.loads(p.run("run", "--dry-run", "rolling.lua", *words, "--json").stdout.splitlines()[-1])
    assert told["event"] == "rehearsed" and about.split()[0].isdigit(), (about, told)
    assert told["took_from"] == re.findall(r"\d{4}-[0-9a-f]{4}", origin), (origin, told)
    return origin, told["took_ms"] // 1000


def begun(p: Place, *words: str, **env: str) -> str:
    """A run of the real playbook; its name."""
    before = {d.name for d in (p.dir / "runs").glob("????-????")}
    p.run("run", "rolling.lua", "--yes", *words, **env)
    return next(d.name for d in (p.dir / "runs").glob("????-????") if d.name not in before)


def everything_in(place: Path) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in place.rglob("*") if f.is_file()}


def test_a_rehearsal_takes_its_times_from_earlier_runs():
    with Place() as p:
        p.write("kplay.yaml", simulated(TOPICS))
        origin, guessed = verdict(p)
        assert origin == OWN and guessed < 60, (origin, guessed)

        p.write("kplay.yaml", simulated(TOPICS, SLOW))
        run = begun(p)
        expect(p.run("cluster", "reset"), 0)
        p.write("kplay.yaml", simulated(TOPICS))
        files = everything_in(p.dir)
        origin, known = verdict(p)
        assert origin == f"from 6 stops of run {run}" and 1800 < known < 2400, (origin, known)
        assert everything_in(p.dir) == files
        origin, known = verdict(p, "--only", "1")
        assert origin == f"from 6 stops of run {run}" and 300 < known < 400, (origin, known)
        # What no earlier run did is the simulator's.
        origin, known = verdict(p, "--only", "1", "--to", "3.9.1")
        assert origin == f"from 6 stops of run {run}, the rest {OWN}", origin


def test_only_finished_and_whole_runs_are_asked():
    with Place() as p:
        p.write("kplay.yaml", simulated(TOPICS, SLOW))
        records = begun(p, "--only", "3001")
        origin, _ = verdict(p, "--only", "2")
        assert origin == OWN, origin  # of brokers it knows nothing
        killed = begun(p, KPLAY_CRASH="record:70")
        origin, _ = verdict(p)
        assert origin == f"from 1 stop of run {records}, the rest {OWN}", origin
        expect(p.run("resume", "--yes"), 0)
        origin, known = verdict(p)
        assert re.fullmatch(rf"from \d stops of runs {killed} and {records}", origin), origin
        for run in (killed, records):
            journal = p.dir / "runs" / run / "journal.jsonl"
            lines = journal.read_text().splitlines(keepends=True)
            journal.write_text("".join(lines[:5] + lines[6:]))
        origin, _ = verdict(p)
        assert origin == OWN, origin


def test_the_newest_five_runs_are_asked():
    with Place() as p:
        p.write("kplay.yaml", simulated(TOPICS))
        runs = [begun(p, "--only", "2") for _ in range(7)]
        expect(p.run("run", "preflight.lua"), 0)
        origin, _ = verdict(p, "--only", "2")
        assert origin == f"from 5 stops of runs {', '.join(runs[:2:-1][:4])} and {runs[2]}", (origin, runs)
