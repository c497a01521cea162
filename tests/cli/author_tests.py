"""Who writes playbooks: kplay check, the documentation made from tables, the editor's stubs."""

import json

from place import Place, expect, simulated

ROLL_BROKERS = """return {
  api = 1, summary = "restart the brokers", effects = { "broker.restart" },
  run = function()
    for _, id in ipairs(brokers()) do step("broker " .. id) stop_broker(id) start_broker(id) wait_in_sync(id) end
  end,
}
"""
REAL = """cluster: real
kafka: { bootstrap.servers: "h11:9092" }
ssh: { user: ops }
service: { manager: systemd, unit: kafka }
layout: { releases: /r, current: /c, config: /s.properties, log: /l.log }
brokers:
  - { id: 11, host: h11, rack: a, kafka: "h11:9092" }
  - { id: 12, host: h12, rack: b, kafka: "h12:9092" }
  - { id: 13, host: h13, rack: c, kafka: "h13:9092" }
"""


def checked(said: str) -> list[dict]:
    return [json.loads(line) for line in said.splitlines()]


def test_check_the_shipped_playbooks():
    with Place() as p:
        for name in ("rolling.lua", "preflight.lua", "validate.lua"):
            said = expect(p.run("check", name), 0, f"{name} is sound\n")
            assert "warning" not in said and "stopped" not in said, said
        p.write("four.yaml", "cluster: four\nruns: runs\nsimulate: { release: 4.0.1, topics: [ { name: orders } ] }\n")
        expect(p.run("check", "-c", "four.yaml", "unregister.lua", "--id", "9"), 0, "unregister.lua is sound\n")


def test_check_runs_on_a_cluster_like_the_files_own_and_with_its_arguments():
    """Node ids, mode and arguments are the file's; no other mode is asked for."""
    with Place() as p:
        p.write("kplay.yaml", REAL + "playbooks: { rolling: { skip: [12], to: 3.5.2 } }\n")
        said = expect(p.run("check", "rolling.lua"), 0, "zookeeper  ran to its end", "rolling.lua is sound")
        assert "kraft" not in said and "combined" not in said, said
        p.write("kplay.yaml", REAL + "playbooks: { rolling: { skip: [99] } }\n")
        expect(p.run("check", "rolling.lua"), 2, "kplay.yaml:10:", 'skip takes the id of a node in the cluster file, got "99"')
        p.write("kplay.yaml", REAL + "controllers:\n  - { id: 11, host: h11, kafka: 'h11:9093' }\n  - { id: 12, host: h12, kafka: 'h12:9093' }\n"
                                     "  - { id: 13, host: h13, kafka: 'h13:9093' }\n")
        expect(p.run("check", "rolling.lua"), 0, "combined   ran to its end")


def test_check_asks_a_playbook_for_brokers_only_for_no_right_on_controllers():
    with Place() as p:
        p.write("mine.lua", ROLL_BROKERS)
        said = expect(p.run("check", "./mine.lua"), 0, "kraft      ran to its end", "zookeeper  ran to its end", "combined   not tried:",
                      "./mine.lua is sound")
        assert "controller.restart" not in said, said
        # On a cluster of combined nodes it would be asked for, and is.
        p.write("combined.yaml", simulated("[ { name: orders } ]", "  mode: combined\n"))
        expect(p.run("check", "-c", "combined.yaml", "./mine.lua"), 2, 'needs the effect "controller.restart"')


def test_check_never_calls_sound_what_was_stopped():
    with Place() as p:
        p.write("never.lua", 'return { api = 1, summary = "x", effects = {}, run = function() fail("not here", { next = "go away" }) end }')
        said = expect(p.run("check", "./never.lua"), 3, "kraft      stopped: not here", "./never.lua was stopped wherever it was tried")
        assert "is sound" not in said, said
        p.write("kplay.yaml", simulated("[ { name: orders } ]"))
        expect(p.run("check", "./never.lua"), 3, "on a simulated cluster like yours", "next  go away")
        p.write("some.lua", 'return { api = 1, summary = "x", effects = {}, run = function()\n'
                            '  if cluster().mode == "zookeeper" then fail("not here") end end }')
        (p.dir / "kplay.yaml").unlink()
        said = expect(p.run("check", "./some.lua"), 0, "zookeeper  stopped: not here", "is sound on kraft, combined; where it stopped")


def test_check_names_an_effect_that_is_never_used():
    with Place() as p:
        p.write("mine.lua", ROLL_BROKERS.replace('"broker.restart"', '"broker.restart", "config.file"'))
        expect(p.run("check", "./mine.lua"), 0, 'warning    effect "config.file" is declared and used on none of the simulated clusters')


def test_check_tells_all_of_it_as_json():
    with Place() as p:
        p.write("mine.lua", ROLL_BROKERS.replace('"broker.restart"', '"broker.restart", "config.file"'))
        lines = checked(expect(p.run("check", "--json", "./mine.lua"), 0))
        assert [(one["cluster"], one["outcome"]) for one in lines[:3]] == [("kraft", "ran"), ("zookeeper", "ran"), ("combined", "not tried")], lines
        assert lines[0]["effects"] == ["broker.restart"] and "controller" in lines[2]["why"], lines
        assert lines[3] == {"playbook": "./mine.lua", "ran": ["kraft", "zookeeper"], "sound": True, "unused_effects": ["config.file"]}, lines
        p.write("never.lua", 'return { api = 1, summary = "x", effects = {}, run = function() fail("not here") end }')
        lines = checked(expect(p.run("check", "--json", "./never.lua"), 3))
        assert lines[0]["outcome"] == "stopped" and lines[0]["error"]["what"] == "not here" and lines[3]["sound"] is False, lines
        p.write("bad.lua", 'return { api = 1, summary = "x", effects = {}, run = function() local x = nil; return x.y end }')
        lines = checked(expect(p.run("check", "--json", "./bad.lua"), 2))
        assert lines[0]["outcome"] == "fault" and "bad.lua:1" in lines[0]["error"]["where"] and lines[4]["exit"] == 2, lines


def test_check_says_which_argument_it_cannot_try_without():
    with Place() as p:
        expect(p.run("check", "unregister.lua"), 2, "to be tried it needs --id", "next  kplay check unregister.lua --id VALUE")
        p.write("kplay.yaml", simulated("[ { name: orders } ]").replace("3.7.2", "4.0.1") + "playbooks: { unregister: { id: 9 } }\n")
        expect(p.run("check", "unregister.lua"), 0, "unregister.lua is sound")


def test_check_places_an_error_of_the_simulation():
    with Place() as p:
        p.write("kplay.yaml", simulated("[ { name: orders, rf: 4 } ]"))
        expect(p.run("check", "rolling.lua"), 2, "kplay.yaml:7:", "4 replicas do not fit on 3 brokers")
