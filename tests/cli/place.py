"""What the command line's tests stand on: a place of its own for each, what was said, golden texts."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

KPLAY = Path(sys.argv[1]).resolve()
ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden"
HANG = 1800  # seconds


class Place:
    """A working directory with its own state directory and HOME."""

    def __init__(self) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="kplay-cli-"))
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.dir), "XDG_STATE_HOME": str(self.dir / "state"), "LC_ALL": "C"}
        self.env |= {k: v for k, v in os.environ.items() if k == "KPLAY_MUTANT"}  # of tests/mutants

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.dir, ignore_errors=True)

    def write(self, name: str, text: str) -> Path:
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *args: str, **env: str) -> subprocess.CompletedProcess:
        return subprocess.run([str(KPLAY), *args], cwd=self.dir, env=self.env | env, capture_output=True, text=True, timeout=HANG,
                              stdin=subprocess.DEVNULL)

    def runs(self) -> list[dict]:
        out = self.run("runs", "--demo", "--json")
        return [json.loads(line) for line in out.stdout.splitlines()]


def expect(result: subprocess.CompletedProcess, code: int, *texts: str) -> str:
    said = result.stdout + result.stderr
    assert result.returncode == code, f"exit {result.returncode}, expected {code}:\n{said}"
    for text in texts:
        assert text in said, f"missing: {text}\n--- said ---\n{said}"
    return said


def normal(text: str) -> str:
    """Without what differs from run to run: names, hashes, times."""
    text = re.sub(r"\b\d{4}-[0-9a-f]{4}\b", "RUN", text)
    text = re.sub(r"last link is [0-9a-f]+", "last link is HASH", text)
    text = re.sub(r"journal   /\S+/state/", "journal   STATE/", text)
    return text


def golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    text = normal(text)
    if os.environ.get("KPLAY_GOLDEN") == "write":
        path.write_text(text)
        return
    assert path.exists(), f"{path} is missing; KPLAY_GOLDEN=write makes it"
    want = path.read_text()
    assert text == want, f"{path.name} differs:\n--- expected ---\n{want}\n--- said ---\n{text}"


def simulated(topics: str, more: str = "") -> str:
    return f"cluster: sim\nruns: runs\nsimulate:\n  brokers: 3\n  controllers: 3\n  release: 3.7.2\n  topics: {topics}\n{more}"
