local kplay = require "kplay"

--- skew.lua over a cluster that runs `from`; `mode` of all, or a list.
local function skew(from, mode)
  return kplay.stdlib("skew", {
    brokers = function() return { 1, 2, 3 } end,
    controllers = function() return {} end,
    version = function(id)
      if type(from) == "table" then return from[id] end
      return from
    end,
    releases = function(id)
      if type(mode) == "table" then return { mode = mode[id] } end
      return { mode = mode or "zookeeper" }
    end,
    fail = function(what) error(what, 0) end,
  })
end

describe("skew.path", function()
  local rows = {
    { "2.8.2", "3.5.2", "conservative", "2.8.2 3.0.2 3.5.2" },
    { "2.7.2", "3.0.2", "conservative", "2.7.2 2.8.2 3.0.2" },
    { "2.7.2", "3.5.2", "conservative", "2.7.2 2.8.2 3.0.2 3.5.2" },
    { "3.4.1", "3.5.2", "conservative", "3.4.1 3.5.2" },
    { "3.3.2", "3.9.1", "conservative", "3.3.2 3.9.1" },
    { "3.9.1", "4.0.1", "conservative", "3.9.1 4.0.1" },
    { "3.7.2", "4.0.1", "conservative", "3.7.2 3.9.2 4.0.1" },
    { "3.7.2", "4.1.1", "conservative", "3.7.2 3.9.2 4.0.2 4.1.1" },
    { "4.0.1", "4.2.1", "conservative", "4.0.1 4.2.1" },
    { "2.8.2", "3.5.2", "documented", "2.8.2 3.5.2" },
    { "3.3.2", "4.0.1", "documented", "3.3.2 4.0.1" },
    { "3.2.3", "4.0.1", "documented", "3.2.3 3.9.2 4.0.1" },
  }
  for _, row in ipairs(rows) do
    it(("goes from %s to %s under %s"):format(row[1], row[2], row[3]), function()
      assert.equal(row[4], table.concat(skew(row[1]).path(row[1], row[2], row[3]), " "))
    end)
  end
end)

describe("skew.findings", function()
  local rows = {
    { "2.8.2", "3.5.2", "zookeeper", nil, "2.8.2 -> 3.0.2 -> 3.5.2" },
    { "3.9.1", "4.0.1", "zookeeper", nil, "no ZooKeeper mode" },
    { "3.9.1", "4.0.1", "kraft", nil, nil },
    { "3.4.1", "3.5.2", "zookeeper", nil, nil },
    { "3.5.2", "3.4.1", "zookeeper", nil, "older than the running" },
    { "3.4.1", "3.5.0", "zookeeper", nil, "KAFKA-15353" },
    { "3.4.1", "3.99.1", "zookeeper", nil, "unknown release" },
    { "3.4.1", "3.5.9", "zookeeper", nil, "newest of its line known here is 3.5.2" },
    { "3.4.1", "9.0.0", "zookeeper", nil, "unknown release" },
    { "2.8.2", "3.5.2", "zookeeper", "documented", nil },
  }
  for _, row in ipairs(rows) do
    it(("%s -> %s in %s mode"):format(row[1], row[2], row[3]), function()
      local found = skew(row[1], row[3]).findings(row[2], row[4])
      if row[5] then
        assert.equal(1, #found)
        assert.truthy(found[1]:find(row[5], 1, true), found[1])
      else
        assert.same({}, found)
      end
    end)
  end

  it("judges from the lowest release that runs", function()
    local found = skew({ "3.5.2", "2.8.2", "3.5.2" }).findings("3.5.2")
    assert.truthy(found[1]:find("2.8.2 -> 3.0.2 -> 3.5.2", 1, true))
  end)

  it("knows that a migration has not ended", function()
    local found = skew("3.9.1", { "kraft", "kraft", "zookeeper" }).findings("4.0.1")
    assert.truthy(found[1]:find("(broker 3 is not)", 1, true))
    assert.same({}, skew("3.9.1", { "kraft", "kraft", "kraft" }).findings("4.0.1"))
  end)

  it("does not judge a cluster of which nobody says its release", function()
    assert.same({ "no node says which release it runs" }, skew({}).findings("3.5.2"))
  end)
end)

describe("versions", function()
  local versions = kplay.stdlib("versions", { fail = function(what) error(what, 0) end })
  it("parses and compares", function()
    assert.same({ major = 3, minor = 9, patch = 1, line = "3.9" }, versions.parse("3.9.1"))
    assert.has_error(function() versions.parse("new") end, "\"new\" is no Kafka release")
    assert.equal(-1, versions.compare("3.9.1", "3.10.0"))
    assert.equal(1, versions.compare("4.0.1", "3.9.2"))
    assert.equal(0, versions.compare("3.9", "3.9.0"))
  end)
  it("lists lines in order, each once", function()
    for i = 2, #versions.lines do
      assert.equal(-1, versions.compare(versions.lines[i - 1].line, versions.lines[i].line))
    end
  end)
end)
