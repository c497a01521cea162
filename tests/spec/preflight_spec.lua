-- Each row that preflight finds about the cluster: brought about once, its remedy followed, and gone.
local kplay = require "kplay"

local function cluster(more)
  local spec = { release = "3.9.1", topics = { { name = "orders", partitions = 6 } } }
  for k, v in pairs(more or {}) do spec[k] = v end
  return kplay.simulate(spec)
end

--- The findings of a run, by their rows, and the run.
local function preflight(sim, args, options)
  local r, rows = sim:run("preflight.lua", args, options), {}
  for _, e in ipairs(r.events) do
    if e.event == "warn" then rows[#rows + 1] = e.about end
  end
  return rows, r
end

--- It finds this one row and nothing else; its finding.
local function finds(row, exit, sim, args, options)
  local rows, r = preflight(sim, args, options)
  assert.equal(1, #rows, rows[2] and rows[2].text or "it finds nothing")
  assert.equal(row, rows[1].row)
  assert.equal(exit, r.exit)
  assert.equal(exit == 5 and "done" or "refused", r.state)
  assert.truthy(#rows[1].next > 0)
  return rows[1]
end

local function clean(sim, args, options)
  local rows, r = preflight(sim, args, options)
  assert.equal(0, #rows, rows[1] and rows[1].text)
  assert.equal(0, r.exit, r.error and r.error.what)
end

local function alter(sim, args)
  local r = sim:run("tests/spec/leaves.lua", args)
  assert.truthy(r.ok, r.error and r.error.what)
end

describe("preflight.lua", function()
  it("ends with 0 when it finds nothing, and asks of no change", function()
    local sim = cluster()
    clean(sim, { to = "4.0.1" })
    assert.same({}, sim:acts())
  end)

  it("tells the worst first", function()
    local sim = cluster { controllers = 2, topics = { { name = "orders", partitions = 6, rf = 3, min_isr = 3 } } }
    local rows, r = preflight(sim)
    assert.equal(3, r.exit)
    assert.equal("quorum", rows[1].row) -- hard: nothing overrides it
    assert.equal("min-isr", rows[3].row)
    assert.equal("small-quorum", rows[#rows].row)
    assert.equal("warn", rows[#rows].severity)
  end)

  it("ends with 5 when what would refuse is overridden", function()
    local sim = cluster { topics = { { name = "orders", partitions = 6, rf = 3, min_isr = 3 } } }
    local rows, r = preflight(sim, nil, { forced = { guard = "min-isr", reason = "a test cluster" } })
    assert.equal(3, #rows)
    assert.equal(5, r.exit)
    assert.equal("a test cluster", rows[1].covered)
  end)

  it("finds a log dir that is offline, until it is mended", function()
    local sim = cluster()
    sim:fault { fault = "dead_log_dir", node = 2, lasts = "10m" }
    local f = finds("log-dir-error", 3, sim)
    assert.equal(2, f.node)
    assert.truthy(sim:run("tests/spec/waits.lua", { time = "10m" }).ok)
    clean(sim)
  end)

  it("finds a disk that is nearly full, until there is room", function()
    local sim = cluster()
    sim:fault { fault = "full_disk", node = 3, lasts = "10m" }
    assert.equal(3, finds("free-space", 5, sim).node)
    assert.truthy(sim:run("tests/spec/waits.lua", { time = "10m" }).ok)
    clean(sim)
  end)

  it("finds a throttle that nobody took away", function()
    local sim, rate = cluster(), "follower.replication.throttled.rate"
    local replicas = "leader.replication.throttled.replicas"
    alter(sim, { broker = "2", key = rate, value = "1000" })
    assert.truthy(finds("throttle", 5, sim).text:find("1 broker and 0 topics", 1, true))
    alter(sim, { topic = "orders", key = replicas, value = "0:1" })
    local f = finds("throttle", 5, sim)
    assert.truthy(f.text:find("is slowed by it", 1, true), f.text)
    assert.truthy(f.detail:find("broker 2  follower.replication.throttled.rate=1000", 1, true), f.detail)
    assert.truthy(f.detail:find("topic orders  leader.replication.throttled.replicas=0:1", 1, true), f.detail)
    alter(sim, { broker = "2", key = rate })
    alter(sim, { topic = "orders", key = replicas })
    clean(sim)
  end)

  it("finds overrides of topics that 4.0 does not know, and only before 4.0", function()
    for _, key in ipairs { "message.format.version", "message.timestamp.difference.max.ms" } do
      local sim = cluster()
      alter(sim, { topic = "orders", key = key, value = "3" })
      clean(sim, { to = "3.9.2" })
      local f = finds("topic-overrides", 3, sim, { to = "4.0.1" })
      assert.truthy(f.next:find(('alter_config{ topic = "orders", set = { ["%s"] = false } }'):format(key), 1, true), f.next)
      alter(sim, { topic = "orders", key = key })
      clean(sim, { to = "4.0.1" })
    end
  end)

  it("finds Kafka's own topics with too few replicas", function()
    for _, name in ipairs { "__consumer_offsets", "__transaction_state", "__share_group_state" } do
      local function with(rf) return cluster { topics = { { name = name, internal = true, rf = rf, min_isr = 1 } } } end
      assert.truthy(finds("internal-topics", 5, with(2)).text:find(name .. " has 2 replicas", 1, true))
      clean(with(3))
      clean(with(2), nil, { policy = { accept = { { topic = name, why = "a test cluster" } } } })
    end
    local two = cluster { brokers = 2, topics = { { name = "__consumer_offsets", rf = 2, min_isr = 1 } } }
    clean(two)
  end)

  it("finds a quorum that is too small", function()
    assert.equal("the quorum has 1 voter: without it the cluster has no controller",
      finds("small-quorum", 5, cluster { controllers = 1 }, { skip = "3001" }).text)
    clean(cluster { controllers = 3 }, { skip = "3001" })
  end)

  it("finds tiered storage, on a topic and on a broker", function()
    local sim = cluster()
    alter(sim, { topic = "orders", key = "remote.storage.enable", value = "true" })
    assert.truthy(finds("tiered-storage", 5, sim).detail:find("topic orders", 1, true))
    alter(sim, { topic = "orders", key = "remote.storage.enable" })
    clean(sim)
  end)

  it("finds Cruise Control, until its topic is accepted", function()
    local sim = cluster { topics = { { name = "__CruiseControlMetrics", partitions = 6 } } }
    finds("cruise-control", 5, sim)
    clean(sim, nil, { policy = { accept = { { topic = "__CruiseControlMetrics", why = "self-healing is off" } } } })
  end)
end)
