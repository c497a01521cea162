"""Specs: what `kplay test` says of mistakes, team modules, and the example of everything a spec can say."""

import json

from place import Place, expect

NIGHT = '''local versions = require "versions"
local M = { effects = {} }
--- Whether it is night, by the verb's clock.
function M.is_night()
  local hour = tonumber(now():sub(12, 13))
  return hour < 6 and versions.compare("3.9.1", "3.10.0") < 0
end
return M
'''
DEEP = 'local M = {} M.night = require "team.night" M.gate = require "gate" return M\n'
BY_NIGHT = '''return {
  api = 1, summary = "look", effects = {}, args = {},
  run = function() if not require("team.deep").night.is_night() then fail("it is day", { next = "wait" }) end end,
}
'''


def told(p: Place, *args: str, **env: str) -> dict:
    return json.loads(p.run("test", "--json", *args, **env).stdout)


def well(p: Place, *args: str, **env: str) -> int:
    all_told = told(p, *args, **env)
    bad = [(t["name"], t.get("message")) for t in all_told["failures"] + all_told["errors"]]
    assert not bad, bad
    return len(all_told["successes"])


def lua(value) -> str:
    """A value of JSON as Lua writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{json.dumps(k)}] = {lua(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(lua, value)) + "}"
    return f"[==[{value}]==]" if isinstance(value, str) else json.dumps(value)


def test_the_example_of_everything_a_spec_can_say_runs():
    with Place() as p:
        p.write("team/night.lua", NIGHT)
        rows = [json.loads(line) for line in expect(p.run("doc", "spec", "--json"), 0).splitlines()]
        text = expect(p.run("doc", "spec"), 0)
        for row in rows:
            for name in [row.get("name") or row["class"]] + [f["name"] for f in row.get("fields", row.get("params"))]:
                assert name in text, name
        p.write("rows.lua", "return " + lua(rows))
        p.write("spec/api_spec.lua", '''local kplay, rows = require "kplay", dofile("rows.lua")
for _, row in ipairs(rows) do
  if row.name then
    it(row.name, function()
      assert(#row.doc > 0)
      local env = setmetatable({ assert = assert, kplay = kplay, sim = kplay.simulate {} }, { __index = _G })
      assert(load(row.example, "=" .. row.name, "t", env))()
    end)
  else
    it(row.class, function()
      for _, f in ipairs(row.fields) do assert(#f.name > 0 and #f.type > 0 and #f.doc > 0, f.name) end
    end)
  end
end
it("is all there is", function()
  local names, sim = {}, kplay.simulate {}
  for _, row in ipairs(rows) do names[row.name or row.class] = true end
  for name in pairs(kplay) do assert(names["kplay." .. name], name) end
  for name in pairs(getmetatable(sim).__index) do assert(names["sim:" .. name], name) end
end)
it("has what a run gives, and no more", function()
  local sim, fields = kplay.simulate {}, {}
  for _, row in ipairs(rows) do
    if row.class then fields[row.class] = {} for _, f in ipairs(row.fields) do fields[row.class][f.name] = true end end
  end
  local function known(class, t) for k in pairs(t) do assert(fields[class][k], class .. "." .. k) end end
  local r = sim:run("rolling.lua", { to = "9.9.9" })
  known("kplay.result", r) known("kplay.error", r.error)
  r = sim:run("rolling.lua", { to = "3.9.1" })
  for _, q in ipairs(r.questions) do known("kplay.question", q) end
  for _, e in ipairs(r.events) do known("kplay.event", e) end
  for _, a in ipairs(sim:acts()) do known("kplay.act", a) end
  known("kplay.counts", sim:counts(1))
end)
''')
        assert well(p) > 15


def test_team_modules_are_found_by_specs_and_by_the_playbooks_they_run():
    with Place() as p:
        p.write("team/night.lua", NIGHT)
        p.write("team/deep.lua", DEEP)
        p.write("team/loop.lua", 'return require "team.loop"\n')
        p.write("team/empty.lua", "local M = {}\n")
        p.write("by_night.lua", BY_NIGHT)
        p.write("spec/night_spec.lua", '''local kplay = require "kplay"
local function at(hour) return { now = function() return ("2026-11-22T%02d:00:00.000Z"):format(hour) end } end
it("rules", function()
  assert.truthy(kplay.team("night", at(5)).is_night())
  assert.falsy(kplay.team("night", at(12)).is_night())
end)
it("of more modules, which have the same verbs", function()
  local deep = kplay.team("deep", at(12))
  assert.falsy(deep.night.is_night())
  assert.truthy(deep.gate)
end)
it("playbooks", function()
  local r = kplay.simulate {}:run("./by_night.lua")
  assert.equal("it is day", r.error.what)
end)
it("mistakes", function()
  local function says(text, name)
    local ok, err = pcall(kplay.team, name)
    assert.falsy(ok)
    assert.truthy(tostring(err):find(text, 1, true), err)
  end
  says("requires itself", "loop")
  says("returns nothing", "empty")
  says("team/none.lua is not there", "none")
end)
''')
        assert well(p) == 4
        p.write("elsewhere/a_spec.lua", 'it("looks", function() require("kplay").team("night") end)\n')
        assert well(p, "elsewhere") == 1


def test_team_modules_lie_beside_the_cluster_file():
    with Place() as p:
        p.write("ops/team/night.lua", NIGHT)
        p.write("ops/kplay.yaml", "cluster: trial\nsimulate: {}\n")
        p.write("spec/a_spec.lua", 'it("looks", function() require("kplay").team("night") end)\n')
        missing = told(p)["errors"][0]["message"]
        assert "spec/a_spec.lua:1: " in missing and "team/night.lua is not there" in missing, missing
        assert well(p, KPLAY_CLUSTER="ops/kplay.yaml") == 1
        expect(p.run("test", "-c", "ops/kplay.yaml"), 0)
        gone = told(p, KPLAY_CLUSTER="other/kplay.yaml")["errors"][0]["message"]
        assert "other/team/night.lua is not there" in gone, gone


def test_what_no_cluster_and_no_playbook_takes_is_a_mistake():
    calls = {
        'sim:run("rolling.lua", { 1, 2 })': "arguments have names",
        'sim:run("rolling.lua", { "x", to = "3.9.1" })': "arguments have names",
        'sim:run("rolling.lua", { to = print })': "a function is no value",
        "kplay.simulate { brokers = print }": "a function is no value",
        "kplay.simulate { 1, brokers = 2 }": "a list or has names, not both",
        'sim:run("rolling.lua", nil, { killed_at = 0 })': "killed_at takes an integer from 1",
        'sim:run("rolling.lua", nil, { policy = { accept = { 1 } } })': "accept[1] takes table, not number",
        'sim:run("rolling.lua", nil, { policy = { accept = { { topik = "x" } } } })': 'kplay.accept has no "topik"; did you mean "topic"?',
        "sim:resume { supersede = true }": "supersede is of sim:run",
        "sim:counts(4294967297)": "a node's id",
        "sim:counts()": "number expected",
    }
    with Place() as p:
        for call, text in calls.items():
            p.write("spec/a_spec.lua", f'local kplay = require "kplay"\nit("looks", function() local sim = kplay.simulate {{}}\n{call} end)\n')
            message = told(p)["errors"][0]["message"]
            assert text in message and "spec/a_spec.lua:3: " in message, (call, message)
        p.write("spec/a_spec.lua", 'it("leaves", function() os.exit(3) end)\nit("stays", function() end)\n')
        assert "a spec cannot end kplay test" in told(p)["errors"][0]["message"] and len(told(p)["successes"]) == 1
