local kplay = require "kplay"

--- What a run ended with, in one line or in another field of its error; "" when it ended well.
local function why(r, field) return r.error and r.error[field or "what"] or "" end

local file = debug.getinfo(1, "S")
local here = file and file.source:match("@(.*/)") or "./"
local asks = here .. "asks.lua"

local function elections(r)
  local n = 0
  for _, e in ipairs(r.events) do
    if e.event == "done" and e.verb == "elect_preferred" then n = n + 1 end
  end
  return n
end

--- "confirm yes, confirm no"
local function asked(r)
  local said = {}
  for i, q in ipairs(r.questions) do said[i] = q.kind .. " " .. q.answer end
  return table.concat(said, ", ")
end

local function refused(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.falsy(ok)
  assert.truthy(err:find(text, 1, true), err)
  assert.truthy(err:find("^[^\n]*people_spec%.lua:%d+: "), err)
end

describe("a spec answers", function()
  it("yes, when it says nothing", function()
    local r = kplay.simulate {}:run(asks)
    assert.truthy(r.ok, r.error and r.error.what)
    assert.equal("start yes, confirm yes, confirm yes", asked(r))
    assert.same({ "Once more?" }, { r.questions[3] and r.questions[3].text })
    assert.equal(2, elections(r))
  end)

  it("each question by itself, in their order; the start is not among them", function()
    local r = kplay.simulate {}:run(asks, nil, { answers = { "yes", "no" } })
    assert.equal("start yes, confirm yes, confirm no", asked(r))
    assert.equal(1, elections(r))
  end)

  it("the rest by answer", function()
    local r = kplay.simulate {}:run(asks, nil, { answers = { "yes" }, answer = "nobody" })
    assert.equal("start yes, confirm yes, confirm nobody", asked(r))
    assert.equal("paused", r.state)
    assert.equal(75, r.exit)
    assert.truthy(why(r):find("nobody is here to answer: Once more?", 1, true), why(r))
  end)

  it("a confirm with no or Ctrl-C: the run pauses", function()
    for word, says in pairs { no = "the answer was no", interrupt = "interrupted at the question" } do
      local sim = kplay.simulate {}
      local r = sim:run(asks, nil, { answer = word })
      assert.equal("paused", r.state)
      assert.equal(75, r.exit)
      assert.truthy(why(r):find(says, 1, true), why(r))
      assert.same({}, sim:acts())
    end
  end)

  it("the start: nothing begins, and nothing is left to go on with", function()
    local sim = kplay.simulate {}
    local r = sim:run(asks, nil, { start = "no" })
    assert.equal("refused", r.state)
    assert.equal("start no", asked(r))
    assert.truthy(why(r):find("not started", 1, true), why(r))
    assert.equal(2, sim:run(asks, nil, { start = "nobody" }).exit)
    refused("no run on this simulated cluster is unfinished", sim.resume, sim)
  end)

  it("what is irreversible, which --yes does not", function()
    local sim = kplay.simulate { mode = "zookeeper", release = "3.5.2", ibp = "3.4" }
    local r = sim:run(here .. "raises.lua", nil, { answer = "no" })
    assert.equal("start yes, irreversible no", asked(r))
    assert.equal("paused", r.state)
    r = sim:resume()
    assert.truthy(r.ok, r.error and r.error.what)
    assert.equal("irreversible yes", asked(r))
  end)

  it("what to do with a node that failed", function()
    for word, back in pairs { back_out = true, yes = true, stop = false, no = false, nobody = false } do
      local sim = kplay.simulate {}
      sim:fault { fault = "config_breaks_start", node = 1, stop = 1 }
      local r = sim:run("rolling.lua", { to = "3.9.1", skip = "3001,3002,3003" },
        { policy = { on_failure = "ask" }, answers = { word } })
      assert.equal("start yes, failure " .. word, asked(r))
      local details = r.questions[2] and r.questions[2].details or ""
      assert.truthy(details:find("fatal exception", 1, true), details)
      assert.equal(4, r.exit)
      assert.equal(back, why(r):find("broker 1 is back on 3.7.2", 1, true) ~= nil, why(r))
      assert.equal(back and 2 or 1, sim:counts(1).starts)
      assert.equal(0, r.oracle.violations)
    end
  end)
end)

describe("a run is resumed", function()
  it("after a confirm that was refused, to its end; what was answered is not asked again", function()
    local sim = kplay.simulate {}
    sim:run(asks, nil, { answers = { "yes", "no" } })
    local r = sim:resume { answer = "no" }
    assert.equal("paused", r.state)
    assert.equal("confirm no", asked(r))
    r = sim:resume()
    assert.truthy(r.ok, r.error and r.error.what)
    assert.equal("done", r.state)
    assert.equal("confirm yes", asked(r))
    refused("no run on this simulated cluster is unfinished", sim.resume, sim)
  end)

  it("after a failure that was mended; until then no other acts beside it", function()
    local sim = kplay.simulate {}
    sim:fault { fault = "does_not_stop", node = 1, stop = 1, lasts = "8m" }
    local first = sim:run("rolling.lua", { to = "3.9.1" })
    assert.equal("failed", first.state)
    local other = sim:run("rolling.lua")
    assert.equal(nil, other.state)
    assert.equal(3, other.exit)
    assert.truthy(why(other):find("of rolling.lua is unfinished", 1, true), why(other))
    assert.truthy(sim:run("preflight.lua", { to = "3.9.1" }).state) -- one that only asks may
    local r = sim:resume()
    assert.truthy(r.ok, r.error and r.error.what)
    assert.equal(first.report and first.report.run, r.report and r.report.run)
    assert.equal(0, r.oracle.violations)
  end)

  it("or closed for good by the next", function()
    local sim = kplay.simulate {}
    sim:run(asks, nil, { answers = { "yes", "no" } })
    local r = sim:run("rolling.lua", nil, { supersede = true })
    assert.truthy(r.ok, r.error and r.error.what)
    refused("no run on this simulated cluster is unfinished", sim.resume, sim)
  end)

  it("with the policy it began with", function()
    local sim = kplay.simulate {}
    sim:fault { fault = "config_breaks_start", node = 1, stop = 1 }
    sim:run("rolling.lua", { to = "3.9.1", skip = "3001,3002,3003" }, { policy = { on_failure = "ask" }, killed_at = 14 })
    sim:run("validate.lua", { release = "3.7.2" })
    local r = sim:resume { answer = "back_out" }
    assert.equal("start yes, failure back_out", asked(r))
    assert.truthy(why(r):find("broker 1 is back on 3.7.2", 1, true), why(r))
  end)

  it("wherever it was killed, and nothing is done twice", function()
    local ended
    for n = 4, 400, 9 do
      local sim = kplay.simulate { topics = { { name = "orders", partitions = 6 } } }
      local r = sim:run("rolling.lua", { skip = "3001,3002,3003" }, { killed_at = n })
      ended = r.state ~= "killed"
      if ended then break end
      assert.equal(137, r.exit)
      assert.falsy(r.ok or r.report)
      r = sim:resume { killed_at = n + 5 }
      if r.state == "killed" then r = sim:resume() end
      assert.truthy(r.ok, r.error and n .. ": " .. why(r))
      for id = 1, 3 do assert.equal(1, sim:counts(id).stops, n) end
      assert.equal(0, r.oracle.violations)
      sim:close()
    end
    assert.truthy(ended)
  end)
end)

describe("runs follow each other on one cluster", function()
  it("and each acts", function()
    local sim = kplay.simulate {}
    for i = 1, 2 do
      local r = sim:run("rolling.lua")
      assert.truthy(r.ok, r.error and r.error.what)
      assert.equal(i, sim:counts(2).stops)
      assert.equal(0, sim:counts(2).repeated)
    end
  end)
end)

describe("a mistake in a spec is told with its line:", function()
  local sim = kplay.simulate {}
  local function run(options) return function() return sim:run(asks, nil, options) end end

  it("a word that is no answer", function()
    refused("answers[2] cannot be \"mabe\"", run { answers = { "yes", "mabe" } })
    refused("yes, no, nobody, interrupt, back_out, stop", run { answer = "perhaps" })
    refused("did you mean \"nobody\"", run { answer = "nobdy" })
    refused("answers takes table, not string", run { answers = "yes" })
    refused("answers is a list", run { answers = { "yes", late = "no" } })
  end)
  it("a word for another kind of question", function()
    refused("this question (confirm) is: Elect leaders?", run { answers = { "back_out" } })
    sim:resume()
  end)
  it("a key that there is not", function()
    refused("kplay.run_options has no \"anser\"; did you mean \"answer\"?", run { anser = "no" })
    refused("kplay.run_options has no \"zzz\" (it has answers, answer, start,", run { zzz = 1 })
    refused("kplay.policy has no \"gard\"; did you mean \"guard\"?", run { policy = { gard = "strict" } })
    refused("guard cannot be \"strikt\"; did you mean \"strict\"?", run { policy = { guard = "strikt" } })
    refused("kplay.run_options has names, and no item 1", run { "yes" })
    refused("kplay.forced needs \"guard\"", run { forced = { reason = "why not" } })
    refused("the guard has no row \"nonsense\"", run { forced = { guard = "nonsense" } })
    refused("killed_at takes integer, not string", run { killed_at = "3" })
  end)
  it("a module that is not there", function()
    refused("there is no module \"team.nowhere\": ", function() kplay.team("nowhere") end)
    refused("team/nowhere.lua is not there", function() kplay.team("nowhere") end)
    refused("there is no module \"gates\": stdlib/gates.lua is not there", function() kplay.stdlib("gates") end)
    refused("is no name of a module", function() kplay.team("../night") end)
  end)
  it("a cluster that cannot be", function()
    refused("brokers", function() kplay.simulate { brokers = -1 } end)
    refused("node", function() sim:fault { fault = "crash", node = 77 } end)
  end)
end)
