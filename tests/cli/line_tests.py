"""The command line itself: what it takes, what it says of a slip, and what it tells of runs and clusters."""

import json
import subprocess

from place import KPLAY, Place, expect
from people_tests import CONFIRM, Terminal


def test_an_argument_that_takes_several_may_be_given_several_times():
    with Place() as p:
        for words in (["--skip", "1", "--skip", "2"], ["--skip", "1,2"], ["--skip=1", "--skip", "2,1"]):
            expect(p.run("run", "--demo", "--dry-run", "rolling.lua", *words), 0, "skip [1,2]")


def test_an_argument_that_takes_one_is_given_once():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--to", "3.9.1", "--to", "3.8.0"), 2,
               "--to: it is given 2 times, and takes one value")
        expect(p.run("runs", "--runs", "x", "--runs", "y"), 2, "--runs is given twice")
        assert not p.runs()


def test_an_argument_without_its_value_is_told():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--to"), 2, "--to: it needs a value: a release like 3.9.1")
        expect(p.run("run", "--demo", "rolling.lua", "--skip", "--yes"), 2, "--skip: it needs a value: ids of nodes, like 1,2")
        expect(p.run("run", "--demo", "rolling.lua", "--supersede"), 2, "--supersede needs a value (RUN)")


def test_only_takes_these_nodes_and_no_others():
    with Place() as p:
        said = expect(p.run("run", "--demo", "--yes", "rolling.lua", "--only", "2", "--only", "3001", "--to", "3.9.1"), 0, "2 stops")
        assert "broker 2 " in said and "controller 3001" in said and "broker 1 " not in said, said
        expect(p.run("run", "--demo", "--dry-run", "rolling.lua", "--only", "1,2", "--skip", "2"), 0, "1 stop,")
        expect(p.run("run", "--demo", "rolling.lua", "--only", "77"), 2, "only takes the id of a node in the cluster file")


def test_a_slip_gets_a_suggestion():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--dryrun"), 2, "rolling.lua has no argument `dryrun`; did you mean `dry-run`?")
        expect(p.run("run", "--demo", "rollin.lua"), 2, 'there is no playbook "rollin.lua"; did you mean rolling.lua?')
        p.write("playbooks/nightly.lua", CONFIRM)
        expect(p.run("check", "nightli"), 2, "did you mean nightly.lua?")
        expect(p.run("cluster", "shoe", "--demo"), 2, 'cluster takes show, check or reset, got "shoe"; did you mean show?')
        expect(p.run("journal", "verfy", "x"), 2, "did you mean verify?")
        expect(p.run("statsu"), 2, "did you mean `status`?")


def test_a_word_too_many_is_an_error():
    with Place() as p:
        for words in (["run", "rolling.lua"], ["check", "rolling.lua"], ["resume", "r"], ["approve", "r"], ["settle", "r", "o"],
                      ["runs"], ["status"], ["playbooks"], ["cluster", "show"], ["journal", "show", "r"], ["doc", "log"], ["help", "run"]):
            expect(p.run(*words, "extra"), 2, f'{words[0]}: "extra" is one word too many', f"kplay help {words[0]}")
        assert not p.runs()


def test_superseding_nothing_is_an_error():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--yes", "--supersede", "0105-0000"), 2, "no run 0105-0000 is unfinished",
               "kplay runs --demo lists them")
        expect(p.run("run", "--demo", "rolling.lua", "--yes", "--only", "1"), 0)
        done = p.runs()[0]["run"]
        expect(p.run("run", "--demo", "rolling.lua", "--yes", "--supersede", done), 2, f"no run {done} is unfinished")
        assert len(p.runs()) == 1


def test_help_of_a_playbook_that_lacks_an_argument_keeps_the_others():
    with Place() as p:
        p.write("need.lua", '''return { api = 1, summary = "needs", effects = {},
  args = { to = { "version", required = true, doc = "the release" }, wait = { "duration", default = "5m", doc = "how long" } },
  run = function(args) end }
''')
        expect(p.run("run", "--demo", "need.lua", "--help"), 0, "the release  (required)", "how long  [5m, default]")
        expect(p.run("run", "--demo", "need.lua", "--wait", "1m", "--help"), 0, "how long  [1m, --wait]")
        expect(p.run("run", "--demo", "need.lua"), 2, "need.lua needs --to: the release")


def test_status_tells_what_stands_and_what_to_type():
    with Place() as p:
        expect(p.run("status", "--demo"), 0, "cluster     demo", "nodes       all 6 answer", "140: 0 offline, 0 under-replicated",
               "run         there was none")
        p.write("ask.lua", CONFIRM)
        paused = expect(p.run("run", "--demo", "./ask.lua", "--yes", KPLAY_CRASH="record:9"), -9)
        run = p.runs()[0]["run"]
        said = expect(p.run("status", "--demo"), 0, "5 of 6 answer; down or silent: broker 2", "under-replicated",
                      f"run         {run} of ./ask.lua, interrupted", f"kplay resume --demo {run}")
        told = json.loads(p.run("status", "--demo", "--json").stdout)
        assert told["down"] == ["broker 2"] and told["run"]["state"] == "interrupted" and told["partitions"]["under_replicated"] > 0, told
        assert run in told["next"], (told, said, paused)
        expect(p.run("resume", "--demo", run, "--yes"), 0)
        expect(p.run("status", "--demo"), 0, "all 6 answer", f"run         {run} of ./ask.lua, done")


def test_status_tells_a_question_and_how_it_is_answered():
    with Place() as p:
        p.write("ask.lua", CONFIRM)
        t = Terminal(p, "run", "--demo", "./ask.lua")
        t.wait_for("Go on?")
        t.answer("[y/N] ", "y\n")
        t.wait_for("Start it?")
        t.answer("[y/N] ", "\x03")
        t.ends(75)
        run = p.runs()[0]["run"]
        expect(p.run("status", "--demo"), 0, f"{run} of ./ask.lua, paused: it asks: Start it?",
               f"kplay approve --demo {run}, then kplay resume --demo {run}")
        expect(p.run("approve", "--demo", run, "--yes", "--reason", "seen"), 0, "Start it?")
        expect(p.run("status", "--demo"), 0, f"{run} of ./ask.lua, approved", f"kplay resume --demo {run}")
        expect(p.run("resume", "--demo"), 0)


def test_runs_have_a_header_and_work_beside_a_run():
    with Place() as p:
        p.write("ask.lua", CONFIRM)
        t = Terminal(p, "run", "--demo", "./ask.lua")
        t.wait_for("Go on?")
        t.answer("[y/N] ", "y\n")
        t.wait_for("Start it?")
        t.wait_for("[y/N] ")
        said = expect(p.run("runs", "--demo"), 0, "./ask.lua", "open")
        assert said.splitlines()[0].split() == ["RUN", "PLAYBOOK", "STATE", "BEGUN", "RECORDS"], said
        expect(p.run("status", "--demo"), 0, "open")
        expect(p.run("journal", "show", "--demo", p.runs()[0]["run"]), 0, "stop_broker")
        t.type("y\n")
        t.ends(0)


def test_the_journal_tells_who_began_and_who_went_on():
    with Place() as p:
        p.run("run", "--demo", "rolling.lua", "--yes", "--only", "2", KPLAY_CRASH="record:20")
        expect(p.run("resume", "--demo"), 0)
        run = p.runs()[0]["run"]
        expect(p.run("journal", "show", "--demo", run), 0, 'rolling.lua {"only":[2],', "on cluster demo, by ", ", kplay 0.",
               "takes the hosts with epoch 1", "goes on after: ")
        expect(p.run("journal", "show", "--demo", "nosuch"), 2, "there is no run nosuch here", "kplay runs --demo lists those")


def test_a_simulated_cluster_stays_as_runs_left_it_until_it_is_reset():
    with Place() as p:
        expect(p.run("run", "--demo", "--dry-run", "rolling.lua"), 0, "verdict   go")  # of one that never ran
        expect(p.run("run", "--demo", "rolling.lua", "--to", "3.9.1", "--yes"), 0, "6 stops")
        for words in (["cluster", "show"], ["runs"], ["status"], ["cluster", "check"]):
            p.run(*words, "--demo")
        expect(p.run("run", "--demo", "validate.lua", "--release", "3.9.1"), 0, "done")
        expect(p.run("run", "--demo", "--dry-run", "rolling.lua", "--to", "3.9.1"), 0, "already on 3.9.1", "verdict   go: 0 stops")
        expect(p.run("run", "--demo", "rolling.lua", "--to", "3.9.1", "--yes"), 0, "0 stops")
        expect(p.run("run", "--demo", "--mode", "zookeeper", "rolling.lua", "--yes"), 2, "made from another description",
               "kplay cluster reset --demo")
        expect(p.run("cluster", "reset", "--demo"), 0, "fresh")
        expect(p.run("run", "--demo", "validate.lua", "--release", "3.9.1"), 3)
        expect(p.run("cluster", "reset", "--demo"), 0)
        expect(p.run("run", "--demo", "--mode", "zookeeper", "rolling.lua", "--yes"), 0, "ZooKeeper 3.4")


def test_a_simulated_cluster_with_an_unfinished_run_is_not_reset():
    with Place() as p:
        p.run("run", "--demo", "rolling.lua", "--yes", KPLAY_CRASH="record:60")
        run = p.runs()[0]["run"]
        expect(p.run("cluster", "reset", "--demo"), 3, f"run {run} on it is unfinished", f"kplay resume --demo {run}")
        expect(p.run("resume", "--demo"), 0, "done")
        expect(p.run("cluster", "reset", "--demo"), 0)
        p.write("real.yaml", "cluster: real\nkafka: { bootstrap.servers: \"127.0.0.1:9\" }\nbrokers: [ { id: 1, host: 127.0.0.1, kafka: \"127.0.0.1:9\" } ]\n")
        said = p.run("cluster", "reset", "-c", "real.yaml")
        assert said.returncode == 2, said


def test_the_end_of_a_run_counts_all_its_sessions():
    with Place() as p:
        p.run("run", "--demo", "rolling.lua", "--yes", "--to", "3.9.1", KPLAY_CRASH="record:75")
        said = expect(p.run("resume", "--demo"), 0, ", 6 stops (")
        before = int(said.split(", 6 stops (")[1].split()[0])
        assert 0 < before < 6 and f"({before} in earlier sessions)" in said, said
        run = p.runs()[0]["run"]
        assert f"journal   {p.dir}/state/kplay/demo/{run}/journal.jsonl" in said, said
        assert "left      metadata.version is 3.7 (19), and 3.9.1 knows 3.9 (21)" in said, said


def test_what_can_not_be_said_is_no_success():
    with Place() as p:
        expect(p.run("run", "--demo", "rolling.lua", "--yes", "--only", "2"), 0)
        run = p.runs()[0]["run"]
        for words in (["runs", "--demo"], ["journal", "show", "--demo", run], ["doc"], ["help"], ["status", "--demo", "--json"]):
            with open("/dev/full", "w") as full:
                out = subprocess.run([str(KPLAY), *words], cwd=p.dir, env=p.env, stdout=full, stderr=subprocess.PIPE, text=True)
            assert out.returncode == 1 and "could not be written: No space left" in out.stderr, (words, out)


def test_a_mistake_in_the_cluster_file_has_its_line():
    rows = [
        ("simulate: { brokers: 3 }\nbrokers: [ { id: 1, host: h, kafka: \"h:1\" } ]\n", "3:12", "nodes beside `simulate`"),
        ("simulate:\n  brokers: 3\n  topics:\n    - { name: a, partitions: 3 }\n    - { name: b, rf: 2, min_isr: 3 }\n", "6:25",
         "min_isr 3 is more than the 2 replicas there are"),
        ("simulate: { brokers: 3 }\nplaybooks: { rollin: { settle: 1m } }\n", "3:14", "did you mean rolling.lua?"),
        ("simulate: { brokrs: 3 }\n", "2:13", "unknown word `brokrs`; did you mean `brokers`?"),
        ("simulate:\n  brokers: 3\n  faults: [ { fault: crash, nod: 2, at: 1m } ]\n", "4:29", "did you mean `node`?"),
    ]
    for text, place, words in rows:
        with Place() as p:
            p.write("kplay.yaml", f"cluster: c\n{text}")
            expect(p.run("run", "--dry-run", "rolling.lua"), 2, f"kplay.yaml:{place}: ", words)
