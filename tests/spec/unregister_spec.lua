local kplay = require "kplay"

--- What a run ended with, in one line or in another field of its error; "" when it ended well.
local function why(r, field) return r.error and r.error[field or "what"] or "" end

local function cluster(more)
  local spec = { release = "4.0.1", ghosts = { 9 }, topics = { { name = "orders", partitions = 6 } } }
  for k, v in pairs(more or {}) do spec[k] = v end
  return kplay.simulate(spec)
end

local function unregistered(sim)
  local n = 0
  for _, act in ipairs(sim:acts()) do if act.act == "unregister" then n = n + 1 end end
  return n
end

describe("unregister.lua", function()
  it("makes the controllers forget a ghost, once", function()
    local sim = cluster()
    for _ = 1, 2 do
      local r = sim:run("unregister.lua", { id = 9 })
      assert.truthy(r.ok, r.error and r.error.what)
      assert.equal(0, r.oracle.violations)
    end
    assert.equal(1, unregistered(sim))
  end)

  it("is no condition of a roll, which names the ghost", function()
    local r, named = cluster():run("rolling.lua"), 0
    assert.truthy(r.ok, r.error and r.error.what)
    for _, e in ipairs(r.events) do
      if e.text and e.text:find("broker 9 (broker9:9092) is registered, is down", 1, true) then named = named + 1 end
    end
    assert.truthy(named > 0)
  end)

  it("takes no broker of the cluster file", function()
    local sim = cluster()
    local r = sim:run("unregister.lua", { id = 2 })
    assert.falsy(r.ok)
    assert.truthy(why(r):find("broker 2 is in the cluster file", 1, true), why(r))
    assert.equal(0, unregistered(sim))
  end)

  it("does nothing when a person says no", function()
    local sim = cluster()
    assert.falsy(sim:run("unregister.lua", { id = 9 }, { answer = "no" }).ok)
    assert.equal(0, unregistered(sim))
  end)

  it("says where nobody tells who is registered", function()
    local r = cluster { release = "3.9.1" }:run("unregister.lua", { id = 9 })
    assert.truthy(why(r):find("do not tell who is registered", 1, true), why(r))
  end)
end)
