#!/usr/bin/env python3
"""What an editor's checker says of the playbooks, the stdlib and the specs, with the stubs of this kplay: nothing;
and of mistakes: each one.

usage: editor_test.py KPLAY

emmylua_check does it, where it is installed (cargo install emmylua_check --locked); without it nothing is checked,
and that is said.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

KPLAY = Path(sys.argv[1]).resolve()
ROOT = Path(__file__).resolve().parents[2]
CONFIG = {"runtime": {"version": "Lua5.4"}, "workspace": {"workspaceRoots": ["./stdlib", "./playbooks"]}}

# One line each; the checker has to find every one of them.
MISTAKES = '''stop_broker("2")
stop_broker(2, 3)
partitions{ broker = "1" }
wait_in_sync(2, { stall = 10 })
log(broker(2).uptime)
log(urp())
local by_node = stop_broker({ 1, 2 }); log(by_node["1"].clean)
wait_until(function() return 1 end)
wait_until("urp() == 0")
require("gate").all_on(1, "3.9.1")
step("x", { hold = "yes" })
elect_prefered()
alter_config{ topic = "orders" }
set_ibp(1, ibp(1))
play(preflight)
log(quorum().voters[1].behind)
require("versions").compare("3.9.1", 4)
'''.splitlines()


def checker() -> str | None:
    return shutil.which("emmylua_check") or shutil.which("emmylua_check", path=str(Path.home() / ".cargo/bin"))


def workspace(into: Path) -> None:
    for folder in ("stdlib", "playbooks"):
        shutil.copytree(ROOT / folder, into / folder)
    shutil.copytree(ROOT / "tests/spec", into / "spec")
    shutil.copy(ROOT / "tests/editor/busted.lua", into)
    stubs = subprocess.run([str(KPLAY), "doc", "--stubs"], capture_output=True, text=True, check=True).stdout
    (into / "stubs.lua").write_text(stubs)
    (into / ".emmyrc.json").write_text(json.dumps(CONFIG))


def findings(emmylua: str, where: Path) -> list[str]:
    """"FILE:LINE: what", in the order of the checker."""
    run = subprocess.run([emmylua, str(where)], capture_output=True, text=True)
    said = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout + run.stderr)
    assert "Check finished" in said or "Check failed" in said, said
    found = re.findall(r"^(?:error|warning|information|hint): (.*)\n +--> (\S+?):(\d+):\d+", said, re.M)
    return [f"{file}:{line}: {what}" for what, file, line in found]


def main() -> int:
    emmylua = checker()
    if not emmylua:
        print("editor: NOT CHECKED, emmylua_check is not installed (cargo install emmylua_check --locked)")
        return 0
    with tempfile.TemporaryDirectory(prefix="kplay-editor-") as place:
        where = Path(place)
        workspace(where)
        said = findings(emmylua, where)
        print("\n".join(said))
        (where / "playbooks/mistakes.lua").write_text(
            "return { api = 1, summary = 'x', effects = {}, run = function()\n" + "\n".join(MISTAKES) + "\nend }\n")
        lines = {one.split(":")[1] for one in findings(emmylua, where) if one.startswith("playbooks/mistakes.lua:")}
        missed = [text for n, text in enumerate(MISTAKES, 2) if str(n) not in lines]
        for text in missed:
            print(f"not found: {text}")
        files = len(list(where.rglob("*.lua")))
        print(f"editor: {files} files, {len(said)} findings; of {len(MISTAKES)} mistakes {len(MISTAKES) - len(missed)} found")
        return 1 if said or missed else 0


if __name__ == "__main__":
    sys.exit(main())
