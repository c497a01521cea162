#!/usr/bin/env python3
"""The presets: whatever a build directory was before, a preset makes it what it says.

usage: presets_test.py SOURCE_DIR

README's two commands, `examples/quickstart.sh` and `tests/run.sh`, share build/release: the first
builds the program alone, the second the tests beside it.  In either order each must find what it
needs.  Only configured here, in a directory of its own.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(sys.argv[1]).resolve()
PRESETS = json.loads((SOURCE / "CMakePresets.json").read_text())


def configure(preset: str, into: str) -> bool:
    """Whether the tests' own targets are there then."""
    subprocess.run(["cmake", "--preset", preset, "-B", into], cwd=SOURCE, check=True, stdout=subprocess.DEVNULL)
    return "bench_sim" in (Path(into) / "build.ninja").read_text()


def says(preset: dict, key: str):
    if key in preset.get("cacheVariables", {}):
        return preset["cacheVariables"][key]
    up = preset.get("inherits", [])
    for name in [up] if isinstance(up, str) else up:
        found = says(next(p for p in PRESETS["configurePresets"] if p["name"] == name), key)
        if found is not None:
            return found
    return None


def main() -> int:
    wrong = [f"preset {p['name']} does not say KPLAY_TESTS" for p in PRESETS["configurePresets"]
             if not p.get("hidden") and says(p, "KPLAY_TESTS") is None]
    for path in ("examples/quickstart.sh", "tests/run.sh", "tests/fuzz/run.sh", ".ci/run", "README.md"):
        if re.search(r"-DKPLAY_\w+=", (SOURCE / path).read_text()):
            wrong.append(f"{path} sets an option that a later configure keeps: make it a preset's")
    if not wrong:
        with tempfile.TemporaryDirectory(prefix="kplay-presets-") as into:
            got = [configure(preset, into) for preset in ("program", "release", "program", "release")]
            if got != [False, True, False, True]:
                wrong.append(f"program, release, program, release have tests: {got}")
    print("\n".join(wrong) if wrong else "presets: each says what it is, in any order")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
