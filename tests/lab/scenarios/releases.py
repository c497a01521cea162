"""Releases: what a staged one says of itself, and one that nobody told kplay about."""
from __future__ import annotations

import json

from lab.config import Spec
from lab.load import Load

from .base import TOPICS, Context, clusters, events, expect, scenario
from .refusals import runs_of

# Its metadata.version is its release's: 4.x does not start with that of combined-3.9.1.
clusters["combined-3.9"] = Spec("combined", "3.9.1", also=("4.4.0",), topics=TOPICS)

KEY = "log.message.timestamp.difference.max.ms"
# Also: what stdlib/keys.lua says is gone is what the two ConfigDefs say.
ASK = """local keys = require "keys"
return { api = 1, summary = "ask", effects = {}, run = function()
  local told, was = release_info(brokers()[1], "4.4.0"), release_info(brokers()[1], "3.9.1")
  local knows, gone = {}, 0
  for _, key in ipairs(told.keys) do
    knows[key] = true
    if keys.is_known(key, "4.4.0") == false then log("wrong: 4.4.0 knows " .. key) end
  end
  for _, key in ipairs(was.keys) do
    if not knows[key] then
      gone = gone + 1
      if keys.is_known(key, "4.4.0") ~= false then log("wrong: 4.4.0 does not know " .. key) end
    end
    if keys.is_known(key, "3.9.1") == false then log("wrong: 3.9.1 knows " .. key) end
  end
  log("gone " .. gone)
  log(("told %s %d %d %s"):format(told.built, told.metadata_version_min, told.metadata_version_max,
    told.features["transaction.version"]))
end }
"""


def keys_named(done: str) -> list[str]:
    return [line for line in done.splitlines() if KEY in line]


@scenario(cluster="combined-3.9", order=10)
def rolls_to_a_release_that_nobody_told_it_about(ctx: Context) -> None:
    """With 4.3 and 4.4 not in its table: by what 4.4.0 says of itself, and what the nodes say."""
    lab = ctx.lab
    unaware = ctx.binary.parent / "unaware" / "bin" / "kplay"
    aware, ctx.binary = ctx.binary, unaware
    ask = lab.dir / "ask.lua"
    ask.write_text(ASK)
    done = expect(ctx.kplay("run", "--runs", runs_of(ctx, "told"), ask), 0, "told 2026-10-06 7 33 2", "gone ")
    assert "wrong: " not in done.stdout and "gone 0" not in done.stdout, done.stdout
    # A key that 3.9.1 knows and 4.4.0 does not is named with its file and line, by either.
    node = lab.brokers()[0]
    with open(node.properties, "a", encoding="utf-8") as file:
        file.write(f"\n{KEY}=9000000000\n")
    line = node.properties.read_text().splitlines().index(f"{KEY}=9000000000") + 1
    for ctx.binary in (unaware, aware):
        said = ctx.kplay("run", "--runs", runs_of(ctx, "flight"), "preflight.lua", "--to", "4.4.0", "--rules",
                         "documented").stdout
        named = keys_named(said)
        assert any(f"{node.properties}:{line} on" in one and "4.4.0 does not know" in one for one in named), said
        assert "it is log.message.timestamp.before.max.ms" in said, said
    # The conservative rules want a person's word; nobody is there, nothing is touched.
    ctx.binary = unaware
    path = ctx.kplay("path", "3.9.1", "4.4.0", "--rules", "documented").stdout
    assert "kplay was not told about 4.4.0" in path, path
    with Load(lab) as load:
        done = ctx.kplay("run", "--json", "--yes", "--runs", runs_of(ctx, "roll"), "rolling.lua", "--to", "4.4.0",
                         "--rules", "documented", want=0)
    closed = next(e for e in events(done) if e["event"] == "closed")
    warned = [w for w in closed["value"]["warnings"] if "kplay was not told about release 4.4.0" in w]
    assert warned and "built 2026-10-06, metadata.version 7 to 33" in warned[0], json.dumps(closed)
    result = load.result
    assert result is not None and result.missing == 0 and result.failed == 0, result
    features = lab.brokers()[0].tool("kafka-features.sh", "--bootstrap-server", lab.bootstrap(), "describe").stdout
    assert "4.4-IV2" in features, features
    ctx.say(f"{len(closed['value']['stops'])} nodes on 4.4.0; {result.acked} records, none missing")
    ctx.spoil()
