-- validate.lua: what it proves, and each thing that it finds wrong, brought about once.
local kplay = require "kplay"

local function cluster(more)
  local spec = { groups = { "billing", "audit" }, topics = { { name = "clicks", partitions = 6, rate = "1MB" },
    { name = "orders", partitions = 6, rate = "1MB" }, { name = "visits", partitions = 2, rate = "1MB" } } }
  for k, v in pairs(more or {}) do spec[k] = v end
  return kplay.simulate(spec)
end

local function all_of(r) return ((r.error or {}).what or "") .. "\n" .. ((r.error or {}).detail or "") end

--- It says no, with all of these words.
local function finds(r, ...)
  assert.equal(3, r.exit, all_of(r))
  for _, words in ipairs { ... } do assert.truthy(all_of(r):find(words, 1, true), words .. "\n---\n" .. all_of(r)) end
end

local function saved(sim)
  local path = os.tmpname()
  os.remove(path)
  local r = sim:run("preflight.lua", { baseline = path })
  assert.truthy(r.ok, all_of(r))
  return path
end

local function notes(r)
  local said = {}
  for _, e in ipairs(r.events) do
    if e.event == "note" then said[#said + 1] = e.text end
  end
  return table.concat(said, "\n")
end

describe("validate.lua", function()
  it("is content with a cluster that was rolled, and with its groups", function()
    for _, mode in ipairs { "kraft", "combined", "zookeeper" } do
      local to = mode == "zookeeper" and "3.5.2" or "3.9.1"
      local sim = cluster { mode = mode }
      local path = saved(sim)
      assert.truthy(sim:run("rolling.lua", { to = to }).ok)
      local r = sim:run("validate.lua", { release = to, baseline = path })
      assert.truthy(r.ok, all_of(r))
      os.remove(path)
    end
  end)

  it("says that lag is not compared when no baseline is given", function()
    local r = cluster():run("validate.lua")
    assert.truthy(r.ok, all_of(r))
    assert.truthy(notes(r):find("lag is not compared", 1, true), notes(r))
  end)

  it("tells everything that is wrong, not the first thing alone", function()
    local sim = cluster { ghosts = { 9 }, release = "4.0.1", faults = { { fault = "crash", node = 2 } } }
    local r = sim:run("validate.lua", { release = "4.1.1" })
    finds(r, "broker 2 is down", "under-replicated", "node 1 runs 4.0.1, not 4.1.1", "node 2 runs nothing, not 4.1.1",
      "node 2 does not tell by which level it goes", "broker 2 leads 0 of its",
      "broker 9 (broker9:9092) is registered, is down")
  end)

  it("finds a log dir that is offline", function()
    finds(cluster { faults = { { fault = "dead_log_dir", node = 2 } } }:run("validate.lua"), "of broker 2 is offline (KAFKA_STORAGE_ERROR)")
  end)

  it("finds ghosts, of brokers and of controllers", function()
    finds(cluster { ghosts = { 9 }, release = "4.0.1" }:run("validate.lua"), "broker 9 (broker9:9092) is registered, is down")
    finds(cluster { ghost_controllers = { 3009 } }:run("validate.lua"),
      "controller 3009 (controller3009:9093) is registered, does not follow the quorum", "metadata.version cannot be raised")
  end)

  it("finds leaders that are not where they belong", function()
    local sim = cluster()
    sim:fault { fault = "crash", node = 1, at = "1s", lasts = "20s" }
    local name = os.tmpname() .. ".lua"
    local file = io.open(name, "w")
    if file then
      file:write('return { api = 1, summary = "s", effects = {}, run = function() sleep("3m") end }')
      file:close()
    end
    sim:run(name)
    os.remove(name)
    finds(sim:run("validate.lua"), "broker 1 leads 0 of its 14 partitions; of 5 that it should lead others lead 5")
  end)

  it("names the group that has fallen behind, its partitions, and nothing else", function()
    local sim = cluster { stalled = { "web" } }
    local path = saved(sim)
    assert.truthy(sim:run("rolling.lua").ok)
    local r = sim:run("validate.lua", { baseline = path })
    finds(r, "group web is ", "records further behind, in 2 partitions", "  visits-0: ", "  visits-1: ")
    for _, other in ipairs { "billing", "audit", "clicks", "orders" } do assert.falsy(all_of(r):find(other, 1, true), all_of(r)) end
    r = sim:run("validate.lua", { baseline = path, tolerance = 1000000 })
    assert.truthy(r.ok, all_of(r))
    os.remove(path)
  end)

  it("names groups that are gone, and tells of new ones", function()
    local path = saved(cluster())
    local r = cluster { groups = { "billing", "new" } }:run("validate.lua", { baseline = path })
    finds(r, "group audit is gone")
    assert.truthy(notes(r):find("new since the baseline: new", 1, true), notes(r))
    os.remove(path)
  end)

  it("takes no other cluster's baseline, and no file that is none", function()
    local path = saved(cluster())
    local r = cluster { seed = 9 }:run("validate.lua", { baseline = path })
    assert.equal(2, r.exit)
    assert.truthy(r.error.what:find("is of cluster ", 1, true), r.error.what)
    os.remove(path)
    r = cluster():run("validate.lua", { baseline = path })
    assert.equal("no such file", r.error.what)
  end)
end)

describe("the rules of validate.lua", function()
  local function gate(verbs)
    verbs.log = verbs.log or function() end
    return kplay.stdlib("gate", verbs)
  end

  local function texts(found)
    local all = {}
    for _, f in ipairs(found) do
      assert.equal("refuse", f.severity)
      all[#all + 1] = f.text
    end
    return all
  end

  it("one level: inter.broker.protocol.version in ZooKeeper mode", function()
    local speaks = { "3.4", "3.4", "3.5" }
    local g = gate { cluster = function() return { mode = "zookeeper" } end, ibp = function(id) return speaks[id] end }
    assert.same({ "broker 3 goes by 3.5, broker 1 by 3.4", "broker 4 does not tell by which level it goes" },
      texts(g.other_levels({ 1, 2, 3, 4 }, { 1, 2, 3, 4 })))
    assert.same({}, g.other_levels({ 1, 2 }, { 1, 2 }))
  end)

  it("one level: every finalised feature in KRaft; brokers tell it, old controllers do not", function()
    local told = {
      { node = 1, features = { ["metadata.version"] = 21, ["group.version"] = 1 } },
      { node = 2, features = { ["metadata.version"] = 21 } },
      { node = 3, features = {} },
      { node = 3001, features = {} },
      { node = 3002, problem = "timed out" },
    }
    local g = gate { cluster = function() return { mode = "kraft" } end, features = function() return { nodes = told } end }
    assert.same({ "node 2 goes by metadata.version 21, node 1 by group.version 1, metadata.version 21",
      "node 3 does not tell by which level it goes", "node 3002 does not tell by which level it goes" },
      texts(g.other_levels({ 1, 2, 3, 3001, 3002 }, { 1, 2, 3 })))
  end)

  it("leaders: a tenth may be elsewhere, as Kafka itself lets it be", function()
    local brokers = {
      { leads = 9, replicas = 30, preferred = 10, elsewhere = 1 },
      { leads = 8, replicas = 30, preferred = 10, elsewhere = 2 },
      { leads = 0, replicas = 0, preferred = 0, elsewhere = 0 },
    }
    local g = gate { broker = function(id) return brokers[id] end }
    assert.same({ "broker 2 leads 8 of its 30 partitions; of 10 that it should lead others lead 2" }, texts(g.unbalanced { 1, 2, 3 }))
  end)

  it("hosts: none is held by a run", function()
    local g = gate { identity = function(id) return { held = id == 2 and "1129-abcd" or nil } end }
    assert.same({ "the host of node 2 is held by run 1129-abcd" }, texts(g.held { 1, 2 }))
  end)

  it("lag: what is gone first, then what is worst; what is not known any more is worse", function()
    local b = kplay.stdlib("baseline", {})
    local worst = {}
    for i = 0, 24 do
      worst[#worst + 1] = { group = "slow", topic = "t", partition = i, committed = 1, end_offset = 9, lag = 5, was = 3 }
    end
    local found = b.findings {
      vanished = { "old" }, appeared = {}, worst = worst,
      groups = { { group = "slow", lag = 150, partitions = 30, unknown = 0 },
        { group = "dumb", lag = 0, partitions = 0, unknown = 1, problem = "it may not be described" } },
      lost = { { group = "dumb", topic = "u", partition = 7 } },
    }
    assert.same({ "group old is gone, and what it had committed: it was deleted, or its commits have expired",
      "group slow is 150 records further behind, in 30 partitions",
      "group dumb does not tell the lag of 1 partition any more: it may not be described" }, texts(found))
    assert.truthy(found[2].detail:find("  t-0: 3 -> 8, 5 more (committed 1, end 9)\n", 1, true), found[2].detail)
    assert.truthy(found[2].detail:find("  t-19: ", 1, true) and found[2].detail:find("  and 10 partitions\n", 1, true), found[2].detail)
    assert.falsy(found[2].detail:find("t-20", 1, true))
    assert.equal("  u-7: not known any more\n", found[3].detail)
  end)

  it("lag: preflight says when it is not to be had", function()
    local b = kplay.stdlib("baseline", { lag = function() error({ what = "the list of consumer groups is not whole" }, 0) end })
    assert.equal("the list of consumer groups is not whole", b.save().what)
  end)
end)
