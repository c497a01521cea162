-- clients(): who is connected, what it means for a release, and the checklist.
local kplay = require "kplay"

local audit = kplay.stdlib("audit", { fail = function(what) error(what, 0) end })

--- What a run said, of these kinds, a line each.
local function said(r)
  local lines = {}
  for _, e in ipairs(r.events) do
    if e.text then lines[#lines + 1] = e.text end
  end
  return table.concat(lines, "\n")
end

local function has(text, part) assert.truthy(text:find(part, 1, true), text) end
local function why(r) return r.error and r.error.what or "" end

describe("audit.version", function()
  local rows = {
    { "3.9.1", "3.9.1" }, { "2.1", "2.1.0" }, { "v1.61.1", "1.61.1" }, { "2.3.0-librdkafka-1.9.2", "1.9.2" },
    { "7.6.0-ccs", "3.6.0" }, { "6.2.1-ce", "2.8.1" }, { "5.4.0-ccs", "2.4.0" }, { "8.1.0-ccs", "4.1.0" },
    { "unknown" }, { "dev" }, { "7" },
  }
  for _, row in ipairs(rows) do
    it(("reads %s"):format(row[1]), function() assert.equal(row[2], audit.version(row[1])) end)
  end
end)

describe("audit.judge", function()
  local rows = { -- name, version, requests, to, window, verdict, why
    { "apache-kafka-java", "4.0.0", 0, "4.1.0", nil, "fine" },
    { "apache-kafka-java", "2.1.0", 0, "4.0.1", nil, "fine" },
    { "apache-kafka-java", "2.0.1", 0, "4.0.1", nil, "breaks", "older than 2.1, the oldest that works with 4.0" },
    { "apache-kafka-java", "2.0.1", 0, "3.9.1", nil, "fine" },
    { "apache-kafka-java", "0.11.0", 0, "3.9.1", nil, "outside", "older than 1.0, 2 majors behind Java 3" },
    { "apache-kafka-java", "2.8.1", 0, "4.0.1", 1, "outside", "older than 3.0, 1 majors behind Java 4" },
    { "apache-kafka-java", "1.1.1", 0, nil, nil, "outside", "older than 2.0, 2 majors behind Java 4" },
    { "apache-kafka-java", "7.6.0-ccs", 0, "4.0.1", 1, "fine" },
    { "apache-kafka-java", "3.9.1", 7, "4.0.1", nil, "breaks", "sent Produce v2, which 4.0 no longer takes (7 requests)" },
    { "apache-kafka-java", "3.9.1", 7, "3.9.1", nil, "fine" },
    { "librdkafka", "1.8.2", 0, "4.0.1", nil, "fine" },
    { "librdkafka", "1.8.0", 0, "4.0.1", nil, "breaks", "older than 1.8.2" },
    { "confluent-kafka-python", "2.3.0-librdkafka-1.6.0", 0, "4.0.1", nil, "breaks", "older than 1.8.2" },
    { "sarama", "v1.30.1", 0, "4.0.1", nil, "fine" },
    { "sarama", "v1.29.0", 0, "4.0.1", nil, "breaks", "older than 1.30.1" },
    { "kafka-python", "2.0.2", 0, "4.0.1", nil, "fine" },
    { "kafka-python", "2.0.1", 0, "4.0.1", nil, "breaks", "older than 2.0.2" },
    { "kafka-python", "2.2.0", 0, nil, 0, "outside", "older than 3.0, 0 majors behind kafka-python 3" },
    { "kgo", "v1.2.0", 0, "4.0.1", nil, "fine" },
    { "kafkajs", "1.14.0", 0, "4.0.1", nil, "breaks", "older than 1.15.0" },
    { "unknown", "unknown", 0, "3.9.1", nil, "unknown", "older than KIP-511" },
    { "unknown", "unknown", 3, "4.0.1", nil, "breaks", "Produce v2" },
    { "unknown", "unknown", 3, "3.9.1", nil, "unknown", "older than KIP-511" },
    { "someones-own", "1.0.0", 0, nil, nil, "unknown", "kplay knows no such software" },
    { "librdkafka", "master", 0, nil, nil, "unknown", "none that kplay can read" },
  }
  for _, row in ipairs(rows) do
    it(("%s %s -> %s: %s"):format(row[1], row[2], row[4] or "none", row[6]), function()
      local verdict, text = audit.judge({ name = row[1], version = row[2], connections = 1, brokers = { 1 }, count = row[3],
        requests = row[3] > 0 and { "Produce v2" } or {}, maybe_brokers = false }, row[4], row[5])
      assert.equal(row[6], verdict)
      has(text, row[7] or "")
    end)
  end

  it("has a row for each family, and each name once", function()
    local seen = {}
    for _, row in ipairs(audit.families) do
      for _, name in ipairs(row.software) do
        assert.falsy(seen[name])
        seen[name] = true
        assert.equal(row.name, audit.family(name).name)
        if row.baseline then assert.truthy(audit.version(row.baseline .. ".0")) end
      end
    end
    local none = audit.family("unknown")
    assert.equal(nil, none)
  end)
end)

describe("audit.summary", function()
  local function request(count) return { request = "Produce", version = 2, name = "unknown", client_version = "unknown", count = count } end
  local function broker(node, count) return { node = node, clients = {}, deprecated = { request(count) } } end

  it("adds up connections over brokers", function()
    local c = { name = "sarama", version = "v1.45.0", connections = 3, listener = "A" }
    local all = audit.summary { { node = 1, clients = { c, c } }, { node = 2, clients = { c } }, { node = 3, problem = "x" } }
    assert.equal(1, #all)
    assert.equal(9, all[1].connections)
    assert.same({ 1, 2 }, all[1].brokers)
  end)

  it("counts requests from an earlier look on, and all of a broker that began anew", function()
    assert.equal(12, audit.summary({ broker(1, 5), broker(2, 7) })[1].count)
    assert.equal(4, audit.summary({ broker(1, 5), broker(2, 7) }, { broker(1, 1), broker(2, 7) })[1].count)
    assert.equal(5, audit.summary({ broker(1, 5) }, { broker(1, 9) })[1].count)
    assert.same({}, audit.summary({ broker(1, 5) }, { broker(1, 5) }))
  end)
end)

describe("audit.findings", function()
  it("are worst first, and a broker that does not tell is one", function()
    local found = audit.findings({
      { node = 1, deprecated = {}, clients = {
        { name = "apache-kafka-java", version = "1.1.1", connections = 1 }, { name = "librdkafka", version = "0.11.6", connections = 1 },
        { name = "unknown", version = "unknown", connections = 1 }, { name = "librdkafka", version = "2.3.0", connections = 1 } } },
      { node = 2, problem = "no jcmd" },
    }, "4.0.1")
    local words = {}
    for i, f in ipairs(found) do words[i] = f.verdict end
    assert.equal("breaks breaks unknown unknown", table.concat(words, " "))
    has(found[4].text, "broker 2 does not tell its clients: no jcmd")
  end)

  it("say that requests are not counted, when it matters", function()
    local told = { { node = 1, clients = {} } }
    assert.same({}, audit.findings(told, "3.9.1"))
    has(audit.findings(told, "4.0.1")[1].text, "does not count the requests that 4.0 no longer takes")
  end)
end)

describe("audit.steps", function()
  it("are consumers, producers, admin tools, or as they are ordered", function()
    assert.same({ "consumers", "producers", "admin tools" }, audit.steps("consumers,producers,admin tools", true))
    assert.same({ "producers", "admin tools", "consumers" }, audit.steps("producers, admin tools,consumers", false))
  end)
  it("refuse what leaves one out, and producers first when the format changes", function()
    assert.has_error(function() audit.steps("consumers,producers", false) end, "--order leaves out admin tools")
    assert.has_error(function() audit.steps("consumers,consumers", false) end, "--order names consumers twice")
    assert.has_error(function() audit.steps("consumers,producers,admin tools,x", false) end, "--order names what is no item")
    assert.has_error(function() audit.steps("producers,consumers,admin tools", true) end,
      "with format_change producers cannot be ticked before consumers")
  end)
end)

describe("clients.lua", function()
  local function cluster(clients, faults)
    return kplay.simulate { release = "3.9.1", clients = clients, faults = faults, topics = { { name = "t", partitions = 3 } } }
  end

  it("has nothing to ask when everybody is known and fine; brokers are no clients", function()
    local r = cluster({ { name = "librdkafka", version = "2.3.0", connections = 4 } }):run("clients.lua", { to = "4.0.1" })
    assert.truthy(r.ok, why(r))
    has(said(r), "librdkafka 2.3.0            12 connections  broker 1, 2, 3")
    assert.falsy(said(r):find("unknown", 1, true), said(r))
    assert.equal(0, #r.questions)
  end)

  it("tells who breaks, asks for each item, and passes when they are gone", function()
    local sim = cluster { { node = 2, requests = { "Produce 2" }, ["until"] = "1h" } }
    local r = sim:run("clients.lua", { to = "4.0.1" }, { answers = { "yes", "no" } })
    has(said(r), "breaks: unknown software, 1 connections on broker 2: sent Produce v2")
    assert.equal("paused", r.state)
    assert.equal(75, r.exit)
    has(r.questions[1].text, "all consumers updated")
    has(r.questions[2].text, "all producers updated")
    assert.equal(2, #r.questions)
    r = sim:resume() -- ticked, and still there
    assert.equal(2, #r.questions)
    has(r.questions[1].text, "all producers updated")
    has(r.questions[2].text, "all admin tools updated")
    assert.equal("refused", r.state)
    has(why(r), "unknown software, 1 connections on broker 2: sent Produce v2")
  end)

  it("passes when they are gone, whatever was counted before", function()
    local r = cluster({ { node = 2, requests = { "Produce 2" }, ["until"] = "1ms" } }):run("clients.lua", { to = "4.0.1" })
    assert.truthy(r.ok, why(r))
    has(said(r), "breaks: unknown software, 0 connections on broker 2: sent Produce v2")
    assert.equal(3, #r.questions)
    has(said(r), "nothing is left of it")
  end)

  it("waits with --watch until they are gone", function()
    local r = cluster({ { node = 2, requests = { "Produce 2" }, ["until"] = "3h" } }):run("clients.lua", { to = "4.0.1", watch = true })
    assert.truthy(r.ok, why(r))
    assert.equal(0, #r.questions)
    has(said(r), "nothing is left of it")
  end)

  it("is killed and goes on", function()
    for at = 4, 40, 6 do
      local sim = cluster { { node = 2, ["until"] = "2m" } }
      local r = sim:run("clients.lua", { to = "3.9.1", quiet = "3m" }, { killed_at = at })
      if r.state == "killed" then r = sim:resume() end
      assert.truthy(r.ok, at .. why(r))
    end
  end)

  it("does not pass a broker that does not tell", function()
    for fault, text in pairs { no_jdk = "no jcmd beside", lost_ssh = "" } do
      local r = cluster({}, { { fault = fault, node = 3 } }):run("clients.lua", { to = "4.0.1" })
      assert.equal("refused", r.state)
      has(said(r) .. why(r), "broker 3 does not tell its clients: ")
      has(said(r), text)
    end
  end)

  it("refuses producers before consumers when the format changes, before it asks anything", function()
    local r = cluster {}:run("clients.lua", { format_change = true, order = "producers,consumers,admin tools" })
    assert.equal("refused", r.state)
    has(why(r), "cannot be ticked before consumers")
    r = cluster {}:run("clients.lua", { format_change = true })
    assert.truthy(r.ok, why(r))
    assert.equal(3, #r.questions)
  end)
end)
