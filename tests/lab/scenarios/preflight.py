"""What preflight finds about a cluster, mended with Kafka's own tools until it finds nothing; and
what kplay tells of log dirs is what Kafka's own kafka-log-dirs.sh tells at that moment."""
from __future__ import annotations

import json
from typing import Any

from .base import Context, events, expect, scenario, told
from .refusals import runs_of, untouched

RATE = "leader.replication.throttled.rate"
REPLICAS = "follower.replication.throttled.replicas"
OVERRIDE = "message.timestamp.difference.max.ms"

ASK = """return {
  api = 1, summary = "log dirs", effects = {},
  run = function()
    for _, id in ipairs(brokers()) do
      for _, dir in ipairs(log_dirs(id)) do
        log(("dir %d %s %s %d %d"):format(id, dir.path, dir.error or "well", dir.replicas, dir.size))
        if dir.total >= 0 then log(("disk %d %d %d"):format(id, dir.usable, dir.total)) end
      end
    end
  end,
}
"""


def tool(ctx: Context, script: str, *argv: str) -> str:
    first = ctx.lab.brokers()[0]
    done = first.tool(script, "--bootstrap-server", ctx.lab.bootstrap(), *argv)
    assert done.returncode == 0, done.stdout
    return str(done.stdout)


def alter(ctx: Context, kind: str, name: str, *change: str) -> None:
    tool(ctx, "kafka-configs.sh", "--alter", "--entity-type", kind, "--entity-name", name, *change)


def rows(ctx: Context, *more: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code of preflight, and what it found, by row; it changes nothing."""
    with untouched(ctx):
        done = ctx.kplay("run", "--json", "--runs", runs_of(ctx, "preflight"), "preflight.lua", *more)
    return done.returncode, {e["value"]["row"]: e["value"] for e in events(done) if e.get("event") == "warn"}


def findings(ctx: Context, code: int, want: set[str], *more: str) -> dict[str, dict[str, Any]]:
    """These rows find something, as soon as every broker has heard of what was altered."""
    last: tuple[int, dict[str, dict[str, Any]]] = (-1, {})

    def so() -> bool:
        nonlocal last
        last = rows(ctx, *more)
        return last[0] == code and set(last[1]) == want

    try:
        ctx.lab.wait(so, f"preflight to find {want} and end with {code}")
    except TimeoutError as late:
        raise AssertionError(f"{late}; it ended with {last[0]} and found {last[1]}") from None
    return last[1]


def throttle_is_found(ctx: Context) -> None:
    broker, topic = str(ctx.lab.brokers()[1].id), ctx.lab.spec.topics[0].name
    findings(ctx, 0, set())
    alter(ctx, "brokers", broker, "--add-config", f"{RATE}=1000000")
    assert "1 broker and 0 topics" in findings(ctx, 5, {"throttle"})["throttle"]["text"]
    alter(ctx, "topics", topic, "--add-config", f"{REPLICAS}=[0:{broker}]")
    try:
        ctx.lab.wait(lambda: "1 topic," in rows(ctx)[1]["throttle"]["text"], "the topic's throttle to be found")
        found = findings(ctx, 5, {"throttle"})
        assert f"broker {broker}  {RATE}=1000000" in found["throttle"]["detail"], found
        assert f"topic {topic}  {REPLICAS}=0:{broker}" in found["throttle"]["detail"], found
        ctx.say(found["throttle"]["text"])
        words = "a replication throttle is set on 1 broker and 1 topic"
        expect(ctx.kplay("cluster", "check"), 5, words)
        with untouched(ctx):  # the copy has none: it is judged on the cluster
            expect(ctx.kplay("run", "--dry-run", "rolling.lua"), 5, f"the cluster itself: {words}", "go, with 1 warning")
    finally:
        alter(ctx, "brokers", broker, "--delete-config", RATE)
        alter(ctx, "topics", topic, "--delete-config", REPLICAS)
    findings(ctx, 0, set())


def log_dirs_are_as_kafka_says(ctx: Context) -> None:
    playbook = ctx.lab.dir / "dirs.lua"
    playbook.write_text(ASK)
    done = ctx.kplay("run", "--runs", runs_of(ctx, "dirs"), playbook, want=0)
    lines = [line.split() for line in done.stdout.splitlines()]
    ours = {tuple(words[words.index("dir") + 1:]) for words in lines if "dir" in words}
    said = next(line for line in tool(ctx, "kafka-log-dirs.sh", "--describe").splitlines() if line.startswith("{"))
    theirs = {(str(b["broker"]), d["logDir"], d["error"] or "well", str(sum(not p["isFuture"] for p in d["partitions"])),
               str(sum(p["size"] for p in d["partitions"])))
              for b in json.loads(said)["brokers"] for d in b["logDirs"]}
    assert ours and ours == theirs, f"kplay only: {ours - theirs}\nkafka only: {theirs - ours}\n{told(done)}"
    disks = sum("disk" in words for words in lines)
    ctx.say(f"{len(ours)} log dirs are told as kafka-log-dirs tells them, {disks} with their disks")


@scenario(cluster="combined-3.9.1", order=6)
def preflight_finds_what_is_left_behind(ctx: Context) -> None:
    """A throttle; and an override that the target does not know, deleted as kplay says."""
    throttle_is_found(ctx)
    log_dirs_are_as_kafka_says(ctx)
    topic = ctx.lab.spec.topics[0].name
    known = set(rows(ctx, "--to", "4.0.1")[1])  # its metadata.version is too low for 4.0
    assert "topic-overrides" not in known
    alter(ctx, "topics", topic, "--add-config", f"{OVERRIDE}=3600000")
    found = findings(ctx, 3, known | {"topic-overrides"}, "--to", "4.0.1")["topic-overrides"]
    assert f"topic {topic}  {OVERRIDE}=3600000" in found["detail"], found
    findings(ctx, 0, set())
    ctx.say(found["text"])
    remedy = found["next"].partition("kafka-configs ")[2].partition("   |   ")[0].split()
    tool(ctx, "kafka-configs.sh", *remedy)
    findings(ctx, 3, known, "--to", "4.0.1")


@scenario(cluster="zookeeper-3.4.1", order=6)
def preflight_finds_a_throttle_in_zookeeper_mode(ctx: Context) -> None:
    throttle_is_found(ctx)
    log_dirs_are_as_kafka_says(ctx)


@scenario(cluster="zookeeper-2.8.2", order=6, long=True)
def preflight_finds_a_throttle_of_an_old_broker(ctx: Context) -> None:
    """It does not tell of its disks: its host does."""
    throttle_is_found(ctx)
    log_dirs_are_as_kafka_says(ctx)
