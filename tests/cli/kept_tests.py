"""What a run keeps and what a command may change: its texts, and the simulated cluster it is at work on."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from place import HANG, KPLAY, Place, expect, simulated

OUTER = '''--- Play another one.
return {
  api = 1, summary = "x", effects = { "leader.elect" }, args = {},
  run = function()
    step("first")
    elect_preferred()
    play("%s", {})
    step("last")
    local late = require "team.late"
    late.word()
    elect_preferred()
  end,
}
'''
INNER = '''--- Played.
return { api = 1, summary = "y", effects = { "leader.elect" }, args = {},
  run = function() step("inner") elect_preferred() log("inner done") end }
'''
LATE = '''--- Wanted late.
local M = {}
function M.word() log("late word") end
return M
'''


def played(p: Place, name: str = "inner.lua") -> None:
    p.write("outer.lua", OUTER % name)
    p.write(f"playbooks/{name}" if "/" not in name else name, INNER)
    p.write("team/late.lua", LATE)


def killed_at(p: Place, n: int) -> bool:
    """True: it was killed; false: it had ended before."""
    return p.run("run", "--demo", "./outer.lua", "--yes", KPLAY_CRASH=f"record:{n}").returncode != 0


def test_a_run_that_loads_while_it_runs_is_resumed_wherever_it_was_killed():
    n = 1
    while True:
        with Place() as p:
            played(p)
            if not killed_at(p, n):
                break
            if p.runs()[0]["finished"]:  # killed after its last record
                break
            said = expect(p.run("resume", "--demo", "--yes"), 0, "done")  # what was said before is not said again
            assert said.count("late word") <= 1, said
        n += 1
    assert n > 10, n


def test_a_text_that_is_loaded_while_it_runs_is_in_the_journal_before_its_first_verb():
    with Place() as p:
        played(p)
        expect(p.run("run", "--demo", "./outer.lua", "--yes"), 0)
        run = p.runs()[0]["run"]
        records = [json.loads(line) for line in (p.dir / "state/kplay/demo" / run / "journal.jsonl").read_text().splitlines()]
        changes = {name: r["n"] for r in records if r["k"] == "change" for name in r["sources"]}
        assert set(changes) == {"inner.lua", "team/late.lua"}, changes
        inner = next(r["n"] for r in records if r["k"] == "step" and r.get("m", r.get("name", "")) == "inner") \
            if any(r["k"] == "step" for r in records) else min(r["n"] for r in records if "inner" in json.dumps(r) and r["k"] != "change")
        assert changes["inner.lua"] < inner, (changes, inner)
        expect(p.run("journal", "replay", run, "--demo"), 0, "all equal")


def test_a_text_that_was_edited_or_deleted_since_is_noticed():
    for name, said in (("playbooks/inner.lua", "inner.lua"), ("team/late.lua", "team/late.lua"), ("outer.lua", "./outer.lua")):
        for gone in (False, True):
            with Place() as p:
                played(p)
                n = 1
                while True:  # killed at its last record but one: all is loaded
                    with Place() as q:
                        played(q)
                        if not killed_at(q, n):
                            break
                    n += 1
                assert killed_at(p, n - 2)
                path = p.dir / name
                if gone:
                    path.unlink()
                else:
                    path.write_text(path.read_text().replace("--- ", "---- "))
                expect(p.run("resume", "--demo", "--yes"), 3, f"{said} was {'deleted' if gone else 'changed'} since the run began",
                       "put it back (its text is " if gone else "undo the edit")


def test_a_path_of_any_length_is_looked_at_from_any_directory():
    with Place() as p:
        deep = "/".join(["d" * 60] * 6)
        p.write(f"{deep}/outer.lua", OUTER % f"./{deep}/inner.lua")
        p.write(f"{deep}/inner.lua", INNER)
        p.write("team/late.lua", LATE)
        p.write("kplay.yaml", simulated("[ { name: t, partitions: 6 } ]"))
        path = p.dir / f"{deep}/inner.lua"
        at = {"env": p.env, "capture_output": True, "text": True, "timeout": HANG, "stdin": subprocess.DEVNULL}
        words = [str(KPLAY), "run", f"./{deep}/outer.lua", "--yes"]
        subprocess.run(words, cwd=p.dir, **(at | {"env": p.env | {"KPLAY_CRASH": "record:10"}}))
        resume = [str(KPLAY), "resume", "-c", str(p.dir / "kplay.yaml"), "--yes"]
        path.write_text(INNER.replace("done", "finished"))
        said = subprocess.run(resume, cwd="/", **at)
        assert said.returncode == 3 and "was changed since the run began" in said.stderr, said
        path.write_text(INNER)
        said = subprocess.run(resume, cwd="/", **at)
        assert said.returncode == 0, said


# ---- the simulated cluster of a run that is not finished ----

def image(p: Place) -> str:
    return hashlib.sha256((p.dir / "state/kplay/demo/cluster.sim").read_bytes()).hexdigest()


def test_a_refusal_or_a_look_changes_no_simulated_cluster():
    with Place() as p:
        p.write("no.lua", '--- No.\nreturn { api = 1, summary = "x", effects = { "leader.elect" }, args = {},\n'
                          '  check = function() fail("not today") end, run = function() elect_preferred() end }\n')
        p.run("run", "--demo", "rolling.lua", "--yes", KPLAY_CRASH="record:60")
        run, before = p.runs()[0]["run"], image(p)
        roll = ("run", "--demo", "rolling.lua", "--yes")
        for code, words in ((3, roll), (2, (*roll, "--supersede", "NOSUCH")), (2, ("run", "--demo", "nosuch.lua", "--supersede", run)),
                            (2, (*roll, "--to", "x", "--supersede", run)), (3, ("run", "--demo", "./no.lua", "--yes", "--supersede", run)),
                            (2, ("run", "--demo", "rolling.lua", "--supersede", run)),  # nobody says yes
                            (0, (*roll, "--dry-run")), (0, ("runs", "--demo")), (0, ("run", "--demo", "rolling.lua", "--help")),
                            (0, ("journal", "show", run, "--demo")), (0, ("cluster", "show", "--demo")), (None, ("cluster", "check", "--demo")),
                            (3, ("approve", run, "--demo", "--yes")), (2, ("resume", "NOSUCH", "--demo"))):
            said = p.run(*words)
            assert code is None or said.returncode == code, (words, said)
            assert image(p) == before, words
        for one in p.runs():
            if one["run"] != run and not one["finished"]:
                expect(p.run("resume", one["run"], "--demo"), 75)
        expect(p.run("resume", run, "--demo", "--yes"), 0, "done")


def test_whoever_looks_needs_no_lock():
    with Place() as p:
        p.write("long.lua", '--- Long.\nreturn { api = 1, summary = "x", effects = { "leader.elect" }, args = {},\n'
                            '  run = function() for i = 1, 100000 do elect_preferred() end end }\n')
        process = subprocess.Popen([str(KPLAY), "run", "--demo", "./long.lua", "--yes"], cwd=p.dir, env=p.env, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
        try:
            while not p.runs() or p.runs()[0]["records"] < 20:
                assert process.poll() is None
            run = p.runs()[0]["run"]
            for words in (("runs", "--demo"), ("journal", "show", run, "--demo"), ("cluster", "show", "--demo"), ("cluster", "check", "--demo"),
                          ("run", "--demo", "rolling.lua", "--help"), ("run", "--demo", "rolling.lua", "--dry-run", "--yes")):
                expect(p.run(*words), 0)
            expect(p.run("run", "--demo", "rolling.lua", "--yes"), 3, f"is open in process {process.pid} on this machine", f"run {run} by ")
        finally:
            process.kill()
            process.wait()
        assert Path(p.dir / "state/kplay/demo/cluster.sim").exists()


# ---- what is too long, and what is taken away ----

def records(p: Place, run: str, runs: str = "state/kplay/demo") -> list[dict]:
    return [json.loads(line) for line in (p.dir / runs / run / "journal.jsonl").read_text().splitlines()]


def test_a_long_failure_is_cut_on_the_screen_and_is_the_last_record():
    for words in ('fail(("x"):rep(300000))', 'error(("x"):rep(300000))', 'fail("no", { detail = ("x"):rep(300000), next = ("y"):rep(300000) })'):
        with Place() as p:
            p.write("long.lua", f'--- x\nreturn {{ api = 1, summary = "x", effects = {{ "leader.elect" }}, args = {{}},\n'
                                f'  run = function() elect_preferred() {words} end }}\n')
            said = p.run("run", "--demo", "./long.lua", "--yes")
            assert said.returncode in (2, 3, 4) and len(said.stdout + said.stderr) < 50000, (said.returncode, len(said.stdout + said.stderr))
            assert "more bytes]" in said.stderr, said.stderr[-300:]
            last = records(p, p.runs()[0]["run"])[-1]
            assert last["k"] in ("error", "close", "pause"), last["k"]
            assert p.runs()[0]["state"] == ("failed" if "error(" in words else "refused"), p.runs()


def test_a_large_answer_inside_wait_until_is_kept_beside_the_journal():
    with Place() as p:
        p.write("kplay.yaml", simulated("[ { name: a-topic-with-a-long-name, partitions: 3000 } ]"))
        p.write("wait.lua", '--- x\nreturn { api = 1, summary = "x", effects = { "leader.elect" }, args = {},\n'
                            '  run = function() wait_until(function() return #partitions{ limit = 2500 } > 2000 end) elect_preferred() end }\n')
        expect(p.run("run", "./wait.lua", "--yes"), 0)
        run = next(d.name for d in (p.dir / "runs").iterdir() if d.is_dir())
        assert any(r.get("blob_of") == "reads" for r in records(p, run, "runs"))
        expect(p.run("journal", "replay", run), 0, "all equal")
        expect(p.run("journal", "verify", run), 0, "files beside it whole")
        blob = next((p.dir / "runs" / run / "blobs").iterdir())
        blob.write_bytes(blob.read_bytes()[:-1])
        expect(p.run("journal", "verify", run), 3, blob.name, "it was changed after it was written")


def test_a_run_whose_directory_is_removed_pauses_and_says_so():
    with Place() as p:
        p.write("long.lua", '--- Long.\nreturn { api = 1, summary = "x", effects = { "leader.elect" }, args = {},\n'
                            '  run = function() for i = 1, 100000 do elect_preferred() end end }\n')
        process = subprocess.Popen([str(KPLAY), "run", "--demo", "./long.lua", "--yes"], cwd=p.dir, env=p.env, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        while not p.runs() or p.runs()[0]["records"] < 20:
            assert process.poll() is None
        shutil.rmtree(p.dir / "state/kplay/demo" / p.runs()[0]["run"])
        _, said = process.communicate(timeout=HANG)
        assert process.returncode == 75, (process.returncode, said)
        assert "was removed while it ran: nothing was done after record" in said and "a new run can begin" in said, said


def test_no_text_of_a_playbook_is_obeyed_by_the_terminal():
    evil = "x\\27[2J\\rsim\\nkplay: done\\8"
    with Place() as p:
        p.write("evil.lua", f'--- Evil \x1b[31m comment.\nreturn {{ api = 1, summary = "s{evil}", effects = {{ "leader.elect" }},\n'
                            f'  args = {{ a = {{ "text", default = "{evil}", doc = "{evil}" }} }},\n'
                            f'  run = function() step("st{evil}") log("l{evil}") warn("w{evil}") skip(1, "k{evil}") elect_preferred() '
                            f'confirm("c{evil}") fail("f{evil}", {{ next = "n{evil}", detail = "d{evil}" }}) end }}\n')
        said = [p.run("run", "--demo", "./evil.lua", "--yes", "--a", "\x1b[2J\nkplay: done"), p.run("run", "--demo", "./evil.lua", "--help")]
        run = p.runs()[0]["run"]
        said += [p.run("journal", "show", run, "--demo"), p.run("runs", "--demo"), p.run("check", "./evil.lua")]
        for one in said:
            text = one.stdout + one.stderr
            assert not set(text) & {chr(c) for c in (*range(32), 127) if chr(c) != "\n"}, (one.args, text)
            assert "\nkplay: done" not in text, (one.args, text)
        assert "\\x1b[2J" in said[0].stdout, said[0].stdout


# ---- texts, once more ----

def test_a_playbook_whose_path_looks_like_a_modules_is_resumed():
    for name in ("team/abc", "team/abcdefgh", "team/abc.lua", "stdlib/x.lua"):
        with Place() as p:
            p.write(name if name.endswith(".lua") else name + ".lua", INNER)
            p.run("run", "--demo", name, "--yes", KPLAY_CRASH="record:6")
            expect(p.run("resume", "--demo", "--yes"), 0, "done")


def test_a_module_that_an_accepted_edit_does_not_want_may_go():
    with Place() as p:
        text = LATE.replace("word", "old")
        p.write("team/old.lua", text)
        body = INNER.replace("return {", 'local old = require "team.old"\nreturn {', 1)
        p.write("in.lua", body)
        p.run("run", "--demo", "./in.lua", "--yes", KPLAY_CRASH="record:6")
        p.write("in.lua", INNER)
        (p.dir / "team/old.lua").unlink()
        expect(p.run("resume", "--demo", "--yes"), 3, "since the run began")
        p.run("resume", "--demo", "--yes", "--accept-changed-playbook", KPLAY_CRASH="record:7")
        expect(p.run("resume", "--demo", "--yes"), 0, "done")  # and is not asked for again


def test_a_file_of_the_same_name_in_another_directory_is_not_meant():
    with Place() as p:
        p.write("kplay.yaml", simulated("[ { name: t, partitions: 6 } ]"))
        p.write("in.lua", INNER)
        p.write("other/in.lua", INNER.replace("done", "other"))
        at = {"env": p.env, "capture_output": True, "text": True, "timeout": HANG, "stdin": subprocess.DEVNULL}
        subprocess.run([str(KPLAY), "run", "./in.lua", "--yes"], cwd=p.dir, **(at | {"env": p.env | {"KPLAY_CRASH": "record:6"}}))
        said = subprocess.run([str(KPLAY), "resume", "-c", str(p.dir / "kplay.yaml"), "--yes"], cwd=p.dir / "other", **at)
        assert said.returncode == 0, said


def test_a_run_that_is_killed_before_it_takes_anothers_place_has_not_begun():
    with Place() as p:
        p.run("run", "--demo", "rolling.lua", "--yes", KPLAY_CRASH="record:60")
        first = p.runs()[0]["run"]
        known = {first}
        for n in range(6, 40):
            p.run("run", "--demo", "rolling.lua", "--yes", "--supersede", first, KPLAY_CRASH=f"record:{n}")
            last = next(r["run"] for r in p.runs() if r["run"] not in known)
            known.add(last)
            if any(r.get("i") == "@start" for r in records(p, last)) and not next(r for r in p.runs() if r["run"] == first)["finished"]:
                break
            p.run("resume", last, "--demo", "--yes")
        expect(p.run("resume", last, "--demo", "--yes"), 3, f"run {first} of rolling.lua is unfinished")
        expect(p.run("resume", first, "--demo", "--yes"), 0, "done")


def test_one_that_only_asks_takes_no_runs_place():
    with Place() as p:
        p.run("run", "--demo", "rolling.lua", "--yes", KPLAY_CRASH="record:60")
        expect(p.run("run", "--demo", "validate.lua", "--yes", "--supersede", p.runs()[0]["run"]), 2, "only asks: it takes no run's place")


def test_errors_do_not_depend_on_the_order_of_a_table():
    bad = "{ " + ", ".join(f"k{i} = {'function() end' if i % 2 else 'tostring'}" for i in range(9)) + " }"
    with Place() as p:
        p.write("bad.lua", f'--- x\nreturn {{ api = 1, summary = "x", effects = {{ "config.dynamic" }}, args = {{}},\n  run = function()\n'
                           f'    local nested = {{}} for i = 1, 9 do nested["n" .. i] = i % 2 == 0 and {{ [1.5] = 1 }} or {{ [true] = 1, [-1] = 2 }} end\n'
                           f'    for _, set in ipairs {{ {bad}, nested, {{ [true] = 1, [1.5] = 2, x = 3 }} }} do\n'
                           f'      local ok, e = pcall(alter_config, {{ topic = "orders", set = set }}) log(tostring(e and e.what or e))\n'
                           f'    end\n    local ok, e = pcall(function() return string.gsbu end) log(tostring(e and e.what or e))\n'
                           f'    local ok, e = pcall(play, "odd.lua", {{}}) log(tostring(e and e.what or e)) end }}\n')
        p.write("playbooks/odd.lua", '--- y\nreturn { api = 1, summary = "y", effects = {}, args = { b = { "tex" }, a = { "txt" }, c = {} }, zz = 1, yy = 2,\n'
                                     '  run = function() end }\n')
        said = set()
        for _ in range(12):
            one = p.run("run", "--demo", "./bad.lua", "--yes")
            assert one.returncode == 0, one
            lines = [line for line in one.stdout.splitlines() if "  sim    " in line]
            assert len(lines) >= 5, one
            said.add("\n".join(lines))
        assert len(said) == 1, said


def test_a_number_that_is_none_is_not_changed():
    with Place() as p:
        p.write("nan.lua", '--- x\nreturn { api = 1, summary = "x", effects = { "leader.elect" }, args = {},\n'
                           '  run = function() local n = 0/0 wait_until(function() return n ~= n and urp() == 0 end) elect_preferred() end }\n')
        expect(p.run("run", "--demo", "./nan.lua", "--yes"), 0, "done")
