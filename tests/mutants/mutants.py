#!/usr/bin/env python3
"""Mutants: kplay broken on purpose, one fault at a time; the test that is there for it must fail.

A test that passes while the thing it is there for is broken proves nothing.  faults/*.txt holds the
faults, as edits of the sources:

    NAME
      means  what a survivor would mean
      test   unit test_guard            must fail of it
      in     core/engine/guard.c
      -      the lines as they are, found exactly once
      +      the lines as they would be wrong

No source holds any of it.  The sources are copied below BUILD, every edit of a C file is put in there
at once, and one build is made of them: where a `+` line says MUTANT, that is true in a process whose
KPLAY_MUTANT is the name, and false in any other.  MUTANT_OF(text) is true where the name ends with
": " and that text; then a `test` line begins with that text and a colon, and each is a mutant.
Edits of Lua files need no MUTANT: the copy is edited while the test runs.

TEST is one of
    unit NAME     a test of tests/unit
    spec FILE     tests/spec/FILE, run by kplay test
    cli NAME      the tests of tests/cli whose name has NAME in it
    journals      the archive of runs, replayed
and is preceded by `long` when only --long is to run it.  Each test runs once as it is, where it must
pass, and once for each of its mutants, where it must fail.  A survivor fails the run, and so does an
edit whose lines are gone.
"""
from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("CMakeLists.txt", "README.md", "core", "luaapi", "stdlib", "playbooks", "examples", "tests")
HANG = 900  # seconds; a test that hangs has not failed
SWITCH = '''
#include <stdlib.h>
#include <string.h>
/* Only in the copy that mutants are built of. */
static inline bool kp_mutant(const char *name, const char *of)
{
    const char *chosen = getenv("KPLAY_MUTANT");
    size_t n = strlen(name);
    if (!chosen || strncmp(chosen, name, n) != 0)
        return false;
    return of ? strncmp(chosen + n, ": ", 2) == 0 && strcmp(chosen + n + 2, of) == 0 : !chosen[n];
}
'''


@dataclass
class Edit:
    path: str
    old: str = ""
    new: str = ""


@dataclass
class Fault:
    name: str
    place: str
    means: str = ""
    tests: list[str] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)


@dataclass
class Mutant:
    name: str
    means: str
    test: str
    long: bool
    lua: list[Edit]


def read_faults(path: Path) -> list[Fault]:
    faults: list[Fault] = []
    for n, line in enumerate(path.read_text().splitlines(), 1):
        place = f"{path.name}:{n}"
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            faults.append(Fault(line.strip(), place))
            continue
        key, _, rest = line.strip().partition(" ")
        fault, text = faults[-1], line[line.index(key) + 1:].removeprefix("      ") + "\n"
        if key == "means":
            fault.means = rest.strip()
        elif key == "test":
            fault.tests.append(rest.strip())
        elif key == "in":
            fault.edits.append(Edit(rest.strip()))
        elif key == "-":
            fault.edits[-1].old += text
        elif key == "+":
            fault.edits[-1].new += text
        else:
            sys.exit(f"{place}: {key} is none of means, test, in, -, +")
    return faults


def mutants_of(fault: Fault) -> list[Mutant]:
    found = []
    lua = [e for e in fault.edits if e.path.endswith(".lua")]
    for test in fault.tests:
        of, colon, rest = test.partition(": ")
        name, test = (f"{fault.name}: {of}", rest) if colon else (fault.name, test)
        long = test.startswith("long ")
        found.append(Mutant(name, fault.means, test.removeprefix("long "), long, lua))
    return found


def edited(text: str, fault: Fault, edit: Edit) -> str:
    new = edit.new.replace("MUTANT_OF(", f'kp_mutant("{fault.name}", ')
    new = re.sub(r"\bMUTANT\b", f'kp_mutant("{fault.name}", NULL)', new)
    if text.count(edit.old) != 1:
        raise ValueError(f"{fault.place}: {fault.name}: its lines are {text.count(edit.old)} times in {edit.path}")
    return text.replace(edit.old, new)


def copy(faults: list[Fault]) -> None:
    """The sources with every edit of a C file; a file that is as it was is left alone, for make's sake."""
    texts: dict[Path, bytes] = {}
    lost: list[str] = []
    for name in COPIED:
        top = ROOT / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            to = SOURCE / path.relative_to(ROOT)
            if path.is_file() and "__pycache__" not in path.parts:
                texts[path.relative_to(ROOT)] = path.read_bytes()
            elif path.is_symlink() and not to.is_symlink():  # the sources of the journals
                to.parent.mkdir(parents=True, exist_ok=True)
                to.symlink_to(path.readlink())
    base = Path("core/base/base.h")
    end = texts[base].decode().rindex("#endif")
    texts[base] = (texts[base].decode()[:end] + SWITCH + "\n#endif\n").encode()
    for fault in faults:
        for edit in fault.edits:
            path = Path(edit.path)
            if path not in texts:
                sys.exit(f"{fault.place}: there is no {edit.path}")
            try:
                text = edited(texts[path].decode(), fault, edit)
            except ValueError as gone:
                lost.append(str(gone))
                continue
            if path.suffix != ".lua":
                texts[path] = text.encode()
    if lost:
        sys.exit("\n".join(lost))
    for path, data in texts.items():
        to = SOURCE / path
        if not to.exists() or to.read_bytes() != data:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(data)
        shutil.copymode(ROOT / path, to)
    for path in [p for p in SOURCE.rglob("*") if p.is_file() and p.relative_to(SOURCE) not in texts]:
        path.unlink()


def build(mutants: list[Mutant]) -> None:
    targets = {"kplay"} | {m.test.split()[1] for m in mutants if m.test.startswith("unit ")}
    subprocess.run(["cmake", "-S", SOURCE, "-B", OUT, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                    "-DKPLAY_TESTS=ON"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", OUT, "--target", *sorted(targets)], check=True,
                   stdout=subprocess.DEVNULL)


def command(test: str) -> list[str]:
    kind, _, what = test.partition(" ")
    kplay = str(OUT / "kplay")
    return {"unit": [str(OUT / "tests" / what)],
            "spec": [kplay, "test", f"tests/spec/{what}"],
            "cli": [sys.executable, "tests/cli/cli_test.py", kplay, what],
            "journals": [sys.executable, "tests/journals/journals_test.py", kplay]}[kind]


def passes(test: str, mutant: str = "") -> bool | None:
    """None: it hangs."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("KPLAY_")}
    if mutant:
        env["KPLAY_MUTANT"] = mutant
    try:
        return subprocess.run(command(test), cwd=SOURCE, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=HANG).returncode == 0
    except subprocess.TimeoutExpired:
        return None


def lives(m: Mutant) -> bool | None:
    kept = {e.path: (SOURCE / e.path).read_text() for e in m.lua}
    try:
        for edit in m.lua:
            path = SOURCE / edit.path
            path.write_text(path.read_text().replace(edit.old, edit.new))
        return passes(m.test, m.name)
    finally:
        for name, text in kept.items():
            (SOURCE / name).write_text(text)


def main(long: bool, only: str) -> int:
    faults = [f for path in sorted(Path(__file__).parent.glob("faults/*.txt")) for f in read_faults(path)]
    wrong = [f"{f.place}: {f.name}: it needs means, test and in" for f in faults
             if not (f.means and f.tests and f.edits)]
    names = [f.name for f in faults]
    wrong += [f"{name} stands twice" for name in sorted(set(names)) if names.count(name) > 1]
    copy(faults)
    mutants = [m for f in faults for m in mutants_of(f) if only in m.name and (long or not m.long)]
    build(mutants)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        tests = sorted({m.test for m in mutants})
        wrong += [f"{test} does not pass as it is"
                  for test, so in zip(tests, pool.map(passes, tests)) if not so]
        in_c = [m for m in mutants if not m.lua]
        in_lua = [m for m in mutants if m.lua]
        verdicts = [*zip(in_c, pool.map(lives, in_c)), *((m, lives(m)) for m in in_lua)]
        for m, so in verdicts:
            if so is not False:
                wrong.append(f"{'SURVIVES' if so else 'HANGS'}  {m.name}  ({m.test}): {m.means}")
    print("\n".join(wrong) if wrong else f"mutants: {len(mutants)}, each caught")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path, help="where the copy of the sources and its build go")
    parser.add_argument("--long", action="store_true", help="those too whose test takes minutes")
    parser.add_argument("--only", default="", metavar="WORDS", help="those with these words in their name")
    given = parser.parse_args()
    SOURCE, OUT = given.build.resolve() / "src", given.build.resolve() / "out"
    sys.exit(main(given.long, given.only))
