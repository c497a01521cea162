"""Who writes playbooks: kplay check, the documentation made from tables, the editor's stubs."""

import json
import os
import re

from place import ROOT, Place, expect, simulated

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


# ---- answers are what the documentation says ----

def split_at(text: str, mark: str) -> list[str]:
    """At every `mark` outside of brackets and quotes."""
    parts, depth, quoted = [""], 0, False
    for c in text:
        quoted ^= c == '"'
        depth += 0 if quoted else (c in "{<(") - (c in "}>)")
        if c == mark and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts if p.strip()]


def fits(value, kind: str, classes: dict) -> str:
    """Empty when the value is of that LuaCATS type; else where and how it is not."""
    kind = kind.strip()
    if kind.endswith("?"):
        return "" if value is None else fits(value, kind[:-1], classes)
    ways = split_at(kind, "|")
    if len(ways) > 1:
        return "" if any(not fits(value, way, classes) for way in ways) else f"{value!r} is no {kind}"
    if kind.endswith("[]"):
        if not isinstance(value, list):
            return f"{value!r} is no list"
        return next((f"[{i}] {why}" for i, one in enumerate(value) if (why := fits(one, kind[:-2], classes))), "")
    if kind.startswith("table<"):
        of = split_at(kind[6:-1], ",")[1]
        if value == []:  # an empty table
            return ""
        return next((f"[{k}] {why}" for k, one in value.items() if (why := fits(one, of, classes))), "") if isinstance(value, dict) else "no table"
    if kind.startswith("{") or kind in classes:
        fields = classes[kind] if kind in classes else {k.strip(): v.strip() for k, v in (f.split(":", 1) for f in split_at(kind[1:-1], ","))}
        if not isinstance(value, dict):
            return f"{value!r} is no {kind}"
        if kind in classes and (more := set(value) - set(fields)):
            return f"{kind} has no field {sorted(more)}"
        return next((f".{k} {why}" for k, of in fields.items() if (why := fits(value.get(k), of, classes))), "")
    if kind.startswith('"'):
        return "" if value == kind.strip('"') else f"{value!r} is not {kind}"
    simple = {"integer": lambda v: isinstance(v, int) and not isinstance(v, bool), "string": lambda v: isinstance(v, str),
              "boolean": lambda v: isinstance(v, bool), "true": lambda v: v is True, "nil": lambda v: v is None, "kplay.value": lambda v: True}
    return "" if simple[kind](value) else f"{value!r} is no {kind}"


def documented(p: Place) -> tuple[dict, dict]:
    verbs = {v["verb"]: v for v in checked(expect(p.run("doc", "--json"), 0))}
    classes = {v["answers"].rstrip("?").removesuffix("[]"): {f["name"]: f["type"] for f in v["fields"]} for v in verbs.values() if "fields" in v}
    return verbs, classes


def answers_of(records: list[dict]) -> list[tuple[str, object]]:
    """The verb and the answer of each question, and of each action on one node."""
    asked, answers = {}, []
    for r in records:
        if r["k"] == "intent":
            asked[r["i"]] = r["fn"]
        if r["k"] == "read" and "err" not in r:
            answers.append((r["fn"], r.get("r")))
        elif r["k"] == "done" and r.get("ok") and r["i"] in asked:
            answers.append((asked[r["i"]], r.get("r")))
    return answers


ASK_ALL = """return { api = 1, summary = "ask everything", effects = {}, run = function()
  step("cluster")
  cluster() brokers() controllers() controller() urp() offline() under_min_isr() at_min_isr() partitions{ limit = 5 }
  risk(1) reassignments() groups() lag{ groups = { "billing" } } features() features{ nodes = 1 } findings{} findings{ to = "9.9.9" } clients() now()
  config{ topic = "orders" } config{ broker = 1, keys = { "log.dirs" } }
  if cluster().mode == "kraft" then quorum() end
  step("nodes")
  for _, id in ipairs(brokers()) do broker(id) log_dirs(id) ibp(id) end
  for _, list in ipairs{ brokers(), controllers() } do
    for _, id in ipairs(list) do version(id) releases(id) api_versions(id) identity(id) properties(id) disk(id) end
  end
  for _, release in ipairs{ "4.0.1", "2.8.2", "9.9.9" } do release_info(1, release) end
end }
"""
ACT_ALL = """return { api = 1, summary = "do everything", effects = { "broker.restart", "release.stage", "release.switch", "config.file",
  "config.dynamic", "leader.elect" }, run = function()
  local first = brokers()[1]
  step("act") stage_release(first, "3.9.1") set_properties(first, { ["num.io.threads"] = "9", ["zz"] = false })
  alter_config{ topic = "orders", set = { ["retention.ms"] = "1000" } }
  if cluster().mode == "zookeeper" then set_ibp(first, ibp(first)) end
  stop_broker(first) switch_release(first, "3.9.1") start_broker(first) start_broker(first) wait_in_sync(first) elect_preferred()
end }
"""


def test_answers_are_of_the_types_that_are_documented():
    with Place() as p:
        verbs, classes = documented(p)
        p.write("ask.lua", ASK_ALL)
        p.write("act.lua", ACT_ALL)
        seen = set()
        for mode, release in (("kraft", "3.7.2"), ("combined", "4.0.1"), ("zookeeper", "3.4.1")):
            p.write("kplay.yaml", f"cluster: {mode}\nsimulate:\n  mode: {mode}\n  release: {release}\n  racks: [ a, b ]\n  groups: [ billing ]\n"
                                  "  topics: [ { name: orders, partitions: 6 } ]\n  clients: [ { name: sarama, version: v1.45.0, requests: [ Produce 2 ] } ]\n"
                                  "  faults: [ { fault: no_jdk, node: 2 } ]\n")
            for playbook in ("ask.lua",) if mode == "combined" else ("ask.lua", "act.lua"):
                expect(p.run("run", "--yes", f"./{playbook}"), 0, "done")
                run = json.loads(p.run("runs", "--json").stdout.splitlines()[0])["run"]
                for verb, value in answers_of(checked(expect(p.run("journal", "show", run, "--json"), 0))):
                    why = fits(value, verbs[verb]["answers"], classes)
                    assert not why, f"{mode}: {verb} answered {value}\nis not {verbs[verb]['answers']}: {why}"
                    seen.add(verb)
        questions = {v for v, told in verbs.items() if told["class"] == "read" and v != "on_failure"}
        assert questions <= seen, f"not asked: {questions - seen}"


def test_answers_of_real_clusters_are_of_the_types_that_are_documented():
    with Place() as p:
        verbs, classes = documented(p)
        checked_answers = 0
        for journal in sorted((ROOT / "tests/journals").glob("lab-*/*/journal.jsonl")):
            for verb, value in answers_of([json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]):
                if isinstance(value, dict) and "sha256" in value and "bytes" in value and verb not in ("set_properties", "set_ibp"):
                    continue  # kept beside the journal
                why = fits(value, verbs[verb]["answers"], classes)
                assert not why, f"{journal.parent.parent.name}: {verb} answered {value}\nis not {verbs[verb]['answers']}: {why}"
                checked_answers += 1
        assert checked_answers > 200, checked_answers


# ---- what is documented from tables ----

TOPICS = ("playbook", "cluster-file", "simulate")


def test_every_key_is_told_with_its_type_and_an_example():
    with Place() as p:
        for topic in TOPICS:
            text = expect(p.run("doc", topic), 0)
            for level in checked(expect(p.run("doc", topic, "--json"), 0)):
                for key in level["keys"]:
                    assert all(key[what].strip() for what in ("key", "type", "doc", "example")), key
                    assert f"\n  {key['key']}" in text, key
            assert max(map(len, text.splitlines())) < 180, max(text.splitlines(), key=len)
        expect(p.run("doc"), 0, *TOPICS, "advisories  audit  baseline  gate  keys")
        expect(p.run("doc", "cluster_file"), 2, "did you mean `cluster-file`?")


def test_a_playbook_is_what_its_documentation_says():
    with Place() as p:
        fields, argument, types = checked(expect(p.run("doc", "playbook", "--json"), 0))
        needed = [key for key in fields["keys"] if key.get("needed")]
        whole = "return {\n" + ",\n".join(key["example"] for key in fields["keys"]) + "\n}\n"
        p.write("whole.lua", whole)
        expect(p.run("check", "./whole.lua"), 0, "./whole.lua is sound")
        p.write("least.lua", "return {\n" + ",\n".join(key["example"] for key in needed) + "\n}\n")
        expect(p.run("check", "./least.lua"), 0, "./least.lua is sound")
        for one in needed:
            p.write("less.lua", "return {\n" + ",\n".join(key["example"] for key in needed if key is not one) + "\n}\n")
            expect(p.run("check", "./less.lua"), 2, "less.lua")
        for one in argument["keys"]:
            p.write("arg.lua", whole.replace("args = {", f"args = {{ one = {one['example']},"))
            expect(p.run("check", "./arg.lua", "--one", "3" if one["key"] == "required" else "3.9.1"), 0, "is sound")
        for one in types["keys"]:
            p.write("type.lua", whole.replace("args = {", f'args = {{ one = {{ "{one["key"]}", required = true }},'))
            words = one["example"].replace("NAME", "one").split(" ")
            expect(p.run("run", "--demo", "--dry-run", "./type.lua", *words), 0)
            if "string" not in one["type"] or one["key"] in ("version", "duration"):
                expect(p.run("run", "--demo", "--dry-run", "./type.lua", "--one", "x-y"), 2, "one takes")


def test_the_stubs_are_lua_that_gives_what_a_spec_requires():
    with Place() as p:
        p.write("stubs.lua", expect(p.run("doc", "--stubs"), 0, "---@meta kplay", "---@return kplay.broker"))
        p.write("spec/stubs_spec.lua", """local stubs, kplay = assert(loadfile("stubs.lua"))(), require "kplay"
it("has what the module has", function()
  for name in pairs(kplay) do assert(type(stubs[name]) == "function", name) end
  for name in pairs(stubs) do assert(type(kplay[name]) == "function", name) end
end)
it("has every verb", function() assert(type(_G.stop_broker) == "function" and type(_G.wait_until) == "function") end)
""")
        expect(p.run("test"), 0, "2 successes")
        text = p.run("doc", "--stubs").stdout
        answers = re.findall(r"^---@return (\S+)", text, re.M)
        assert len(answers) > 40 and "any" not in answers, answers


def test_a_module_is_documented_by_its_file():
    with Place() as p:
        for file in sorted((ROOT / "stdlib").glob("*.lua")):
            text = expect(p.run("doc", file.stem), 0, f'require "{file.stem}"')
            told = checked(expect(p.run("doc", file.stem, "--json"), 0))[0]
            names = re.findall(rf"^function ({file.stem}\.\w+)\(", file.read_text(), re.M)
            assert names and [f["function"].split("(")[0] for f in told["functions"]] == names, (names, told)
            for f in told["functions"]:
                args = [a for a in f["function"].split("(")[1].rstrip(")").split(", ") if a]
                assert f["doc"].strip() and args == [a["name"].rstrip("?") for a in f["params"]], f
        p.write("team/night.lua", "--- Nights.\nlocal night = {}\n\n--- Is it dark?\n---@param hour integer UTC\n---@return boolean\n"
                                  "function night.dark(hour) return hour > 20 end\n\nreturn night\n")
        expect(p.run("doc", "team.night"), 0, "Nights.", "night.dark(hour)", "Is it dark?", "hour             integer")
        expect(p.run("doc", "team.nigh"), 2, "no verb, module or topic `team.nigh`")


# ---- what an attack has found ----

def test_check_ends_when_a_playbook_does_not():
    with Place() as p:
        p.write("ever.lua", 'return { api = 1, summary = "x", effects = {}, run = function() while true do sleep("1h") end end }')
        expect(p.run("check", "./ever.lua"), 2, "has not come to an end after 7 d")


def test_check_warns_of_a_node_that_is_left_stopped():
    with Place() as p:
        p.write("left.lua", 'return { api = 1, summary = "x", effects = { "broker.restart" }, run = function() stop_broker(brokers()[1]) end }')
        expect(p.run("check", "./left.lua"), 0, "warning    on kraft it leaves broker 1 stopped")
        assert checked(p.run("check", "--json", "./left.lua").stdout)[0]["down"] == ["broker 1"]


def test_check_makes_no_fault_of_what_it_made_up():
    with Place() as p:
        p.write("kplay.yaml", REAL.replace("id: 12", "id: 1012"))
        expect(p.run("check", "rolling.lua", "--to", "3.5.2"), 0, "rolling.lua is sound")
        p.write("kplay.yaml", "\n".join(line for line in REAL.splitlines() if "h12" not in line and "h13" not in line) + "\n")
        expect(p.run("check", "rolling.lua", "--to", "3.5.2"), 3, "without broker 11", "its one topic, orders, is made up")
        expect(p.run("check", "-c", "", "rolling.lua"), 2)


def test_a_node_whose_id_is_out_of_range_is_refused():
    with Place() as p:
        p.write("kplay.yaml", REAL.replace("id: 12", "id: 2147483647"))
        expect(p.run("check", "rolling.lua"), 2, "kplay.yaml:8:", "from 0 to 2147483646")


def test_doc_reads_modules_and_nothing_else():
    with Place() as p:
        p.write("ops/kplay.yaml", "cluster: x\nsimulate: {}\n")
        p.write("ops/team/night.lua", "--- Nights.\r\nlocal night = {}\r\n\r\n--- Dark \x1b[31mred?\r\nfunction night.dark() end\r\nreturn night\r\n")
        p.write("secret.lua", "--- Secret.\nlocal m = {}\n--- Told.\nfunction m.told() end\nreturn m\n")
        for word in ("../secret", "team.../secret", "team.", "team./night", "/etc/passwd"):
            expect(p.run("doc", word, "-c", "ops/kplay.yaml"), 2, "no verb, module or topic")
        said = expect(p.run("doc", "team.night", KPLAY_CLUSTER="ops/kplay.yaml"), 0, "night.dark()")
        assert "\x1b" not in said and "\r" not in said, said


def test_a_playbook_without_steps_is_timed_from_its_beginning():
    with Place() as p:
        p.write("plain.lua", 'return { api = 1, summary = "x", effects = { "leader.elect" }, run = function() elect_preferred() end }')
        said = expect(p.run("run", "--demo", "--yes", "./plain.lua"), 0, "(no step)")
        assert re.search(r"\(no step\) +\d+\.\d+ s ", said), said


def test_a_run_that_never_began_is_in_nobodys_way():
    with Place() as p:
        p.write("kplay.yaml", simulated("[ { name: orders } ]"))
        p.write("runs/0101-aaaa/journal.jsonl", "")
        p.write("runs/0102-bbbb/journal.jsonl", '{"n":1,"torn')
        os.mkdir(p.dir / "runs/0103-cccc")
        os.mkfifo(p.dir / "runs/0103-cccc/journal.jsonl")
        expect(p.run("run", "--dry-run", "rolling.lua", "--to", "3.9.1"), 0, "verdict   go")
        expect(p.run("status"), 0, "all 6 answer")
        expect(p.run("run", "--yes", "rolling.lua", "--to", "3.9.1"), 0, "done")
        expect(p.run("resume"), 2, "no run is unfinished")
        expect(p.run("runs"), 0, "not begun    -  ")
