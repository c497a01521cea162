"""What an error says of where it comes from: the line of the playbook that led to stdlib's."""

import json
import socket

from place import Place, expect, simulated

WHOLE = "[ { name: t, partitions: 6, rf: 3, min_isr: 2 } ]"
SINGLE = "[ { name: single, partitions: 6, rf: 1 } ]"


def playbook(run: str, more: str = "") -> str:
    """Its calls are in line 5 and behind it."""
    return ('local node, gate, versions = require "node", require "gate", require "versions"\n' + more.ljust(1) + "\n"
            "return { api = 1, summary = 's', effects = { 'broker.restart', 'controller.restart', 'release.switch', 'config.file' },\n"
            f"  run = function()\n    {run}\n  end }}\n")


def error_of(p: Place, *words: str) -> dict:
    return json.loads(p.run(*words, "--json").stdout.splitlines()[-1])["error"]


def told(p: Place, code: int, where: str, caller: str | None, *texts: str, name: str = "mine.lua") -> None:
    """In the last JSON line and in the journal; of a mistake, but of no refusal, on the screen too."""
    said = expect(p.run("run", name, "--yes"), code, f"kplay: {where}", *texts)
    lines = [line for line in said.splitlines() if line.startswith("from  ")]
    assert lines == ([f"from  {caller}"] if caller and code == 2 else []), said
    error = error_of(p, "run", name, "--yes")
    assert error.get("from") == caller and error.get("where", "").startswith(where), error
    run = json.loads(p.run("runs", "--json").stdout.splitlines()[0])["run"]
    last = json.loads(p.run("journal", "show", run, "--json").stdout.splitlines()[-1])
    assert last["err"].get("from") == caller, last


def test_an_error_in_stdlib_names_the_playbooks_line():
    ends = {
        "a nil where a text belongs": ("log(node.name(nil))", 2, "stdlib/node.lua:", "attempt to concatenate a nil value"),
        "a library's refusal": ("require('skew').allows('banana')", 3, "", "banana"),
        "a verb's argument": ("node.roll('two', nil, '1m')", 2, "stdlib/", "two"),
        "a verb's argument, of a table": ("gate.before(1, 'soon')", 2, "stdlib/gate.lua:", "soon"),
    }
    for what, (call, code, where, text) in ends.items():
        with Place() as p:
            p.write("kplay.yaml", simulated(WHOLE))
            p.write("playbooks/mine.lua", playbook(f"local t = 1\n    {call}"))
            told(p, code, where, "playbooks/mine.lua:6", text)


def test_a_guards_no_in_stdlib_names_the_playbooks_line():
    with Place() as p:
        p.write("kplay.yaml", simulated(SINGLE))
        p.write("playbooks/mine.lua", playbook("node.roll(1, nil, '1m')"))
        told(p, 3, "", "playbooks/mine.lua:5", "refused before stopping broker 1")


def test_the_nearest_file_of_ones_own_is_named():
    with Place() as p:
        p.write("kplay.yaml", simulated(WHOLE))
        p.write("team/night.lua", 'local node = require "node"\nlocal M = {}\nfunction M.go()\n  node.roll("two", nil, "1m")\nend\nreturn M\n')
        p.write("playbooks/inner.lua", playbook("local a = 1\n    log(node.name(nil))"))
        p.write("playbooks/mine.lua", playbook("night.go()", 'local night = require "team.night"'))
        told(p, 2, "stdlib/", "team/night.lua:4")
        p.write("playbooks/mine.lua", playbook("play('inner.lua')"))
        told(p, 2, "stdlib/node.lua:", "playbooks/inner.lua:6")


def test_an_error_of_the_playbook_itself_has_one_place():
    for call, code, where in (("local t = nil; log(t.x)", 2, "playbooks/mine.lua:5"), ("stop_broker('two')", 2, "playbooks/mine.lua:5"),
                              ("fail('no')", 3, ""), ("wait_until(function() return nil .. 'x' end)", 2, "playbooks/mine.lua:5"),
                              ("play('inner.lua')", 2, "playbooks/inner.lua:5")):
        with Place() as p:
            p.write("kplay.yaml", simulated(WHOLE))
            p.write("playbooks/inner.lua", playbook("log(nil .. 'x')"))
            p.write("playbooks/mine.lua", playbook(call))
            told(p, code, where, None)


def test_a_caught_error_of_stdlib_is_not_mistaken_for_the_next():
    with Place() as p:
        p.write("kplay.yaml", simulated(WHOLE))
        p.write("playbooks/mine.lua", playbook("local ok, err = pcall(node.name, nil)\n    assert(not ok and err.what:find('concatenate'))\n"
                                               "    error(err.what, 0)"))
        told(p, 2, "", None, "attempt to concatenate a nil value")
        p.write("playbooks/mine.lua", playbook("local ok, err = pcall(function() log(node.name(nil)) end)\n    error(err)"))
        told(p, 2, "stdlib/node.lua:", "playbooks/mine.lua:5")


# ---- the cluster file ----

REAL = """cluster: real
runs: runs
kafka:
  bootstrap.servers: "127.0.0.1:{port}"
  {key}: {value}
ssh: {{ user: ops }}
service: {{ unit: kafka }}
layout: {{ releases: /opt/kafka/releases, current: /opt/kafka/current, config: /etc/kafka/server.properties }}
brokers: [ {{ id: 1, host: 127.0.0.1, kafka: "127.0.0.1:{port}" }} ]
"""


def test_a_wrong_property_is_found_at_its_line_before_anything_is_contacted():
    wrong = {
        ("socket.timout.ms", "3000"): ("unknown key `socket.timout.ms` in kafka; did you mean `socket.timeout.ms`?",),
        ("session.timout.ms", "3000"): ("unknown key `session.timout.ms` in kafka; did you mean `session.timeout.ms`?",),
        ("linger.of.mine", "3000"): ("unknown key `linger.of.mine` in kafka", "librdkafka's property names"),
        ("socket.timeout.ms", "soon"): ('Invalid value for configuration property "socket.timeout.ms"',),
        ("socket.timeout.ms", "{ env: SOON }"): ("socket.timeout.ms: librdkafka does not take its value",),
        ("isolation.level", "none"): ("isolation.level",),
        ("broker.address.family", "v5"): ("broker.address.family",),
        ("socket.timeout.ms", ""): ("`socket.timeout.ms` has no value",),
        ("group.id", "mine"): ("group.id cannot be set", "belongs to none"),
        ("allow.auto.create.topics", '"true"'): ("allow.auto.create.topics cannot be set",),
        ("test.mock.num.brokers", "3"): ("test.mock.num.brokers cannot be set",),
        ("metadata.broker.list", '"127.0.0.1:1"'): ("metadata.broker.list cannot be set", "bootstrap.servers"),
        ("security.protocol", "SASL_SSL"): ("this release speaks PLAINTEXT only",),
        ("security.protocol", "TLS"): ("must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",),
        ("opaque", "x"): ("opaque",),
        # Each of these librdkafka takes, and then does not start with.
        ("receive.message.max.bytes", "1000"): ("librdkafka does not start with receive.message.max.bytes: `receive.message.max.bytes` must",),
        ("partition.assignment.strategy", "foo"): ("librdkafka does not start with partition.assignment.strategy",),
        ("max.poll.interval.ms", "10"): ("librdkafka does not start with max.poll.interval.ms",),
        ("partition.assignment.strategy", "{ env: SOON }"): ("librdkafka does not start with partition.assignment.strategy",),
    }
    with socket.create_server(("127.0.0.1", 0)) as broker, Place() as p:
        broker.settimeout(0.05)
        for (key, value), texts in wrong.items():
            p.write("kplay.yaml", REAL.format(port=broker.getsockname()[1], key=key, value=value))
            said = expect(p.run("run", "rolling.lua", "--yes", SOON="hunter2"), 2, "kplay: kplay.yaml:5:3: ", *texts)
            assert "hunter2" not in said, said
            error = json.loads(p.run("cluster", "check", "--json", SOON="hunter2").stdout.splitlines()[-1])["error"]
            assert error["where"] == "kplay.yaml:5:3" and error["class"] == "config", error
            try:
                broker.accept()
                raise AssertionError(f"{key}: a broker was contacted")
            except TimeoutError:
                pass


def test_what_the_cluster_file_names_is_found_at_its_line():
    with Place() as p:
        p.write("kplay.yaml", simulated(WHOLE).replace("runs: runs", "runs: /proc/nowhere"))
        expect(p.run("run", "rolling.lua", "--yes"), 2, "kplay: kplay.yaml:2:1: the directory /proc/nowhere cannot be made")
        p.write("kplay.yaml", simulated(WHOLE))
        expect(p.run("run", "rolling.lua", "--yes"), 0)
        p.write("kplay.yaml", simulated(WHOLE.replace("6", "7")))
        expect(p.run("run", "rolling.lua", "--yes"), 2, "kplay: kplay.yaml:3:1: the simulated cluster here was made from another description")
