"""What a rehearsal says of how long the real run would take, and where it knows it from."""

import hashlib
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


def test_a_lag_baseline_is_a_file_of_the_persons_choice_and_a_rehearsal_writes_none():
    with Place() as p:
        p.write("kplay.yaml", simulated(TOPICS) + "  groups: [ billing ]\n")
        file = p.dir / "before.json"
        said = expect(p.run("run", "--dry-run", "preflight.lua", "--baseline", "before.json"), 0)
        assert f"rehearsed, not written: {file.resolve()}" in said and not file.exists(), said
        expect(p.run("check", "preflight.lua", "--baseline", "before.json"), 0)
        assert not file.exists()
        expect(p.run("run", "preflight.lua", "--baseline", "before.json"), 0, f"written: {file.resolve()}")
        head = json.loads(file.read_text())
        assert head["kplay"] == "lag" and head["cluster"] == "sim" and list(head["found"]) == ["billing"], head
        run = p.dir / "runs" / head["run"] / "journal.jsonl"
        kept = [json.loads(line) for line in run.read_text().splitlines() if '"@kept"' in line]
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert [(k["file"], k["sha256"], k["did"]) for k in kept] == [(str(file.resolve()), digest, "wrote")], kept
        expect(p.run("run", "validate.lua", "--baseline", "before.json"), 0)
        expect(p.run("run", "validate.lua", "--baseline", "none.json"), 2, "none.json: no such file")
        expect(p.run("run", "preflight.lua", "--baseline", "kplay.yaml"), 3, "is not overwritten: it is no baseline of lag")
        below = p.dir / "below"
        below.mkdir()
        (below / "kplay.yaml").write_text((p.dir / "kplay.yaml").read_text()
                                          + "playbooks: { validate: { baseline: ../before.json } }\n")
        expect(p.run("run", "-c", "below/kplay.yaml", "validate.lua"), 0)  # from where that file lies
