#!/usr/bin/env python3
"""The command line as a user meets it: words, exit codes, and kplay killed at every record.

usage: cli_test.py KPLAY [NAME ...]

Everything runs on simulated clusters in a directory of its own; nothing of the user's is read.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import author_tests
import backout_tests
import errors_tests
import hints_tests
import hour_tests
import kept_tests
import line_tests
import path_tests
import people_tests
import preflight_tests
import rehearsal_tests
import screen_tests
import spec_tests
from place import HANG, KPLAY, Place, expect, golden, simulated


# ---- words and exit codes ----

def test_no_cluster_names_the_demo():
    with Place() as p:
        expect(p.run("run", "rolling.lua", "--to", "3.9.1"), 2, "no cluster here: no kplay.yaml in this directory",
               "kplay run --demo rolling.lua --to 3.9.1")


def test_unknown_command_and_option_are_guessed():
    with Place() as p:
        expect(p.run("rnu"), 2, "did you mean `run`?")
        expect(p.run("runs", "--jsno"), 2, "did you mean --json?")


def test_help_everywhere():
    with Place() as p:
        expect(p.run("--help"), 0, "kplay run", "kplay resume")
        for command in ("run", "resume", "approve", "settle", "check", "test", "cluster", "playbooks", "doc", "journal", "runs"):
            told = expect(p.run(command, "--help"), 0, f"kplay {command}")
            assert expect(p.run("help", command), 0) == told, command
        expect(p.run("help", "rnu"), 2, "did you mean `run`?")
        expect(p.run("run", "rolling.lua", "--help"), 0, "--to version", "--settle duration", "may do", "broker.restart", "30m, default")


def test_json_is_asked_for_of_refusals_and_help_too():
    with Place() as p:
        for words in (["rnu"], ["runs", "--jsno"], ["runs", "--limit"], ["settle", "x"]):
            out = p.run(*words, "--json")
            said = [json.loads(line) for line in out.stdout.splitlines()]
            assert out.returncode == 2 and not out.stderr and said[-1]["error"]["class"] == "usage", (words, out)
        told = json.loads(p.run("settle", "--help", "--json").stdout)
        assert told["usage"].startswith("kplay settle") and "reason" in [o["name"] for o in told["options"]], told
        assert json.loads(p.run("help", "settle", "--json").stdout) == told
        assert "settle" in [c["name"] for c in json.loads(p.run("--help", "--json").stdout)["commands"]]
        assert json.loads(p.run("--version", "--json").stdout)["kplay"]


def test_the_documentation_is_json_too():
    def told(p: Place, *words: str) -> list[dict]:
        return [json.loads(line) for line in expect(p.run("doc", *words, "--json"), 0).splitlines()]

    with Place() as p:
        names = {line.split()[0] for line in p.run("doc").stdout.splitlines() if line.startswith("  ")}
        verbs = told(p)
        assert {v["verb"] for v in verbs} == names, names
        assert told(p, "stop_broker") == [v for v in verbs if v["verb"] == "stop_broker"] and len(told(p, "stop_broker")) == 1
        assert "ghosts" in [row["row"] for row in told(p, "guard")]
        assert {"effect": "broker.unregister", "verbs": ["unregister_broker"]} in told(p, "effects")
        assert "api" in [key["key"] for key in told(p, "playbook")[0]["keys"]]
        expect(p.run("doc", "stop_brokr", "--json"), 2, "did you mean `stop_broker`?")
        expect(p.run("doc", "--stubs", "--json"), 2, "leave --json out")


def test_what_specs_say_is_json_too():
    with Place() as p:
        p.write("spec/a_spec.lua", 'it("adds", function() assert.equal(2, 1 + 1) end)\nit("lies", function() assert.equal(3, 1 + 1) end)\n')
        out = p.run("test", "--json")
        told = json.loads(out.stdout)
        assert [len(told[k]) for k in ("successes", "failures", "errors", "pendings")] == [1, 1, 0, 0], told
        assert told["failures"][0]["name"] == "lies" and out.returncode == 1 and not out.stderr, (told, out)


def test_what_a_person_settles_is_json_too():
    def records(p: Place) -> list[dict]:
        return [json.loads(line) for line in p.run("journal", "show", "--demo", "--json", p.runs()[0]["run"]).stdout.splitlines()]

    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--yes"), 0)
        first = next(r["n"] for r in records(p) if r["k"] == "intent")
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--yes", KPLAY_CRASH=f"record:{first}"), -9)
        run, op = p.runs()[0]["run"], records(p)[-1]["id"]
        out = p.run("settle", "--demo", run, op, "--not-done", "--reason", "seen", "--json")
        assert json.loads(out.stdout) == {"settled": op, "run": run, "done": False} and not out.returncode, out
        assert p.runs()[0]["state"] == "settled", p.runs()


def test_help_acts_on_nothing():
    with Place() as p:
        for words in (["resume", "0105-aaaa"], ["approve", "0105-aaaa"], ["settle", "x", "y"], ["check", "rolling.lua"],
                      ["cluster", "check"], ["journal", "show"], ["playbooks", "x"]):
            expect(p.run(*words, "--help"), 0, f"kplay {words[0]}")


def test_closed_standard_files_are_no_other_files():
    for closed in (["<&-"], [">&-"], ["2>&-"], ["<&-", ">&-", "2>&-"]):
        with Place() as p:
            line = f'exec "$@" {" ".join(closed)}'
            done = subprocess.run(["sh", "-c", line, "sh", str(KPLAY), "run", "--demo", "--yes", "rolling.lua", "--to", "3.9.1"], cwd=p.dir,
                                  env=p.env, capture_output=True, text=True, timeout=HANG)
            assert done.returncode == 0, (closed, done)
            assert p.runs()[0]["state"] == "done", p.runs()


def test_hard_rows_and_no_reasons_are_refused_at_once():
    with Place() as p:
        expect(p.run("run", "--demo", "--yes", "rolling.lua", "--force", "offline", "--reason", "I know better"), 2,
               "the guard's row offline takes no override")
        expect(p.run("run", "--demo", "--yes", "rolling.lua", "--force", "min-isr", "--reason", "x"), 2, "that is no reason: \"x\"")


def test_taking_over_needs_a_reason():
    with Place() as p:
        for command in ("run", "resume"):
            expect(p.run(command, "--help"), 0, "--take-over RUN", "gone for good; needs --reason", "for --force and --take-over")
        words = ("run", "--demo", "--yes", "rolling.lua")
        expect(p.run(*words, "--take-over", "1124-ffff"), 2, "--take-over needs a reason", "--reason TEXT")
        expect(p.run(*words, "--take-over", "1124-ffff", "--reason", "x"), 2, "that is no reason: \"x\"")
        expect(p.run(*words, "--reason", "I know better"), 2, "--reason without --force or --take-over")
        expect(p.run(*words, "--take-over", "1124-ffff", "--reason", "bastion 1 burnt down"), 3,
               "--take-over 1124-ffff: it holds no host here; nobody does", "leave --take-over out: kplay resume")


def test_hosts_are_held_by_the_run_of_another_bastion():
    """Two directories of runs on one simulated cluster, which is handed from one to the other."""
    with Place() as p:
        def roll(runs: str, **env: str) -> str:
            p.run("run", "--demo", "--runs", runs, "rolling.lua", "--yes", **env)
            return next(d.name for d in (p.dir / runs).iterdir() if d.is_dir())

        def cluster_of(runs: str, to: str) -> None:
            shutil.copy(p.dir / runs / "cluster.sim", p.dir / to / "cluster.sim")

        whole = (p.dir / "whole" / roll("whole") / "journal.jsonl").read_text().splitlines()
        stops = [r["n"] for r in map(json.loads, whole) if (r["k"], r.get("fn")) == ("intent", "stop_broker")]
        one = roll("one", KPLAY_CRASH=f"record:{stops[1] - 1}")
        two = roll("two", KPLAY_CRASH="record:6")
        cluster_of("one", "two")
        second = ("resume", "--demo", "--runs", "two", "--yes")
        expect(p.run(*second), 3, f"fenced: run {one} holds all 6 hosts, by ", ", since 2026-01-05T09:",
               "broker 1, broker 2, broker 3, controller 3001", f"when it has ended: kplay resume --demo --runs two {two}",
               f"when it is gone for good: kplay resume --demo --runs two {two} --take-over {one} --reason TEXT")
        expect(p.run(*second, "--take-over", one, "--reason", "bastion 1 burnt down"), 0, f"taken over: run {one} holds all 6 hosts",
               "reason: bastion 1 burnt down", f"override  fence: bastion 1 burnt down (run {one} holds all 6 hosts")
        cluster_of("two", "one")
        expect(p.run("resume", "--demo", "--runs", "one", "--yes"), 3, f"run {two} had taken over all 6 hosts, and has given them back",
               f"--take-over {two} --reason TEXT")
        expect(p.run("journal", "show", one, "--demo", "--runs", "one"), 0, f"run {two} had taken over all 6 hosts")


def test_what_is_left_down_is_said():
    with Place() as p:
        p.write("kplay.yaml", simulated("[ { name: t, partitions: 6 } ]"))
        p.write("playbooks/half.lua", "return { api = 1, summary = 's', effects = { 'broker.restart' },\n"
                "  run = function(args) stop_broker(1); log('x' .. args.none) end }\n")
        said = expect(p.run("run", "half.lua", "--yes"), 4, "down      broker 1: this run stopped it", "half.lua:2", "--accept-changed-playbook")
        run = re.search(r"kplay resume (\S+) --accept", said).group(1)
        # One that only asks may look meanwhile, and leaves nothing behind.
        expect(p.run("run", "validate.lua"), 3, "broker 1 is down")
        expect(p.run("run", "rolling.lua", "--yes"), 3, f"run {run} of half.lua is unfinished")
        p.write("playbooks/half.lua", "return { api = 1, summary = 's', effects = { 'broker.restart' },\n"
                "  run = function(args) stop_broker(1); start_broker(1); wait_in_sync(1) end }\n")
        said = expect(p.run("resume", run, "--accept-changed-playbook"), 0, "done")
        assert "down " not in said, said


def test_what_was_changed_is_never_called_unchanged():
    """Exit codes 2 and 6 say that nothing was changed."""
    ends = {"error('x')": (2, 4), "local t = nil; log('x' .. t.x)": (2, 4), "stop_broker('two')": (2, 4), "api_versions(2)": (6, 4)}
    for last, (before, after) in ends.items():
        with Place() as p:
            p.write("kplay.yaml", simulated("[ { name: t, partitions: 6 } ]", "  faults: [ { fault: crash, node: 2 } ]\n"))
            for acts, code in (("", before), ("set_properties(1, { ['num.io.threads'] = '9' }); ", after)):
                p.write("playbooks/p.lua", f"return {{ api = 1, summary = 's', effects = {{ 'config.file', 'broker.restart' }},\n"
                        f"  run = function() {acts}{last} end }}\n")
                said = expect(p.run("run", "p.lua", "--yes"), code)
            run = re.search(r"kplay resume (\S+)", said).group(1)
            # Nor by a later session that does not come to work, for the edit does not even load.
            p.write("playbooks/p.lua", "return {")
            expect(p.run("resume", run, "--yes", "--accept-changed-playbook"), 4, "p.lua:1", f"kplay resume {run} --accept-changed-playbook")
            p.write("playbooks/p.lua", "return { api = 1, summary = 's', effects = { 'config.file' },\n"
                    "  run = function() set_properties(1, { ['num.io.threads'] = '9' }) end }\n")
            expect(p.run("resume", run, "--yes", "--accept-changed-playbook"), 0, "done")


def test_playbook_arguments_are_checked():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--yes", "--too", "3.9.1"), 2, "no argument `too`; did you mean `to`?")
        expect(p.run("run", "--demo", "rolling.lua", "--yes", "--to", "banana"), 2, "--to: to takes a release like 3.9.1, got \"banana\"")
        expect(p.run("run", "--demo", "rolling.lua", "--yes", "--to", "3.99.1"), 3, "kplay was not told about release 3.99.1, and it does not tell of itself")
        expect(p.run("run", "--demo", "nosuch.lua", "--yes"), 2, "nosuch.lua")


def test_nobody_to_say_yes():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua"), 2, "nobody is here to say yes", "--yes")


def test_wrong_yaml_says_where():
    with Place() as p:
        p.write("kplay.yaml", "cluster: x\nbrokrs: []\n")
        expect(p.run("cluster", "show"), 2, "kplay.yaml:2:1", "did you mean")


def test_check_points_at_an_unknown_verb():
    with Place() as p:
        p.write("bad.lua", 'return {\n  api = 1,\n  summary = "x",\n  effects = {},\n  args = {},\n  run = function()\n    stop_brokr(1)\n  end,\n}\n')
        said = expect(p.run("check", "./bad.lua"), 2, "bad.lua:7:5", "unknown verb `stop_brokr`; did you mean `stop_broker`?", "^^^^^^^^^^")
        assert said.count("next") == 1


def test_check_shows_a_syntax_error_with_a_caret():
    with Place() as p:
        p.write("bad.lua", "return {\n  api = 1,\n  summary = = 2,\n}\n")
        expect(p.run("check", "./bad.lua"), 2, "bad.lua:3", "^")


def test_documentation_is_whole():
    with Place() as p:
        expect(p.run("doc"), 0, "questions", "actions", "stop_broker")
        expect(p.run("doc", "stop_broker"), 0, "disruptive", "controlled shutdown")
        expect(p.run("doc", "stop_brokr"), 2, "did you mean `stop_broker`?")
        expect(p.run("doc", "guard"), 0, "min-isr", "ibp-pinned", "(hard)")
        said = expect(p.run("doc", "--baseline"), 0)
        golden("api-baseline", said)


# ---- a whole run on the screen ----

def test_demo_upgrade_on_screen():
    for mode, to in (("kraft", "3.9.1"), ("zookeeper", "3.5.2"), ("combined", "3.9.1")):
        with Place() as p:
            said = expect(p.run("run", "--demo", "--mode", mode, "rolling.lua", "--to", to, "--yes"), 0)
            golden(f"demo-{mode}", said)


def test_second_run_skips_what_is_done():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--to", "3.9.1", "--yes"), 0)
        # The demo is a fresh cluster for each first run; its end state is reached again, not kept.
        expect(p.run("run", "--demo", "rolling.lua", "--yes"), 0, "done")


def test_dry_run_changes_nothing():
    with Place() as p:
        said = expect(p.run("run", "--demo", "--dry-run", "rolling.lua", "--to", "3.9.1"), 0, "verdict   go")
        assert not p.runs(), said


def test_json_lines_are_json():
    with Place() as p:
        out = p.run("run", "--demo", "rolling.lua", "--to", "3.9.1", "--yes", "--json")
        assert out.returncode == 0, out.stderr
        events = [json.loads(line) for line in out.stdout.splitlines()]
        assert events[0]["event"] == "opened" and events[-1]["event"] == "closed"
        assert events[-1]["value"]["state"] == "done"
        assert all(e["simulated"] for e in events)


def test_journal_verify_and_show():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--yes"), 0)
        run = p.runs()[0]["run"]
        expect(p.run("journal", "verify", "--demo", run), 0, "chain whole")
        expect(p.run("journal", "show", "--demo", run), 0, "stop_broker", "intent", "close")
        expect(p.run("journal", "replay", "--demo", run), 0, f"{run}: rolling.lua, ", "calls, all equal; it ends there: done")
        path = p.dir / "state/kplay/demo" / run / "journal.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        lines[5] = lines[5].replace(b"broker", b"brokre", 1) if b"broker" in lines[5] else lines[5][:-3] + b"x\"}\n"
        path.write_bytes(b"".join(lines))
        expect(p.run("journal", "verify", str(path)), 3, ":6")
        expect(p.run("journal", "replay", str(path)), 3, ":6")
        expect(p.run("journal", "replay", "--demo", "0101-none"), 2, "there is no run 0101-none here")


def test_verify_looks_at_everything_that_the_journal_names():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--yes"), 0)
        run = p.runs()[0]["run"]
        home = p.dir / "state/kplay/demo" / run
        files = len(list((home / "sources").iterdir())) + len(list((home / "blobs").iterdir()))
        expect(p.run("journal", "verify", "--demo", run), 0, f"chain whole, {files} files beside it whole")
        copy = p.dir / "copy.jsonl"
        copy.write_bytes((home / "journal.jsonl").read_bytes())
        expect(p.run("journal", "verify", "./copy.jsonl"), 0, "chain whole", "what it names is not beside it")
        source = next((home / "sources").iterdir())
        text = source.read_bytes()
        source.write_bytes(text + b" ")
        expect(p.run("journal", "verify", "--demo", run), 3, source.name, "it was changed after it was written")
        source.unlink()
        expect(p.run("journal", "verify", "--demo", run, "--json"), 3, source.name, "put back a copy of this file")
        copy.write_bytes(b"")
        expect(p.run("journal", "verify", "./copy.jsonl"), 3, "copy.jsonl", "no record is in it")


# ---- refusals ----

def test_replication_factor_one_is_refused_and_may_be_accepted():
    with Place() as p:
        p.write("kplay.yaml", simulated("[ { name: audit, partitions: 3, rf: 1 } ]"))
        expect(p.run("run", "rolling.lua", "--yes"), 3, "no leader", "audit")
        p.write("kplay.yaml", simulated("[ { name: audit, partitions: 3, rf: 1 } ]", "  accept: [ audit ]\npolicy:\n  accept: [ { topic: audit, why: by design } ]\n"))
        expect(p.run("run", "rolling.lua", "--yes"), 2, "made from another description", "kplay cluster reset")
        expect(p.run("cluster", "reset"), 0, "fresh")
        expect(p.run("run", "rolling.lua", "--yes"), 0, "done")


def test_min_isr_equal_to_rf_is_refused():
    with Place() as p:
        p.write("kplay.yaml", simulated("[ { name: tight, partitions: 3, rf: 3, min_isr: 3 } ]"))
        expect(p.run("run", "rolling.lua", "--yes"), 3, "below min.insync.replicas", "tight")


def test_unclean_election_is_refused():
    with Place() as p:
        p.write("kplay.yaml", simulated("[ { name: loose, partitions: 3, unclean: true } ]"))
        expect(p.run("run", "rolling.lua", "--yes"), 3, "unclean leader election")


def test_a_broker_down_is_refused():
    with Place() as p:
        p.write("kplay.yaml", simulated("[ { name: t, partitions: 3 } ]", "  faults: [ { fault: crash, node: 2 } ]\n"))
        expect(p.run("run", "rolling.lua", "--yes"), 3, "broker 2 is down")


def test_hops_and_zookeeper_rules():
    with Place() as p:
        p.write("kplay.yaml", "cluster: old\nruns: runs\nsimulate: { mode: zookeeper, brokers: 3, release: 2.8.2, ibp: '2.8' }\n")
        expect(p.run("run", "rolling.lua", "--to", "3.5.2", "--yes"), 3, "2.8.2 -> 3.0.2 -> 3.5.2")
        p.write("kplay.yaml", "cluster: old\nruns: runs2\nsimulate: { mode: zookeeper, brokers: 3, release: 3.9.1, ibp: '3.9' }\n")
        expect(p.run("run", "rolling.lua", "--to", "4.0.1", "--yes"), 3, "migrate the cluster to KRaft")


def test_a_broker_that_does_not_start_stops_the_run_or_is_put_back():
    broken = simulated("[ { name: t, partitions: 6 } ]", "  breaking: { 3.9.1: [ bad.key ] }\n")
    broken = broken.replace("  release: 3.7.2\n", "  release: 3.7.2\n  faults: [ { fault: config_breaks_start, node: 1, stop: 1 } ]\n")
    # By default a person is asked; --yes is nobody's answer to that.
    for policy in ("policy: { on_failure: stop }\n", ""):
        with Place() as p:
            p.write("kplay.yaml", broken + policy)
            said = expect(p.run("run", "rolling.lua", "--to", "3.9.1", "--yes"), 4, "process is gone again")
            assert "broker 2" not in said and "back" not in said, said
            # Resumed, it is started once more, not only told again.
            expect(p.run("resume", "--yes"), 4, "process is gone again")
            run = json.loads(p.run("runs", "--json").stdout.splitlines()[0])["run"]
            shown = p.run("journal", "show", "--json", run).stdout
            tries = [r for r in map(json.loads, shown.splitlines()) if r["k"] == "intent" and r["fn"] == "start_broker"]
            assert [r.get("try", 1) for r in tries] == [1, 2], tries
    with Place() as p:
        p.write("kplay.yaml", broken + "policy: { on_failure: back_out }\n")
        expect(p.run("run", "rolling.lua", "--to", "3.9.1", "--yes"), 4, "broker 1 is back on 3.7.2")


def test_cluster_check_walks_the_guards_rows():
    """What would be found with a node down is found by check, preflight and the roll, before the first stop."""
    with Place() as p:
        p.write("low.yaml", "cluster: low\nsimulate: { release: 3.9.1, metadata_version: 3.3-IV1 }\n")
        words = "metadata.version is level 5, release 4.0 needs at least 7"
        expect(p.run("cluster", "check", "-c", "low.yaml"), 0, "well")
        expect(p.run("cluster", "check", "-c", "low.yaml", "--to", "4.0.1"), 3, words)
        expect(p.run("run", "-c", "low.yaml", "preflight.lua", "--to", "4.0.1"), 3, words)
        expect(p.run("run", "-c", "low.yaml", "--yes", "rolling.lua", "--to", "4.0.1"), 3, words, "0 stops")


# ---- killed and resumed ----

def intents(p: Place, run: str) -> list[str]:
    out = p.run("journal", "show", "--demo", "--json", run)
    return [r["id"] for r in map(json.loads, out.stdout.splitlines()) if r["k"] == "intent"]


def test_killed_at_every_record_and_resumed():
    with Place() as whole:
        expect(whole.run("run", "--demo", "rolling.lua", "--to", "3.9.1", "--yes"), 0)
        total = whole.runs()[0]["records"]
        plan = [i.split(".", 1)[1] for i in intents(whole, whole.runs()[0]["run"])]
    stride = 1 if os.environ.get("KPLAY_LONG") else 4
    for record in range(2, total, stride):
        with Place() as p:
            killed = p.run("run", "--demo", "rolling.lua", "--to", "3.9.1", "--yes", KPLAY_CRASH=f"record:{record}")
            assert killed.returncode == -signal.SIGKILL, f"record {record}: {killed.returncode} {killed.stderr}"
            run = [r for r in p.runs() if not r["finished"]]
            assert len(run) == 1, f"record {record}: {p.runs()}"
            resumed = p.run("resume", "--demo", "--yes")
            assert resumed.returncode == 0, f"record {record}:\n{resumed.stdout}{resumed.stderr}"
            done = [i.split(".", 1)[1] for i in intents(p, run[0]["run"])]
            assert done == plan, f"record {record}: {done} != {plan}"


def test_ctrl_c_pauses_and_resume_goes_on():
    with Place() as p:
        process = subprocess.Popen([str(KPLAY), "run", "--demo", "./slow.lua", "--yes"], cwd=p.dir, env=p.env, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True) if p.write("slow.lua", SLOW) else None
        while process.poll() is None and not any(j.read_bytes().count(b"\n") > 20 for j in p.dir.glob("state/kplay/demo/*-????/journal.jsonl")):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=HANG)
        assert process.returncode == 75, f"{process.returncode}\n{out}{err}"
        assert "kplay resume --demo" in err, err
        expect(p.run("resume", "--demo", "--yes"), 0, "done")


# One node by hand, and more words after the stop than a pipe takes: until somebody reads them, kplay stands there.
HELD = '''--- Restart broker 2, talking.
return {
  api = 1, summary = "x", effects = { "broker.restart" }, args = {},
  run = function()
    step("broker 2"%s)
    stop_broker(2)
    for i = 1, 100 do log(("talk"):rep(200)) end
    start_broker(2)
    wait_in_sync(2)
    step("after")
    log("went on")
  end,
}
'''


def interrupted(p: Place, hold: str, *signals: int) -> tuple[int, str]:
    """A run that gets these signals while it talks, with broker 2 down."""
    p.write("held.lua", HELD % hold)
    process = subprocess.Popen([str(KPLAY), "run", "--demo", "./held.lua", "--yes"], cwd=p.dir, env=p.env, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, bufsize=1, start_new_session=True)
    said = ""
    while "talktalk" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    time.sleep(0.3)  # until the pipe is full
    for number in signals:
        process.send_signal(number)
        time.sleep(0.1)
    said += process.stdout.read()
    return process.wait(timeout=60), said


def test_the_first_signal_finishes_a_held_node():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with Place() as p:
            code, said = interrupted(p, ", { hold = true }", number)
            assert code == 75, f"{number}: {code}\n{said}"
            assert "pausing when broker 2 is done; now start_broker" in said, said
            assert "press Ctrl-C again to pause after this action" in said, said
            assert "paused by a person; nothing is under way" in said and "sim  down" not in said, said
            assert "went on" not in said and "kplay resume --demo" in said, said
            expect(p.run("resume", "--demo", "--yes"), 0, "went on", "done")


def test_a_pause_says_what_is_down():
    for hold, signals in (("", [signal.SIGTERM]), (", { hold = true }", [signal.SIGINT, signal.SIGHUP])):
        with Place() as p:
            code, said = interrupted(p, hold, *signals)
            assert code == 75, f"{code}\n{said}"
            assert "broker 2 is down: this run stopped it and has not started it" in said, said
            assert "nothing is under way" not in said, said
            expect(p.run("resume", "--demo", "--yes"), 0, "went on", "done")


def test_a_hang_up_means_nothing_under_nohup():
    with Place() as p:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            code, said = interrupted(p, "", signal.SIGHUP)
        finally:
            signal.signal(signal.SIGHUP, before)
        assert code == 0 and "went on" in said, f"{code}\n{said}"


SLOW = '''--- Wait for a long while, many times.
return {
  api = 1, summary = "x", effects = { "leader.elect" }, args = {},
  run = function()
    for i = 1, 2000 do
      step("turn " .. i)
      local n = urp()
      elect_preferred()
    end
  end,
}
'''


def test_edited_playbook_is_refused_and_accepted_when_equal():
    with Place() as p:
        text = SLOW.replace("2000", "6")
        p.write("slow.lua", text)
        p.run("run", "--demo", "./slow.lua", "--yes", KPLAY_CRASH="record:12")
        p.write("slow.lua", text.replace("Wait for", "Wait a"))
        expect(p.run("resume", "--demo", "--yes"), 3, "was changed since the run began", "line 1")
        expect(p.run("resume", "--demo", "--yes", "--accept-changed-playbook"), 0, "done")


def test_edited_playbook_that_asks_otherwise_is_refused():
    with Place() as p:
        text = SLOW.replace("2000", "6")
        p.write("slow.lua", text)
        p.run("run", "--demo", "./slow.lua", "--yes", KPLAY_CRASH="record:12")
        p.write("slow.lua", text.replace("local n = urp()", "local n = offline()"))
        expect(p.run("resume", "--demo", "--yes", "--accept-changed-playbook"), 3, "does not ask what it asked before", "journal", "playbook")


def test_two_runs_at_once():
    with Place() as p:
        p.run("run", "--demo", "rolling.lua", "--yes", KPLAY_CRASH="record:60")
        expect(p.run("run", "--demo", "rolling.lua", "--yes"), 3, "is unfinished", "--supersede")
        run = p.runs()[0]["run"]
        expect(p.run("run", "--demo", "rolling.lua", "--yes", "--supersede", run), 0, "done")


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # however a shell or nohup has begun this
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    wanted = sys.argv[2:]
    rooms = (author_tests, backout_tests, errors_tests, hints_tests, hour_tests, kept_tests, line_tests, path_tests, people_tests, preflight_tests, rehearsal_tests, screen_tests, spec_tests)
    every = globals() | {n: f for room in rooms for n, f in vars(room).items()}
    tests = [(n, f) for n, f in every.items() if n.startswith("test_") and (not wanted or any(w in n for w in wanted))]
    if missing := [w for w in wanted if not any(w in n for n, _ in tests)]:
        sys.exit(f"no test has {missing} in its name")
    failed = 0
    for name, test in tests:
        begun = time.time()
        try:
            test()
            print(f"ok      {name}  {time.time() - begun:.1f} s", flush=True)
        except AssertionError as e:
            failed += 1
            print(f"FAILED  {name}\n{e}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
