"""What preflight says, in words and as data, and how a run ends that only looked and warned."""

import json
import os

from place import ROOT, Place, expect, simulated

GHOST = "  ghosts: [ 9 ]\n"
TOPICS = "[ { name: t, partitions: 6, rf: 3, min_isr: %d } ]"
LEFT = "broker 9 (broker9:9092) is registered, is down"


def cluster(min_isr: int) -> str:
    return simulated(TOPICS % min_isr, GHOST).replace("3.7.2", "4.0.1")  # from 4.0 on brokers tell of ghosts


def findings(out: str) -> list[dict]:
    told = map(json.loads, out.splitlines())
    return [e["value"] for e in told if e.get("event") == "warn"]


def test_what_only_warns_ends_with_5():
    """Preflight, the rehearsal of a roll, and the check of the cluster; the roll itself ends well."""
    with Place() as p:
        p.write("kplay.yaml", cluster(2))
        expect(p.run("run", "preflight.lua"), 5, "warning   ghosts", LEFT, "unregister_broker(9)",
               "nothing stands in the way; 1 warning", "it ended well, with 1 warning")
        expect(p.run("cluster", "check"), 5, LEFT, "with warnings")
        expect(p.run("run", "--dry-run", "rolling.lua"), 5, "go, with 2 warnings", LEFT)
        rolled = expect(p.run("run", "--yes", "rolling.lua"), 0, LEFT)
        assert rolled.count(LEFT) == 2, rolled  # by its check, and by its verify
        said = [json.loads(line) for line in p.run("run", "preflight.lua", "--json").stdout.splitlines()]
        assert said[-1]["exit"] == 5 and said[-1]["error"]["class"] == "warned", said[-1]
        closed = next(e for e in said if e["event"] == "closed")["value"]
        assert closed["warned"] and closed["state"] == "done", closed
        expect(p.run("runs"), 0, "done")


def test_findings_are_a_table_and_data_the_worst_first():
    with Place() as p:
        p.write("kplay.yaml", cluster(3))
        text = expect(p.run("run", "preflight.lua"), 3, "refused   min-isr          without broker 1: 6 partitions",
                      "3 findings would stop a roll")
        assert text.index("refused   min-isr") < text.index("warning   ghosts"), text
        assert text.count("next  ") == 5, text  # one for each of the four, and one for the end
        told = findings(p.run("run", "preflight.lua", "--json").stdout)
        assert [f["row"] for f in told] == ["min-isr"] * 3 + ["ghosts"], told
        assert [f.get("node") for f in told] == [1, 2, 3, 9] and told[0]["who"] == "broker 1", told
        assert all(f["next"] and f["text"] for f in told), told
        forced = expect(p.run("run", "preflight.lua", "--force", "min-isr", "--reason", "a test cluster"), 5,
                        "overridden: a test cluster")
        assert "refused   " not in forced, forced


def ahead(p: Place) -> list[str]:
    """The rows that are judged ahead of a run, as lines of the page's table."""
    rows = map(json.loads, expect(p.run("doc", "guard", "--json"), 0).splitlines())
    return [f"| `{row['row']}` | {row['doc']} | {'no override' if row['hard'] else ''} |" for row in rows
            if row["when"] != ["before anything irreversible"]]


def test_the_page_lists_the_rows_as_doc_does():
    page = ROOT / "docs/before-an-upgrade.md"
    text = page.read_text()
    head = "| row | what must hold | |\n|---|---|---|\n"
    before, _, rest = text.partition(head)
    table, _, after = rest.partition("\n\n") if not rest.startswith("\n") else ("", "", rest[1:])
    with Place() as p:
        rows = ahead(p)
    if os.environ.get("KPLAY_GOLDEN") == "write":
        page.write_text(f"{before}{head}" + "\n".join(rows) + f"\n\n{after}")
        return
    assert len(rows) > 30 and table.splitlines() == rows, "docs/before-an-upgrade.md: KPLAY_GOLDEN=write writes its table anew"
