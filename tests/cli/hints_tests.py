"""Hints: every command that a message may name exists, with these options, and the important ones are pasted."""

import re
import shlex
import subprocess
from pathlib import Path

from people_tests import commands
from place import KPLAY, ROOT, Place, expect, simulated

# Words behind the program's name that are no commands but go on with a sentence.
PROSE = set("a again allows and asks at belongs can closed connects does for has is knows logs looks may must needs of reads speaks than that this "
            "to v%d was which with work wrote".split())
# A command's text ends here: prose, another command, or the end of the hint.
END = re.compile(r"[;(\n`]|   |, |: |\.(?= |$)|%s")


def literals(path: Path) -> list[str]:
    """The string literals of a source, neighbours joined, escapes kept."""
    text = path.read_text()
    if path.suffix == ".lua":
        text = re.sub(r"--[^\n]*", "", text)
        return re.findall(r'"((?:[^"\\\n]|\\.)*)"', text)
    text = re.sub(r'/\*.*?\*/|//[^\n]*', "", text, flags=re.S)
    text = re.sub(r"\"\s*PRI[a-z0-9]+\s*\"", "d", text)
    text = re.sub(r'([^\\])"\s*\n\s*"', r"\1", text)
    return re.findall(r'"((?:[^"\\\n]|\\.)*)"', text)


def named_commands() -> list[tuple[str, str]]:
    """(file, command text) of every `kplay ...` that stands in a literal of the program or its playbooks."""
    found = []
    for folder in ("core", "luaapi", "stdlib", "playbooks"):
        for path in sorted((ROOT / folder).rglob("*.[chl]*")):
            if path.suffix not in (".c", ".h", ".lua"):
                continue
            for literal in literals(path):
                for hit in re.finditer(r"(?<![a-z/.-])kplay (?=[a-z-])", literal):
                    rest = literal[hit.start():].replace("\\n", "\n")
                    found.append((f"{path.relative_to(ROOT)}", END.split(rest, maxsplit=1)[0].rstrip(".")))
    return found


def say(*words: str) -> str:
    out = subprocess.run([str(KPLAY), *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert out.returncode == 0, f"kplay {' '.join(words)}: {out.stderr}"
    return out.stdout


def test_every_command_that_a_message_names_exists_with_its_options():
    helps = {name: say(name, "--help") for name in re.findall(r"^  kplay (\S+)", say("--help"), re.M)}
    playbook = {path.name: say("run", path.name, "--help") for path in (ROOT / "playbooks").glob("*.lua")}
    wrong, seen = [], 0
    for where, text in named_commands():
        words = text.split()
        if len(words) < 2 or words[1] in PROSE or words[1].startswith("--"):
            continue
        if words[1] not in helps:
            wrong.append(f"{where}: there is no such command: {text}")
            continue
        seen += 1
        shown = helps[words[1]]
        if words[1] == "run" and len(words) > 2:
            shown += "".join(playbook.get(word, "") for word in words[2:])
        for option in re.findall(r"--[a-z-]+", text):
            if not re.search(rf"{option}\b", shown):
                wrong.append(f"{where}: kplay {words[1]} has no {option}: {text}")
        usage = shown.splitlines()[0].split()
        choice = next((word.split("|") for word in usage[2:] if "|" in word and word.islower()), None)
        if choice and len(words) > 2 and words[2].isalpha() and words[2].islower() and words[2] not in choice:
            wrong.append(f"{where}: kplay {words[1]} takes {usage[2]}: {text}")
        if words[1] == "run" and len(words) > 2 and words[2].endswith(".lua") and words[2] not in playbook:
            wrong.append(f"{where}: there is no such playbook: {text}")
    assert not wrong, "\n".join(wrong)
    assert seen > 60, f"only {seen} commands were found: is the sources' form another one?"


def test_options_named_alone_exist():
    """An option in a hint that names no command is one of run or resume."""
    known = set(re.findall(r"--[a-z-]+", say("run", "--help") + say("resume", "--help")))
    for path in sorted((ROOT / "core/engine").glob("*.c")):
        for literal in literals(path):
            for option in re.findall(r"(?<![a-z-])--[a-z][a-z-]+", re.sub(r"kplay .*?(   |;|$)", "", literal)):
                assert option in known or "LuaCATS" in literal or option == "--ARG", f"{path.name}: {option} in: {literal}"


def test_every_transport_that_a_message_names_is_taken():
    named = set()
    for folder in ("host", "live", "cluster"):
        for path in sorted((ROOT / "core" / folder).glob("*.c")):
            for literal in literals(path):
                named |= set(re.findall(r"transport: ([a-z]+)", literal))
    assert "openssh" in named, named
    for transport in named:
        with Place() as p:
            p.write("kplay.yaml", f'cluster: x\nkafka: {{ bootstrap.servers: "127.0.0.1:9" }}\n'
                    f'ssh: {{ user: ops, known_hosts: kh, transport: {transport} }}\nservice: {{ unit: kafka }}\n'
                    'layout: { current: /c, releases: /r, config: /s }\nbrokers: [ { id: 1, host: h1, kafka: "127.0.0.1:9" } ]\n')
            expect(p.run("cluster", "show"), 0, "h1")


def test_a_hint_finds_the_cluster_it_is_about():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--yes", KPLAY_CRASH="record:60"), -9)
        run = p.runs()[0]["run"]
        said = expect(p.run("run", "--demo", "rolling.lua", "--yes"), 3)
        assert commands(said)[0] == ["kplay", "resume", "--demo", run], said
        said = expect(p.run("approve", "--demo"), 3, "does not wait for an answer", f"kplay journal show --demo {run}")
        expect(p.run("journal", "show", "--demo", run), 0)
        said = expect(p.run("settle", "--demo", run, "no.such~1", "--done", "--reason", "seen"), 2, f"kplay journal show --demo {run}")
        expect(p.run(*commands(said)[0][1:5]), 0, "open")
        expect(p.run("resume", "--demo", "0101-0000"), 2, "kplay runs --demo lists")
        expect(p.run(*commands(expect(p.run("run", "--demo", "rolling.lua", "--yes"), 3))[0][1:], "--yes"), 0, "done")
        expect(p.run("resume", "--demo", run), 3, "is finished (done)", "kplay run --demo rolling.lua")


def test_a_refused_check_is_run_again_not_resumed():
    with Place() as p:
        p.write("old/kplay.yaml", simulated("[ { name: audit, partitions: 3, rf: 1 } ]"))
        p.write("sync.lua", "return { api = 1, summary = 's', effects = { 'leader.elect' },\n"
                "  check = function() fail('not now', { next = 'wait, then: kplay resume' }) end, run = function() end }\n")
        said = expect(p.run("run", "-c", "old/kplay.yaml", "./sync.lua", "--yes"), 3, "not now")
        assert commands(said) == [shlex.split("kplay run -c old/kplay.yaml ./sync.lua --yes")], said
        said = p.run("run", "-c", "old/kplay.yaml", "./sync.lua", "--yes", "--json").stdout
        assert "kplay resume" not in said and said.count("kplay run -c old/kplay.yaml ./sync.lua --yes --json") == 2, said


def test_a_rehearsal_is_run_again_not_resumed():
    with Place() as p:
        p.write("kplay.yaml", simulated("[ { name: t, partitions: 3 } ]"))
        p.write("enough.lua", "return { api = 1, summary = 's', effects = { 'leader.elect' },\n"
                "  run = function() elect_preferred() fail('enough') end }\n")
        said = expect(p.run("run", "--dry-run", "./enough.lua"), 3, "enough")
        assert commands(said) == [shlex.split("kplay run --dry-run ./enough.lua")], said


def test_what_a_check_of_the_cluster_advises_is_completed():
    with Place() as p:
        p.write("x.yaml", 'cluster: x\nkafka: { bootstrap.servers: "127.0.0.1:9" }\nssh: { transport: local }\n'
                'service: { manager: command, start: [/bin/true] }\nlayout: { current: /c, releases: /r, config: /s }\n'
                'brokers: [ { id: 1, host: h1, kafka: "127.0.0.1:9" } ]\n')
        said = p.run("cluster", "check", "-c", "x.yaml")
        assert said.returncode not in (0, 1) and "kplay resume" not in said.stdout + said.stderr, said


def test_sudoers_are_printed_where_the_hint_says():
    with Place() as p:
        p.write("kplay.yaml", 'cluster: x\nkafka: { bootstrap.servers: "127.0.0.1:9" }\n'
                'ssh: { user: ops, known_hosts: kh, transport: openssh, become: { service: "sudo -n" } }\nservice: { unit: kafka }\n'
                'layout: { current: /c, releases: /r, config: /s }\nbrokers: [ { id: 1, host: h1, kafka: "127.0.0.1:9" } ]\n')
        expect(p.run("cluster", "check", "--sudoers"), 0, "# h1\n", "ops ALL=(root) NOPASSWD: /usr/bin/systemctl stop --no-block kafka")
