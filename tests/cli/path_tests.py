"""kplay path: the ways from one release to another."""
import json
import re
from pathlib import Path

from place import Place, expect, golden

PAIRS = (
    "2.8.2 3.5.2", "2.8.2 3.5.2 --rules documented", "3.4.1 3.5.2", "3.4.1 3.5.0", "3.9.2 3.4.1", "2.8.2 4.0.2",
    "3.9.2 4.4.0", "3.9.2 4.4.0 --rules documented", "4.1.1 4.4.0", "4.2.2 4.3.1", "4.2.2 4.4.0", "4.4.0 4.9.0",
)


def test_the_ways_of_twelve_pairs():
    with Place() as p:
        said = []
        for pair in PAIRS:
            done = p.run("path", *pair.split())
            said.append(f"$ kplay path {pair}\n{done.stdout}{done.stderr}exit {done.returncode}\n")
        golden("path", "\n".join(said))


def test_what_a_step_drops_of_a_file_is_told():
    with Place() as p:
        p.write("server.properties", "node.id=1\nmax.decompressed.message.bytes=1000000\nssl.keystore.password=hush\n")
        done = p.run("path", "4.2.2", "4.3.1", "--config", "server.properties")
        said = expect(done, 0, "drops     max.decompressed.message.bytes, which is set")
        assert "hush" not in said and "node.id" not in said, said
        said = expect(p.run("path", "4.2.2", "4.4.0", "--config", "server.properties"), 0)
        assert "drops" not in said.split("\n\n")[0], said
        expect(p.run("path", "4.2.2", "4.3.1", "--config", "gone.properties"), 2, "gone.properties")


def test_a_forced_stop_that_opens_an_advisory_needs_a_reason():
    with Place() as p:
        expect(p.run("path", "4.2.2", "4.4.0", "--via", "4.3.1"), 3, "the way by 4.3.1 opens CVE-2026-111108",
               "--reason TEXT")
        expect(p.run("path", "4.2.2", "4.4.0", "--via", "4.3.1", "--reason", "cordoned dirs"), 0,
               "re-opens  CVE-2026-111108", "reason    cordoned dirs")


def test_the_hint_at_other_rules_is_true():
    with Place() as p:
        p.write("kplay.yaml", "cluster: old\nruns: runs\nsimulate: { mode: zookeeper, brokers: 3, release: 2.8.2, ibp: '2.8' }\n")
        expect(p.run("run", "rolling.lua", "--to", "3.5.2", "--yes"), 3, "kplay path 2.8.2 3.5.2 shows ways",
               "--rules documented")
        expect(p.run("path", "2.8.2", "3.5.2"), 0, "2.8.2 -> 3.0.2 -> 3.5.2")
        expect(p.run("run", "rolling.lua", "--to", "3.5.2", "--rules", "documented", "--yes"), 0, "done")


def test_as_data_and_what_is_wrong_with_a_line():
    with Place() as p:
        told = json.loads(p.run("path", "4.2.2", "4.4.0", "--json").stdout)
        assert told["from"] == "4.2.2" and told["lines"][0].startswith("4.2.2 -> 4.4.0"), told
        expect(p.run("path", "4.2.2"), 2, "path needs two releases", "kplay path 3.9.2 4.4.0")
        expect(p.run("path", "4.2.2", "newest"), 2, "newest")
        expect(p.run("path", "4.2.2", "4.4.0", "--rules", "wild"), 3, "unknown rules \"wild\"")


PAGE = Path(__file__).resolve().parents[2] / "docs" / "which-release-next.md"


def test_a_team_adds_what_it_knows_of_releases():
    with Place() as p:
        written = re.search("```lua\n(.*?)```", PAGE.read_text(), re.S)
        assert written
        p.write("team/releases.lua", written.group(1))
        p.write("server.properties", "acme.key=1\n")
        p.write("kplay.yaml", "cluster: c\nruns: runs\nplaybooks: { path: { known: team.releases }, rolling: { known: team.releases } }\n"
                "simulate: { brokers: 3, release: 4.1.2 }\n")
        said = expect(p.run("path", "4.1.2", "4.5.0", "--config", "server.properties"), 0, "drops     acme.key, which is set")
        assert "kplay was not told" not in said and "opens nothing)" in said, said
        expect(p.run("path", "4.1.2", "4.3.1", "--via", "4.2.2", "--reason", "tried"), 0, "opens     ACME-1: our plugin does not work")
        expect(p.run("run", "rolling.lua", "--to", "4.2.2", "--yes"), 0, "done")


def test_about_how_long_it_takes_with_a_cluster_file():
    with Place() as p:
        p.write("kplay.yaml", "cluster: c\nkafka: { bootstrap.servers: 'h:9092' }\n"
                "ssh: { user: u }\nservice: { manager: systemd, unit: kafka }\n"
                "layout: { current: /k/c, releases: /k, config: /k/s.properties }\n"
                "brokers: [ { id: 1, host: a, kafka: 'a:9092' }, { id: 2, host: b, kafka: 'b:9092' }, { id: 3, host: d, kafka: 'd:9092' } ]\n")
        expect(p.run("path", "4.2.2", "4.4.0"), 0, "about 15 min: 3 nodes, 1 step, 5m each")
        expect(p.run("path", "4.2.2", "4.4.0", "--each", "90s"), 0, "about 4 min: 3 nodes")

