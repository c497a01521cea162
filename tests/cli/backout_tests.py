"""A node that fails and is put back: what is printed is followed to the letter, to a good end."""

import json
import re
import shlex

from people_tests import commands
from place import Place, expect, simulated

ON = "policy: { on_failure: back_out }\n"
LOG = "read /var/log/kafka/server.log on "
ROLL = ("rolling.lua", "--to", "3.9.1", "--skip", "3001,3002,3003")
# What a person does to the file of a node, by a playbook.
MEND = """return { api = 1, summary = 'mend', effects = { 'config.file' },
  run = function() set_properties(1, { ['num.io.threads'] = '9' }) end }
"""


def cluster(p: Place, fault: str) -> None:
    p.write("kplay.yaml", simulated("[ { name: t, partitions: 6, rf: 3, min_isr: 2 } ]", f"  faults: [ {{ {fault} }} ]\n") + ON)
    p.write("playbooks/mend.lua", MEND)


def stands(p: Place, *releases: str) -> None:
    """Every broker answers, with these releases; nothing is under-replicated."""
    status = json.loads(p.run("status", "--json").stdout)
    assert status["down"] == [] and status["partitions"]["under_replicated"] == 0, status
    nodes = [json.loads(line) for line in p.run("cluster", "check", "--json").stdout.splitlines()]
    runs = [n["host"]["running_release"] for n in nodes if n.get("id") in (1, 2, 3)]
    assert runs == list(releases), nodes


def to_a_good_end(p: Place, again: list[str]) -> None:
    expect(p.run("run", "mend.lua", "--yes"), 0)
    expect(p.run(*again[1:], "--yes"), 0, "done")
    stands(p, "3.9.1", "3.9.1", "3.9.1")


def test_a_node_that_was_put_back_is_up_and_the_hint_goes_on():
    with Place() as p:
        cluster(p, "fault: config_breaks_start, node: 1, stop: 1")
        said = expect(p.run("run", *ROLL), 2, "nobody is here to say yes")
        said = expect(p.run("run", *ROLL, "--yes"), 4, "broker 1 is back on 3.7.2 and in sync; on 3.9.1 it failed: start_broker: ",
                      "fatal exception: ConfigException", LOG, "; when it is mended: kplay run rolling.lua")
        assert "kplay resume" not in said and "down  " not in said, said
        stands(p, "3.7.2", "3.7.2", "3.7.2")
        # Somebody who comes later is told the same.
        status = expect(p.run("status"), 0, "failed", "broker 1 is back on 3.7.2 and in sync", LOG, "kplay run rolling.lua --skip 3001,3002,3003 --to 3.9.1")
        assert "kplay resume" not in status, status
        # Nothing was mended: the same command is refused before anything is stopped, and says where to look.
        again = commands(said)[-1]
        assert again == ["kplay", "run", *ROLL, "--yes"], again
        expect(p.run(*again[1:]), 3, "release 3.9.1 would not start broker 1", "next  correct /etc/kafka/server.properties on ", "0 stops")
        to_a_good_end(p, [w for w in again if w != "--yes"])


def test_a_back_out_that_was_resumed_names_a_run_that_can_begin():
    with Place() as p:
        cluster(p, "fault: config_breaks_start, node: 1, stop: 1")
        whole = p.run("run", *ROLL, "--yes")
        run = re.search(r"run (\d{4}-[0-9a-f]{4})", whole.stdout).group(1)
        records = [json.loads(line) for line in p.run("journal", "show", "--json", run).stdout.splitlines()]
        back = [r["n"] for r in records if r["k"] == "intent" and r["i"].startswith("broker 1, back")]
    for record in back:
        with Place() as p:
            cluster(p, "fault: config_breaks_start, node: 1, stop: 1")
            p.run("run", *ROLL, "--yes", KPLAY_CRASH=f"record:{record}")
            said = expect(p.run("resume", "--yes"), 4, "broker 1 is back on 3.7.2", LOG)
            again = commands(said)
            assert again == [["kplay", "run", "rolling.lua", "--skip", "3001,3002,3003", "--to", "3.9.1"]], said
            to_a_good_end(p, again[0])


def test_a_back_out_that_fails_as_well_is_resumed_and_goes_on():
    with Place() as p:
        cluster(p, "fault: crash_loop, node: 1, start: 1, lasts: 25s")
        said = expect(p.run("run", *ROLL, "--yes"), 4, "broker 1 could not be put back on 3.7.2: start_broker: its process has died 2 times",
                      "on 3.9.1 it had failed: start_broker: its process has died 2 times", LOG, "stop what starts it again (its service)",
                      "down      broker 1: this run stopped it and has not started it")
        resume = commands(said)[-1]
        assert resume[:2] == ["kplay", "resume"] and f"{shlex.join(resume)} goes on there" in said, said
        for _ in range(5):  # until the person has mended it
            out = p.run(*resume[1:])
            said = out.stdout + out.stderr
            if "is back on" in said:
                break
            assert out.returncode == 4 and commands(said)[-1] == resume, said
        expect(out, 4, "broker 1 is back on 3.7.2 and in sync; on 3.9.1 it failed: start_broker: its process has died 2 times")
        stands(p, "3.7.2", "3.7.2", "3.7.2")
        again = commands(said)[-1]
        assert again == ["kplay", "run", "rolling.lua", "--skip", "3001,3002,3003", "--to", "3.9.1"], said
        expect(p.run(*again[1:], "--yes"), 0, "done")
        stands(p, "3.9.1", "3.9.1", "3.9.1")
