"""Consumer groups and features: what kplay tells is what Kafka's own tools tell at that moment, and what
validate.lua makes of 200 groups of which one has stood still."""
from __future__ import annotations

import re

from lab.load import fill
from lab.wire import Connection, WireError

from .base import Context, expect, scenario, told
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


NOT_YET = (14, 15, 16)  # the coordinator is loading, not there, or another by now: the first who asks makes __consumer_offsets


class Readers:
    """Consumer groups as the cluster knows them: by what they commit."""

    def __init__(self, ctx: Context, topic: str) -> None:
        self.lab, self.topic = ctx.lab, topic
        self.first = Connection(ctx.lab.bootstrap().split(",")[0])
        self.at: dict[str, Connection] = {}
        self.of: dict[str, str] = {}

    def connection(self, address: str) -> Connection:
        return self.at.setdefault(address, Connection(address))

    def ends(self) -> dict[int, int]:
        seen = self.first.metadata()
        led: dict[int, list[int]] = {}
        for (topic, index), partition in seen.partitions.items():
            if topic == self.topic:
                led.setdefault(partition.leader, []).append(index)
        found: dict[int, int] = {}
        for leader, indexes in led.items():
            found.update(self.connection(seen.brokers[leader]).ends(self.topic, indexes))
        return found

    def _committed(self, group: str, offsets: dict[int, int]) -> bool:
        try:
            if group not in self.of:
                self.of[group] = self.first.coordinator(group)
            self.connection(self.of[group]).commit(group, self.topic, offsets)
        except WireError as problem:
            if problem.code not in NOT_YET:
                raise
            self.of.pop(group, None)  # another may be its coordinator by now
            return False
        return True

    def commit(self, group: str, offsets: dict[int, int]) -> None:
        if not self._committed(group, offsets):
            self.lab.wait(lambda: self._committed(group, offsets), f"a coordinator for {group}")


GROUPS, STOPPED = 200, "reader-137"


@scenario(cluster="combined-3.9.1", order=6, long=True)
def one_group_of_200_that_stands_still_is_named(ctx: Context) -> None:
    """Whatever else the cluster has of groups, and whatever was read meanwhile."""
    lab = ctx.lab
    topic = lab.spec.topics[0]
    names = [f"reader-{i:03d}" for i in range(GROUPS)]
    readers, before = Readers(ctx, topic.name), lab.dir / "before.json"
    fill(lab, topic, 600, 100)
    ends = readers.ends()
    for name in names:
        readers.commit(name, ends)
    expect(ctx.kplay("run", "--runs", runs_of(ctx, "baseline"), "preflight.lua", "--baseline", before), 0, f"written: {before}")
    fill(lab, topic, 600, 100)
    ends = readers.ends()
    for name in names:
        if name != STOPPED:
            readers.commit(name, ends)
    others = {row[0] for row in kafka_says(ctx)} - set(names)  # those that other scenarios have left behind
    for name in others:
        readers.commit(name, ends)
    check = ("run", "--runs", runs_of(ctx, "baseline"), "validate.lua", "--baseline", before)
    said = expect(ctx.kplay(*check), 3, f"group {STOPPED} is ")
    text = said.stdout + said.stderr
    named = set(re.findall(r"reader-\d{3}", text))
    assert named == {STOPPED}, told(said)
    more = int(re.search(r"is (\d+) records further behind, in", text).group(1))
    behind = dict(re.findall(rf"^ *{topic.name}-(\d+): 0 -> (\d+), ", text, re.M))
    assert more == 600 == sum(map(int, behind.values())) and "also" not in text, told(said)
    theirs = {row[2]: row[5] for row in kafka_says(ctx) if row[0] == STOPPED and row[5] != "0"}
    assert behind == theirs, (behind, theirs)
    expect(ctx.kplay(*check, "--tolerance", "600"), 0)
    readers.commit(STOPPED, ends)
    expect(ctx.kplay(*check), 0)
    ctx.say(f"{GROUPS} groups; {STOPPED} is {more} records further behind, in {len(behind)} partitions")


FEATURES = """return {
  api = 1, summary = "features", effects = {},
  run = function()
    local all = {}
    for _, id in ipairs(brokers()) do all[#all + 1] = id end
    local told = features{ nodes = all }
    for name, level in pairs(told.features) do log(("finalised %s %d"):format(name, level)) end
    for _, n in ipairs(told.nodes) do
      for name, range in pairs(n.supported) do log(("supported %s"):format(name)) end
      assert(n.features["metadata.version"] == told.metadata_version)
    end
  end,
}
"""


@scenario(cluster="kraft-3.7.2", order=6)
def features_are_what_kafka_says(ctx: Context) -> None:
    first = ctx.lab.brokers()[0]
    playbook = ctx.lab.dir / "features.lua"
    playbook.write_text(FEATURES)
    said = expect(ctx.kplay("run", "--runs", runs_of(ctx, "features"), playbook), 0).stdout
    done = first.tool("kafka-features.sh", "--bootstrap-server", ctx.lab.bootstrap(), "describe")
    assert done.returncode == 0, done.stdout
    rows = re.findall(r"Feature: (\S+)\s+SupportedMinVersion: (\S+)\s+SupportedMaxVersion: (\S+)\s+FinalizedVersionLevel: (\S+)", done.stdout)
    assert rows, done.stdout
    assert {r[0] for r in rows} == set(re.findall(r"supported (\S+)", said)), (rows, said)
    ours = dict(re.findall(r"finalised (\S+) (\d+)", said))
    levels = {"3.7-IV4": "19"}
    theirs = {r[0]: levels.get(r[3], r[3]) for r in rows if r[3] not in ("0", "-")}
    assert ours == theirs, (ours, theirs)
    ctx.say(f"{len(rows)} features; finalised {ours}")
