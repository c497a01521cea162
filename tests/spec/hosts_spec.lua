local kplay = require "kplay"

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""

local function cluster(more)
  local spec = { release = "3.7.2", topics = { { name = "orders", partitions = 6 } } }
  for k, v in pairs(more or {}) do spec[k] = v end
  return kplay.simulate(spec)
end

--- How often a run said this, in whatever it printed.
local function said(result, text)
  local n = 0
  for _, e in ipairs(result.events) do
    if e.text and e.text:find(text, 1, true) then n = n + 1 end
  end
  return n
end

--- What preflight says of that text, and whether it lets a roll pass.
local function preflight(sim, to, text)
  local r = sim:run("preflight.lua", { to = to })
  return said(r, text), r.ok, r
end

local function set(sim, nodes, key, value, wait)
  local r = sim:run(here .. "sets.lua", { nodes = nodes, key = key, value = value or "", wait = wait or "0s" })
  assert.truthy(r.ok, r.error and r.error.what)
end

local function restart(sim, node)
  local r = sim:run("rolling.lua", { only = tostring(node) })
  assert.truthy(r.ok, r.error and r.error.what)
end

--- Found, then not any more when the remedy is done; a finding that warns lets the roll pass.
local function found_until(sim, to, text, remedy, refuses)
  local n, ok = preflight(sim, to, text)
  assert.truthy(n > 0, text .. " is not found")
  if refuses ~= nil then assert.equal(not refuses, ok) end
  remedy()
  local after, well, r = preflight(sim, to, text)
  assert.equal(0, after)
  if refuses ~= nil then assert.truthy(well, r.error and r.error.what) end
end

describe("preflight finds on a host", function()
  it("a class that the staged release does not have, which also holds a roll", function()
    local sim = cluster()
    set(sim, "2", "metric.reporters", "kplay.sim.missing.Reporter")
    local r = sim:run("rolling.lua", { to = "3.9.1" })
    assert.equal(3, r.exit)
    for id = 1, 3 do assert.equal(0, sim:counts(id).stops) end
    found_until(sim, "3.9.1", "does not have the class kplay.sim.missing.Reporter, which metric.reporters of broker 2",
      function() set(sim, "2", "metric.reporters") end, true)
    assert.truthy(sim:run("rolling.lua", { to = "3.9.1" }).ok)
  end)

  it("options that the next Java refuses", function()
    local sim = cluster { faults = { { fault = "java_exchanged", node = 2, lasts = "10m" } } }
    found_until(sim, "3.9.1", "Unrecognized VM option 'UseConcMarkSweepGC'",
      function() set(sim, "2", "num.io.threads", "8", "10m") end, true)
  end)

  it("a log4j 1 configuration before 4.x, and not before 3.x", function()
    local sim = cluster { release = "3.9.1", faults = { { fault = "log4j1", node = 2, lasts = "10m" } } }
    assert.equal(0, (preflight(sim, "3.9.2", "log4j 1")))
    found_until(sim, "4.0.1", "the service of broker 2 names a log4j 1 configuration",
      function() set(sim, "2", "num.io.threads", "8", "10m") end, false)
  end)

  for fault, text in pairs {
    short_stop_limit = "systemd kills broker 2 when it has not stopped after 1 min 30 s",
    config_agent = "puppet runs on broker2",
  } do
    it(fault, function()
      local sim = cluster { faults = { { fault = fault, node = 2, lasts = "10m" } } }
      found_until(sim, "3.9.1", text, function() set(sim, "2", "num.io.threads", "8", "10m") end, false)
    end)
  end

  it("a file that says something else than what runs", function()
    local sim = cluster()
    set(sim, "2", "num.io.threads", "8")
    restart(sim, 2)
    assert.equal(0, (preflight(sim, "3.9.1", "does not run with")))
    set(sim, "2", "num.io.threads", "16")
    found_until(sim, "3.9.1", "broker 2 does not run with what its file says of num.io.threads",
      function() restart(sim, 2) end, false)
  end)

  it("keys for tokens without audience and issuer, from 4.4 on", function()
    local sim = cluster { release = "4.0.1" }
    local jwks = "has sasl.oauthbearer.jwks.endpoint.url without"
    set(sim, "1,2,3", "sasl.oauthbearer.jwks.endpoint.url", "https://keys.example/jwks")
    assert.equal(0, (preflight(sim, "4.1.0", jwks)))
    found_until(sim, "4.4.0", jwks, function()
      set(sim, "1,2,3", "sasl.oauthbearer.expected.audience", "orders")
      set(sim, "1,2,3", "sasl.oauthbearer.expected.issuer", "https://issuer.example")
    end)
  end)

  it("min.insync.replicas unlike between brokers and controllers, from 4.0 on", function()
    local sim = cluster { release = "3.9.1" }
    set(sim, "1,2,3", "min.insync.replicas", "2")
    assert.equal(0, (preflight(sim, "3.9.2", "eligible leader replicas")))
    found_until(sim, "4.0.1", "min.insync.replicas is 2 in the file of broker 1 and 1 in that of controller 3001",
      function() set(sim, "3001,3002,3003", "min.insync.replicas", "2") end, false)
  end)
end)
