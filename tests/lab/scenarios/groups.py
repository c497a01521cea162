"""Consumer groups: what lag{} tells is what Kafka's own kafka-consumer-groups.sh tells at that moment."""
from __future__ import annotations

from lab.load import fill

from .base import Context, expect, scenario
from .refusals import runs_of

ASK = """return {
  api = 1, summary = "lag", effects = {},
  run = function()
    local told = lag{ worst = 1000 }
    for _, g in ipairs(told.groups) do log(("totals %s %s %s %d %d"):format(g.group, g.type, g.state, g.lag, g.partitions)) end
    for _, p in ipairs(told.worst) do
      log(("lag %s %s %d %d %d %d"):format(p.group, p.topic, p.partition, p.committed, p.end_offset, p.lag))
    end
    for _, g in ipairs(groups()) do log(("coordinator %s %d"):format(g.group, g.coordinator)) end
    local none = lag{ groups = { "nobody" } }.groups[1]
    log(("nobody %s"):format(none.problem))
  end,
}
"""


def kplay_says(ctx: Context, word: str) -> set[tuple[str, ...]]:
    playbook = ctx.lab.dir / "lag.lua"
    playbook.write_text(ASK)
    said = expect(ctx.kplay("run", "--runs", runs_of(ctx, "lag"), playbook), 0, "nobody there is no such group").stdout
    lines = [line.split() for line in said.splitlines()]
    return {tuple(words[words.index(word) + 1:]) for words in lines if word in words}


def kafka_says(ctx: Context) -> set[tuple[str, ...]]:
    """Group, topic, partition, committed, end and lag, as kafka-consumer-groups.sh prints them."""
    first = ctx.lab.brokers()[0]
    done = first.tool("kafka-consumer-groups.sh", "--bootstrap-server", ctx.lab.bootstrap(), "--describe", "--all-groups")
    assert done.returncode == 0, done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    return {tuple(row[:6]) for row in rows if len(row) >= 6 and row[2].isdigit() and row[5].isdigit()}


def ask_both(ctx: Context) -> None:
    lab = ctx.lab
    first = lab.brokers()[0]
    topic = lab.spec.topics[0].name
    fill(lab, lab.spec.topics[0], 600, 100)
    for group, offset in (("billing", "--to-earliest"), ("audit", "--to-latest")):
        done = first.tool("kafka-consumer-groups.sh", "--bootstrap-server", lab.bootstrap(), "--reset-offsets", "--group", group,
                          "--topic", topic, offset, "--execute")
        assert done.returncode == 0, done.stdout
    ours, theirs = kplay_says(ctx, "lag"), kafka_says(ctx)
    assert {row[0] for row in theirs} >= {"billing", "audit"}, theirs
    assert ours == theirs, f"kplay only: {ours - theirs}\nkafka only: {theirs - ours}"
    behind = sum(int(row[5]) for row in theirs if row[0] == "billing")
    assert behind > 0, theirs
    totals = {row[0]: row for row in kplay_says(ctx, "totals")}
    assert totals["billing"][2:4] == ("Empty", str(behind)) and totals["audit"][3] == "0", totals
    ctx.say(f"{len(theirs)} partitions of {len(totals)} groups, billing is {behind} behind")


@scenario(cluster="combined-3.9.1", order=5)
def lag_is_what_kafka_says(ctx: Context) -> None:
    ask_both(ctx)


@scenario(cluster="zookeeper-2.8.2", order=5)
def lag_is_what_kafka_says_to_an_old_broker(ctx: Context) -> None:
    """It takes one group a request."""
    ask_both(ctx)
