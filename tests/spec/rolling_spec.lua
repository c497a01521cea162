local kplay = require "kplay"

--- What a run ended with, in one line or in another field of its error; "" when it ended well.
local function why(r, field) return r.error and r.error[field or "what"] or "" end

local function cluster(more)
  local spec = { mode = "kraft", brokers = 3, controllers = 3, release = "3.7.2",
                 topics = { { name = "orders", partitions = 12 }, { name = "payments", partitions = 6 } } }
  for k, v in pairs(more or {}) do spec[k] = v end
  return kplay.simulate(spec)
end

--- The nodes in the order in which they were stopped.
local function stops(result)
  local ids = {}
  for _, e in ipairs(result.events) do
    if e.event == "begin" and e.verb and e.verb:match("^stop_") then ids[#ids + 1] = e.node end
  end
  return ids
end

local function sound(result)
  assert.truthy(result.ok, result.error and result.error.what)
  assert.equal("done", result.state)
  assert.equal(0, result.oracle.violations)
end

describe("rolling.lua", function()
  it("upgrades a KRaft cluster: controllers first, the active one last", function()
    local sim = cluster()
    local r = sim:run("rolling.lua", { to = "3.9.1" })
    sound(r)
    local order = stops(r)
    assert.equal(6, #order)
    for i = 1, 3 do assert.truthy(order[i] >= 3001) end
    for i = 4, 6 do assert.truthy(order[i] <= 3) end
    for _, id in ipairs { 1, 2, 3, 3001, 3002, 3003 } do
      assert.equal(1, sim:counts(id).stops)
      assert.equal(1, sim:counts(id).starts)
      assert.equal(1, sim:counts(id).links)
    end
  end)

  it("upgrades a ZooKeeper cluster with the protocol pinned", function()
    local sim = cluster { mode = "zookeeper", release = "3.4.1" }
    local r = sim:run("rolling.lua", { to = "3.5.2" })
    sound(r)
    for id = 1, 3 do assert.equal(1, sim:counts(id).files) end
    assert.equal(3, #stops(r))
  end)

  it("restarts combined nodes", function()
    local sim = cluster { mode = "combined" }
    sound(sim:run("rolling.lua"))
    for id = 1, 3 do
      assert.equal(1, sim:counts(id).stops)
      assert.equal(0, sim:counts(id).links)
    end
  end)

  for _, mode in ipairs { "kraft", "zookeeper", "combined" } do
    it("upgrades broker 0 as any other, " .. mode, function()
      local zookeeper = mode == "zookeeper"
      local sim = cluster { mode = mode, first_id = 0, release = zookeeper and "3.4.1" or "3.7.2" }
      sound(sim:run("rolling.lua", { to = zookeeper and "3.5.2" or "3.9.1" }))
      for id = 0, 2 do
        assert.equal(1, sim:counts(id).stops)
        assert.equal(1, sim:counts(id).starts)
        assert.equal(1, sim:counts(id).links)
      end
    end)
  end

  it("skips nodes that are on the target, and says so", function()
    local sim = cluster()
    sound(sim:run("rolling.lua", { to = "3.9.1" }))
    local again = sim:run("rolling.lua", { to = "3.9.1" })
    sound(again)
    assert.same({}, stops(again))
    local said = 0
    for _, e in ipairs(again.events) do
      if e.text and e.text:find("already on 3.9.1", 1, true) then said = said + 1 end
    end
    assert.equal(6, said)
  end)

  it("leaves skipped nodes alone", function()
    local sim = cluster()
    sound(sim:run("rolling.lua", { skip = "2,3001,3002,3003" }))
    assert.equal(0, sim:counts(2).stops)
    assert.equal(1, sim:counts(1).stops)
  end)

  it("elects preferred leaders once, at the end", function()
    local sim = cluster()
    local r, elections = sim:run("rolling.lua"), 0
    for _, e in ipairs(r.events) do
      if e.event == "begin" and e.verb == "elect_preferred" then elections = elections + 1 end
    end
    assert.equal(1, elections)
  end)
end)

describe("rolling.lua refuses", function()
  local function refused(more, args, text, options)
    local sim = cluster(more)
    local r = sim:run("rolling.lua", args or {}, options)
    assert.falsy(r.ok)
    assert.equal(3, r.exit)
    local said = why(r) .. "\n" .. (why(r, "detail"))
    assert.truthy(said:find(text, 1, true), said)
    assert.truthy(#why(r, "next") > 0)
    for id = (more or {}).first_id or 1, 2 do assert.equal(0, sim:counts(id).stops) end
  end

  it("a topic with one replica", function()
    refused({ topics = { { name = "audit", rf = 1 } } }, nil, "audit")
  end)
  it("replication factor equal to min.insync.replicas", function()
    refused({ topics = { { name = "tight", rf = 3, min_isr = 3 } } }, nil, "would fall below min.insync.replicas\n  tight-")
  end)
  it("unclean leader election", function()
    refused({ topics = { { name = "loose", unclean = true } } }, nil, "unclean leader election")
  end)
  it("min.insync.replicas of what is on broker 0", function()
    refused({ first_id = 0, topics = { { name = "tight", rf = 3, min_isr = 3 } } }, nil, "without broker 0")
  end)
  it("a broker that is down", function()
    refused({ faults = { { fault = "crash", node = 2 } } }, nil, "broker 2 is down")
  end)
  it("hops that are too long", function()
    refused({ mode = "zookeeper", release = "2.8.2", ibp = "2.8" }, { to = "3.5.2" }, "2.8.2 -> 3.0.2 -> 3.5.2")
  end)
  it("4.x in ZooKeeper mode", function()
    refused({ mode = "zookeeper", release = "3.9.1", ibp = "3.9" }, { to = "4.0.1" }, "migrate the cluster to KRaft")
  end)
  it("a release that is not staged", function()
    refused({ staged = { "3.7.2" } }, { to = "3.9.1" }, "release 3.9.1 is not staged")
  end)
end)

describe("rolling.lua with a fault", function()
  it("stops at a broker that does not come back, and touches nothing else", function()
    local sim = cluster()
    sim:fault { fault = "config_breaks_start", node = 1, stop = 1 }
    local r = sim:run("rolling.lua", { to = "3.9.1" })
    assert.equal(4, r.exit)
    assert.truthy(why(r):find("process is gone again", 1, true), why(r))
    assert.equal(0, sim:counts(2).stops)
    assert.equal(0, r.oracle.violations)
  end)

  it("puts that broker back when policy says so, and ends when it is in sync again", function()
    local sim = cluster { topics = { { name = "orders", size = "10GB", rate = "10MB" } } }
    sim:fault { fault = "config_breaks_start", node = 1, stop = 1 }
    local r = sim:run("rolling.lua", { to = "3.9.1", skip = "3001,3002,3003" }, { policy = { on_failure = "back_out" } })
    assert.equal(4, r.exit)
    assert.truthy(why(r):find("broker 1 is back on 3.7.2", 1, true), why(r))
    assert.truthy(why(r, "detail"):find("fatal exception", 1, true), why(r, "detail")) -- the log's own reason
    assert.equal(0, sim:counts(2).stops)
    assert.equal(0, r.oracle.violations)
    local v = sim:run("validate.lua", { release = "3.7.2" }) -- all is well, but nobody has moved its leaders back
    assert.truthy(why(v):find("broker 1 leads 0 of its", 1, true), why(v))
    assert.falsy(why(v, "detail"):find("also", 1, true), why(v, "detail"))
  end)

  it("ends at a broker that a supervisor starts again and again", function()
    local sim = cluster()
    sim:fault { fault = "crash_loop", node = 1, start = 1 }
    local r = sim:run("rolling.lua", { to = "3.9.1" })
    assert.falsy(r.ok)
    assert.equal(4, r.exit)
    assert.truthy(why(r):find("its process has died 2 times", 1, true), why(r))
    assert.truthy(why(r, "detail"):find("Exiting Kafka due to fatal exception", 1, true))
    assert.equal(0, sim:counts(2).stops)
  end)

  it("ends at a broker that is registered from elsewhere", function()
    local sim = cluster()
    sim:fault { fault = "registered_elsewhere", node = 1, start = 1 }
    local r = sim:run("rolling.lua", { to = "3.9.1" })
    assert.falsy(r.ok)
    assert.truthy(why(r):find("another process is registered as broker 1", 1, true), why(r))
    assert.equal(0, sim:counts(2).stops)
  end)

  it("ends at the first node whose start script names the old release", function()
    local sim = cluster()
    sim:fault { fault = "starts_old_release", node = 1 }
    local r = sim:run("rolling.lua", { to = "3.9.1", skip = "3001,3002,3003" })
    assert.equal(4, r.exit)
    assert.truthy(why(r):find("broker 1 was started and runs 3.7.2, not 3.9.1", 1, true), why(r))
    assert.equal(0, sim:counts(2).stops)
  end)

  it("notices an unclean stop", function()
    local sim = cluster()
    sim:fault { fault = "unclean_stop", node = 2, stop = 1 }
    local r = sim:run("rolling.lua")
    assert.equal(4, r.exit)
    assert.truthy(why(r):find("without a clean shutdown", 1, true), why(r))
  end)

  it("freezes when another broker dies in mid-roll", function()
    local sim = cluster()
    sim:fault { fault = "crash", node = 3, start = 1 }
    sim:fault { fault = "crash", node = 1, at = "40s" }
    local r = sim:run("rolling.lua", { skip = "3001,3002,3003" })
    assert.falsy(r.ok)
  end)

  it("lives through a change of the active controller", function()
    local sim = cluster()
    sim:fault { fault = "controller_failover", at = "20s" }
    sound(sim:run("rolling.lua", { to = "3.9.1" }))
  end)

  it("waits for a slow disk instead of failing", function()
    local sim = cluster()
    sim:fault { fault = "slow_disk", node = 2 }
    sound(sim:run("rolling.lua", { to = "3.9.1" }))
  end)
end)

describe("node.roll", function()
  --- What the roll of broker 2 to 3.9.1 ends with when what was started shows `after`, and the verbs it called.
  local function rolled(after, says)
    local called = {}
    local function act(name, result)
      return function() called[#called + 1] = name return result end
    end
    local node = kplay.stdlib("node", {
      brokers = function() return { 1, 2, 3 } end,
      releases = function() return called[#called] == "start" and after or { current = "3.7.2", running = "3.7.2", mode = "kraft" } end,
      api_versions = function() return says or { mode = "kraft", release = "3.9" } end,
      wait_until = function() end,
      stop_broker = act "stop", switch_release = act "switch", start_broker = act "start",
      wait_in_sync = act "wait",
      on_failure = function() return "stop" end,
      fail = function(what, opt) error({ what = what, next = opt.next }, 0) end,
    })
    local ok, err = pcall(node.roll, 2, "3.9.1")
    return ok and {} or err, table.concat(called, " ")
  end

  it("waits for a node that runs the release it was brought to", function()
    local err, called = rolled { running = "3.9.1", jars = { "3.9.1" } }
    assert.same({}, err)
    assert.equal("stop switch start wait", called)
  end)
  it("ends at one that was started on another release", function()
    local err, called = rolled { running = "3.7.2", jars = { "3.7.2" } }
    assert.equal("broker 2 was started and runs 3.7.2, not 3.9.1", err.what)
    assert.truthy(err.next:find("start command names another release", 1, true), err.next)
    assert.equal("stop switch start", called)
  end)
  it("ends at one that answers as an older release than its jars", function()
    local jars = { running = "3.9.1", jars = { "3.9.1" } }
    local err = rolled(jars, { mode = "kraft", release = "3.7" })
    assert.equal("broker 2 was started with the jars of 3.9.1 and answers as 3.7", err.what)
    assert.same({}, rolled(jars, { mode = "zookeeper", release = "3.7" })) -- there it is only inferred
    assert.same({}, rolled(jars, { mode = "kraft", release = "4.0" })) -- unstable features are allowed
  end)
  it("ends at one with two releases in its class path", function()
    local err = rolled { running = "3.9.1", jars = { "3.9.1", "3.7.2" } }
    assert.equal("broker 2 has the jars of 3.9.1 and 3.7.2 in one class path", err.what)
  end)
end)

describe("preflight.lua and validate.lua", function()
  it("find nothing on a sound cluster", function()
    local sim = cluster()
    sound(sim:run("preflight.lua", { to = "3.9.1" }))
    sound(sim:run("validate.lua", { release = "3.7.2" }))
    assert.same({}, sim:acts())
  end)

  it("list everything that is wrong", function()
    local sim = cluster { topics = { { name = "audit", rf = 1, partitions = 3 }, { name = "loose", unclean = true } } }
    local r = sim:run("preflight.lua", { to = "9.9.9" })
    assert.falsy(r.ok)
    local text = table.concat(r.report and r.report.warnings or {}, "\n")
    assert.truthy(text:find("without broker 1: 1 partition would have no leader", 1, true), text)
    assert.truthy(text:find("unclean", 1, true))
    assert.truthy(text:find("no way is known from", 1, true), text)
  end)

  it("validate says which node is on another release", function()
    local r = cluster():run("validate.lua", { release = "3.9.1" })
    assert.truthy(why(r):find("node 3001 runs 3.7.2, not 3.9.1", 1, true), why(r))
  end)
end)
