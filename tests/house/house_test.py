#!/usr/bin/env python3
"""The house rules, checked on sources and on built libraries.

usage: house_test.py SOURCE_DIR BUILD_DIR

Rooms:    every #include of ours is allowed by rooms.txt.
Symbols:  poll and its kin are called in one object file; core leaves one project symbol undefined,
          the script host's table; luaapi calls nothing that opens a socket, file, thread or clock.
Sources:  banned functions, a first comment in each file, lengths of files, lines and functions.
Scripts:  each begins with what it is, and shellcheck finds nothing; what is run on hosts needs no room for temporary files.
Map:      every path, name and commit that docs/architecture.md names exists.
Patience: in the lab one module sleeps and counts time down; it follows the machine's pace.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

SOURCE = Path(sys.argv[1])
BUILD = Path(sys.argv[2])

BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "atoi", "strtok", "system", "popen", "gets", "alloca"]
BLOCKING = {"poll", "ppoll", "select", "pselect", "epoll_wait", "sleep", "usleep", "nanosleep", "clock_nanosleep"}
LUAAPI_MAY_NOT = {"socket", "connect", "send", "recv", "open", "open64", "openat", "fopen", "fopen64", "fork", "posix_spawn",
                  "pthread_create", "clock_gettime", "gettimeofday", "time", "system", "popen"}
# Names that hold a node's id.  0 is an id, so none of them has a truth: who may be absent is a kp_maybe_id.
IDS = r"(?:\w+(?:->|\.))*(?:node|node_id|broker|broker_id|follow|without|last_started|followed)(?:\.id|->id)?"
LINES_LIMIT = 900
COLUMNS_LIMIT = 100
FUNCTION_LIMIT = 60

failures: list[str] = []


def fail(text: str) -> None:
    failures.append(text)


def rooms() -> dict[str, list[str]]:
    table = {}
    for line in (SOURCE / "tests/house/rooms.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            room, _, below = line.partition(":")
            table[room] = below.split()
    return table


def folder(room: str) -> Path:
    return SOURCE / ("luaapi" if room == "luaapi" else f"core/{room}")


def sources(room: str) -> list[Path]:
    return sorted(p for ext in ("*.c", "*.h") for p in folder(room).glob(ext))


def check_includes(table: dict[str, list[str]]) -> None:
    for room, below in table.items():
        for path in sources(room):
            if path.name == "main.c" and room == "cli":
                continue
            for n, line in enumerate(path.read_text().splitlines(), 1):
                m = re.match(r'\s*#include "([a-z]+)/', line)
                if m and m.group(1) != room and m.group(1) not in below:
                    fail(f"{path.relative_to(SOURCE)}:{n}: room {room} may not include {m.group(1)} (tests/house/rooms.txt)")
                if m is None and re.match(r'\s*#include "(?!kl\.h|[a-z_]+\.(h|def)")', line):
                    fail(f"{path.relative_to(SOURCE)}:{n}: include by room: {line.strip()}")
    core_sources = [p for room in table if room != "luaapi" for p in sources(room)]
    for path in core_sources:
        if re.search(r"#include <(lua|lauxlib|lualib)\.h>", path.read_text()):
            fail(f"{path.relative_to(SOURCE)}: core does not know Lua")


def strip(text: str) -> str:
    """The code without comments and string literals, with its lines kept."""
    def blank(m: re.Match) -> str:
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_sources(table: dict[str, list[str]]) -> None:
    for room in table:
        for path in sources(room):
            text = path.read_text()
            name = path.relative_to(SOURCE)
            if not text.startswith("/*"):
                fail(f"{name}:1: the first comment explains the file")
            lines = text.splitlines()
            if len(lines) > LINES_LIMIT:
                fail(f"{name}: {len(lines)} lines; more than {LINES_LIMIT} are more than one idea")
            for n, line in enumerate(lines, 1):
                if len(line) > COLUMNS_LIMIT:
                    fail(f"{name}:{n}: {len(line)} columns")
                if "\t" in line or line != line.rstrip():
                    fail(f"{name}:{n}: tab or trailing blank")
            begun = None
            for n, line in enumerate(lines, 1):
                if line == "{":
                    begun = n
                elif line == "}" and begun:
                    if n - begun > FUNCTION_LIMIT:
                        fail(f"{name}:{begun}: a function of {n - begun} lines; a screen has {FUNCTION_LIMIT}")
                    begun = None
            for n, line in enumerate(strip(text).splitlines(), 1):
                m = re.search(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(", line)
                if m:
                    fail(f"{name}:{n}: {m.group(1)} is banned")
                if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                    fail(f"{name}:{n}: unfinished")


def check_ids(table: dict[str, list[str]]) -> None:
    """No id is asked whether it is there, or compared with 0 to know it."""
    truth = re.compile(r"(?:!|&& *|\|\| *|\bif \(|[=(,] *)(" + IDS + r")(?= *(?:&&|\|\||\?))"
                       r"|(?:!|&& *|\|\| *|\bif \()(" + IDS + r")(?= *[);])")
    zero = re.compile(r"(" + IDS + r") *(?:[!=]= *0\b|> *0\b|< *1\b)")
    for room in table:
        for path in sources(room):
            text = strip(path.read_text())
            # What this file or a header of its room declares as a flag or a pointer is no id.
            declared = text + "".join(strip(h.read_text()) for h in sources(room) if h.suffix == ".h")
            other = set(re.findall(r"\bbool (\w+)|\b\w+ \*(?:const )?(\w+)", declared))
            names = {name for pair in other for name in pair if name}
            for n, line in enumerate(text.splitlines(), 1):
                for m in list(truth.finditer(line)) + list(zero.finditer(line)):
                    name = next(g for g in m.groups() if g)
                    if re.split(r"->|\.", name)[-1] not in names:
                        fail(f"{path.relative_to(SOURCE)}:{n}: 0 is an id: {name} has no truth (kp_maybe_id)")


def check_scripts() -> None:
    """No here-document: bash before 5.1, mksh and ksh write it to a file, and a host whose disk is
    full is when a look is needed most."""
    hosts = SOURCE / "core/host/sh"
    texts = [hosts.parent / "embed.sh", *sorted(hosts.glob("*.sh")), *sorted(hosts.glob("*.awk"))]
    for path in texts:
        for n, line in enumerate(path.read_text().splitlines(), 1):
            if n == 1 and not line.startswith("#"):
                fail(f"{path.relative_to(SOURCE)}:1: the first comment explains the file")
            if re.search(r"<<-?[\\\"']*[A-Za-z_]\w*[\\\"']*$", line):
                fail(f"{path.relative_to(SOURCE)}:{n}: a here-document in a script for hosts")
            if len(line) > COLUMNS_LIMIT:
                fail(f"{path.relative_to(SOURCE)}:{n}: {len(line)} columns")
    own = [p for folder in ("examples", "tests", "core/host") for p in sorted((SOURCE / folder).rglob("*.sh"))]
    found = subprocess.run(["shellcheck", "--format=gcc", *map(str, own)], capture_output=True, text=True)
    for line in found.stdout.splitlines():
        fail(line.removeprefix(f"{SOURCE}/"))
    if found.returncode > 1:
        fail(f"shellcheck: {found.stderr.strip()}")


def check_map(table: dict[str, list[str]]) -> None:
    """What stands between backticks: a path, a commit, a command of git, or a name of the sources."""
    page = SOURCE / "docs/architecture.md"
    code = "\n".join(p.read_text() for room in table for p in sources(room))
    code += "\n".join(p.read_text() for f in ("playbooks", "stdlib") for p in sorted((SOURCE / f).glob("*.lua")))
    text = page.read_text()
    history = (SOURCE / ".git").exists() and subprocess.run(
        ["git", "-C", str(SOURCE), "rev-parse", "--is-shallow-repository"], capture_output=True, text=True).stdout.strip() == "false"
    for n, line in enumerate(text.splitlines(), 1):
        for name in re.findall(r"`([^`]+)`", line):
            if re.fullmatch(r"[0-9a-f]{7,40}", name):
                gone = history and subprocess.run(["git", "-C", str(SOURCE), "merge-base", "--is-ancestor", name, "HEAD"],
                                                  capture_output=True).returncode != 0
            elif "/" in name:
                gone = not (SOURCE / name.rstrip("/")).exists()
            elif name.startswith(("git ", "kplay ")) or name in ("ret_x", "luaapi"):
                gone = False
            else:
                gone = not re.search(r"\b" + re.escape(name.removesuffix("()")) + r"\b", code)
            if gone:
                fail(f"docs/architecture.md:{n}: there is no {name}")
    for room in table:
        if f"`core/{room}`" not in text and f"`{room}`" not in text:
            fail(f"docs/architecture.md: the room {room} is missing")


def timed(node: ast.AST) -> str | None:
    """What makes this a deadline or a sleep of its own."""
    names = {"timeout", "seconds", "allowance"}

    def number(value: ast.AST | None) -> bool:
        return isinstance(value, ast.Constant) and isinstance(value.value, (int, float))

    if isinstance(node, ast.Attribute) and node.attr in ("sleep", "settimeout"):
        return node.attr
    if isinstance(node, ast.keyword) and (node.arg == "timeout" or node.arg in names and number(node.value)):
        return f"{node.arg}="
    if isinstance(node, ast.FunctionDef):
        arguments, defaults = node.args.args, node.args.defaults
        for argument, default in zip(arguments[len(arguments) - len(defaults):], defaults):
            if argument.arg in names and number(default):
                return f"{argument.arg} = a number"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("wait", "until", "create_connection", "wait_in_sync") and any(map(number, node.args)):
            return f"{node.func.attr}() with a number"
    if isinstance(node, ast.BinOp) and ast.unparse(node.left) == "time.monotonic()" and isinstance(node.op, ast.Add):
        return "a deadline"
    return None


def check_patience() -> None:
    scripts = [p for folder in ("tests/lab", "tests/bench/urp") for p in sorted((SOURCE / folder).rglob("*"))
               if p.is_file() and (p.suffix == ".py" or p.read_bytes().startswith(b"#!/usr/bin/env python3"))]
    for path in scripts:
        if path.name.startswith("patience"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            found = timed(node)
            if found:
                line = getattr(node, "lineno", None) or node.value.lineno
                fail(f"{path.relative_to(SOURCE)}:{line}: {found}: waiting belongs to tests/lab/lab/patience.py")


def nm(path: Path, flag: str) -> dict[str, set[str]]:
    """Per object file: its symbols."""
    out = subprocess.run(["nm", flag, str(path)], capture_output=True, text=True, check=True).stdout
    found: dict[str, set[str]] = {}
    current = ""
    for line in out.splitlines():
        if line.endswith(":"):
            current = line[:-1]
            found[current] = set()
        elif line.split():
            found.setdefault(current, set()).add(line.split()[-1].split("@")[0])
    return found


def check_symbols(table: dict[str, list[str]]) -> None:
    blocking: dict[str, set[str]] = {}
    undefined: set[str] = set()
    defined: set[str] = set()
    for room in table:
        library = BUILD / f"libkp_{room}.a"
        if not library.exists():
            continue
        for obj, symbols in nm(library, "-u").items():
            if symbols & BLOCKING:
                blocking[f"{room}/{obj}"] = symbols & BLOCKING
            if room != "luaapi":
                undefined |= {s for s in symbols if s.startswith(("kp_", "kl_"))}
            elif symbols & LUAAPI_MAY_NOT:
                fail(f"luaapi/{obj} calls {', '.join(sorted(symbols & LUAAPI_MAY_NOT))}")
        if room != "luaapi":
            for symbols in nm(library, "--defined-only").values():
                defined |= symbols
    if set(blocking) - {"base/loop.c.o"}:
        fail(f"poll and its kin belong to base/loop.c alone: {blocking}")
    holes = undefined - defined
    if holes != {"kp_script_host_table"}:
        fail(f"core has one hole, and it is Lua-shaped; found {sorted(holes)}")


def main() -> int:
    table = rooms()
    check_includes(table)
    check_sources(table)
    check_ids(table)
    check_scripts()
    check_map(table)
    check_symbols(table)
    check_patience()
    for line in failures:
        print(line)
    print(f"house: {len(failures)} broken rule(s)" if failures else "house: every rule holds")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
