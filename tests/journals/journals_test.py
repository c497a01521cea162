#!/usr/bin/env python3
"""The archive of runs, replayed: this build and every later one replays each, or names the revision
that it does not replay.

usage: journals_test.py KPLAY

tests/journals/README is the table that is checked: a line for each run, saying how it ended and what
a replay says.  A changed journal, its chain made whole again, must be told from what was recorded.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

KPLAY = Path(sys.argv[1]).resolve()
ARCHIVE = Path(__file__).resolve().parent


def kplay(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(KPLAY), *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def table() -> dict[str, tuple[str, str]]:
    """name -> (how it ended, what a replay says)"""
    rows = {}
    for line in (ARCHIVE / "README").read_text().splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 5 and cells[0] != "name" and not cells[0].startswith("-"):
            assert cells[0] not in rows, f"{cells[0]} stands twice"
            rows[cells[0]] = (cells[2].split(":")[0], cells[3])
    return rows


def run_of(name: str) -> Path:
    runs = [p for p in (ARCHIVE / name).iterdir() if p.is_dir()]
    assert len(runs) == 1, f"{name}: one run, not {len(runs)}"
    return runs[0]


def listing(where: Path) -> list[tuple[str, int]]:
    return sorted((str(p.relative_to(where)), p.stat().st_size) for p in where.rglob("*"))


def changed(run: Path, into: Path, edit) -> Path:
    """A copy of a run with `edit` applied to its list of lines, its chain made anew."""
    copy = into / run.name
    shutil.copytree(run, copy)
    lines = edit((copy / "journal.jsonl").read_text().splitlines())
    link, out = bytes(16), []
    for n, line in enumerate(lines, 1):
        body = re.sub(r'^\{"n":\d+', f'{{"n":{n}', line[:line.rindex(',"h":"')])
        link = hashlib.sha256(link + body.encode()).digest()[:16]
        out.append(f'{body},"h":"{link.hex()}"}}\n')
    (copy / "journal.jsonl").write_text("".join(out))
    return copy


def first(lines: list[str], *texts: str) -> int:
    return next(i for i, line in enumerate(lines) if all(t in line for t in texts))


# ---- the archive ----

def test_the_table_names_every_run():
    there = {p.name for p in ARCHIVE.iterdir() if p.is_dir() and p.name != "sources"}
    assert there == set(table()), f"not in both: {sorted(there ^ set(table()))}"


def test_every_run_replays_or_is_refused_by_a_named_revision():
    wrong = []
    for name, (ended, says) in table().items():
        run = run_of(name)
        before = listing(run)
        if "chain whole" not in kplay("journal", "verify", f"{run}/journal.jsonl").stdout:
            wrong.append(f"{name}: its chain is broken")
        out = kplay("journal", "replay", "--json", str(run))
        if says == "equal":
            got = json.loads(out.stdout) if out.returncode == 0 else None
            if not got or got["ended"] != ended:
                wrong.append(f"{name}: {out.stdout}{out.stderr}")
        elif out.returncode != 3 or f"was recorded by {says}" not in out.stdout + out.stderr:
            wrong.append(f"{name}: not refused by \"{says}\": {out.stdout}{out.stderr}")
        if listing(run) != before:
            wrong.append(f"{name}: the replay wrote into it")
    assert not wrong, "\n".join(wrong)


def test_finished_and_interrupted_runs_are_there():
    ended = [e for e, _ in table().values()]
    assert len([e for e in ended if e in ("done", "superseded")]) >= 12, ended
    assert len([e for e in ended if e in ("interrupted", "paused", "refused", "failed")]) >= 12, ended


def test_nothing_of_a_machine_is_in_it():
    for path in ARCHIVE.rglob("*"):
        if path.is_file() and path.name != Path(__file__).name:
            for word in (b"/home/", b"PRIVATE KEY"):
                assert word not in path.read_bytes(), f"{path}: {word.decode()}"


# ---- what a replay refuses ----

def refused(edit, *texts: str) -> None:
    run = run_of("own-tune")
    with tempfile.TemporaryDirectory(prefix="kplay-journals-") as into:
        out = kplay("journal", "replay", str(changed(run, Path(into), edit)))
        said = out.stdout + out.stderr
        assert out.returncode == 3, f"exit {out.returncode}: {said}"
        for text in texts:
            assert text in said, f"missing: {text}\n{said}"


def test_a_copy_with_its_chain_made_anew_replays():
    with tempfile.TemporaryDirectory(prefix="kplay-journals-") as into:
        out = kplay("journal", "replay", str(changed(run_of("own-tune"), Path(into), lambda lines: lines)))
        assert out.returncode == 0 and "all equal" in out.stdout, out.stdout + out.stderr


def test_other_arguments_are_shown_beside_the_recorded_ones():
    def edit(lines):
        at = first(lines, '"fn":"set_properties"')
        lines[at] = lines[at].replace('"num.io.threads":"12"', '"num.io.threads":"13"')
        return lines
    refused(edit, "does not ask what it asked before", "journal", "playbook", '"num.io.threads":"13"', '"num.io.threads":"12"')


def test_a_call_that_is_gone_is_missed():
    def edit(lines):
        at = first(lines, '"fn":"sleep"')
        return [line for i, line in enumerate(lines) if i not in (at, at + 1)]
    refused(edit, "does not ask what it asked before", "sleep")


def test_calls_that_the_playbook_no_longer_makes_are_missed():
    def edit(lines):
        at = max(i for i, line in enumerate(lines) if '"fn":"log"' in line)
        more = re.sub(r'"i":"leaders\.\d+"', '"i":"leaders.99"', lines[at])
        return lines[:at + 1] + [more] + lines[at + 1:]
    refused(edit, "the playbook ends after", "journaled calls")


def test_another_revision_of_a_verb_is_named():
    def edit(lines):
        at = first(lines, '"fn":"set_properties"')
        lines[at] = lines[at].replace('"num.io.threads":"12"', '"num.io.threads":"13"').replace('"rev":1', '"rev":7')
        return lines
    refused(edit, "was recorded by revision 7 of set_properties, this kplay has revision 1")


def test_an_action_in_doubt_of_another_revision_is_named():
    def edit(lines):
        at = first(lines, '"k":"intent"', '"fn":"stop_broker"')
        lines[at] = lines[at].replace('"rev":1', '"rev":7')
        return lines[:at + 1]
    refused(edit, "was recorded by revision 7 of stop_broker, this kplay has revision 1")


def test_another_revision_of_the_script_host_is_named():
    def edit(lines):
        lines[0] = re.sub(r'"host":\d+', '"host":99', lines[0])
        return lines
    refused(edit, "was recorded by revision 99 of the script host, this kplay has revision")


def main() -> int:
    failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print(f"ok      {name}", flush=True)
        except AssertionError as e:
            failed += 1
            print(f"FAILED  {name}\n{e}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
