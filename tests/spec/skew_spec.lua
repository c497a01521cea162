local kplay = require "kplay"

-- What was said to a person, and asked.
local said = {}

--- skew.lua over a cluster that runs `from`; `mode` of all, or a list; `told`: what staged releases say.
local function skew(from, mode, told)
  said = {}
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
    release_info = function(_, to) return told and told[to] or { why = "there is no release " .. to } end,
    warn = function(text) said[#said + 1] = "warn " .. text end,
    confirm = function(text) said[#said + 1] = "confirm " .. text end,
    fail = function(what, more) error(what .. (more and more.next and "; next " .. more.next or ""), 0) end,
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

--- Findings as "severity text", but for notes.
local function lines(found)
  local all = {}
  for _, f in ipairs(found) do
    if f.severity ~= "note" then all[#all + 1] = f.severity .. " " .. f.text end
  end
  return all
end

describe("skew.findings", function()
  local rows = {
    { "2.8.2", "3.5.2", "zookeeper", nil, "2.8.2 -> 3.0.2 -> 3.5.2" },
    { "3.9.1", "4.0.1", "zookeeper", nil, "no ZooKeeper mode" },
    { "3.9.2", "4.0.1", "zookeeper", "documented", "no ZooKeeper mode" },
    { "2.8.2", "4.0.2", "zookeeper", nil, "no ZooKeeper mode" },
    { "3.9.1", "4.0.1", "kraft", nil, nil },
    { "3.2.3", "4.0.2", "kraft", nil, "3.2.3 -> 3.9.2 -> 4.0.2" },
    { "3.9.2", "4.1.2", "kraft", nil, "3.9.2 -> 4.0.2 -> 4.1.2" },
    { "4.1.2", "4.4.0", "kraft", nil, nil },
    { "3.4.1", "3.5.2", "zookeeper", nil, nil },
    { "3.5.2", "3.4.1", "zookeeper", nil, "older than the running" },
    { "3.4.1", "3.5.0", "zookeeper", nil, "KAFKA-15353" },
    { "2.8.2", "3.5.2", "zookeeper", "documented", nil },
    { "4.2.2", "4.4.0", "kraft", nil, nil },
  }
  for _, row in ipairs(rows) do
    it(("%s -> %s in %s mode"):format(row[1], row[2], row[3]), function()
      local found = lines(skew(row[1], row[3]).findings(row[2], row[4]))
      if row[5] then
        assert.equal(1, #found)
        assert.truthy(found[1]:find(row[5], 1, true), found[1])
        assert.truthy(found[1]:find("^refuse "), found[1])
      else
        assert.same({}, found)
      end
    end)
  end

  it("judges from the lowest release that runs", function()
    local found = lines(skew({ "3.5.2", "2.8.2", "3.5.2" }).findings("3.5.2"))
    assert.truthy(found[1]:find("2.8.2 -> 3.0.2 -> 3.5.2", 1, true))
  end)

  it("knows that a migration has not ended", function()
    local found = lines(skew("3.9.1", { "kraft", "kraft", "zookeeper" }).findings("4.0.1"))
    assert.truthy(found[1]:find("(broker 3 is not)", 1, true))
    assert.same({}, lines(skew("3.9.1", { "kraft", "kraft", "kraft" }).findings("4.0.1")))
  end)

  it("does not judge a cluster of which nobody says its release", function()
    assert.same({ "refuse no node says which release it runs" }, lines(skew({}).findings("3.5.2")))
  end)

  it("hints at other rules only where they let it pass", function()
    local _, why = pcall(skew("2.8.2", "zookeeper").allows, "3.5.2")
    assert.truthy(why:find("kplay path 2.8.2 3.5.2 shows ways; or --rules documented", 1, true), why)
    _, why = pcall(skew("3.4.1", "zookeeper").allows, "3.5.0")
    assert.falsy(why:find("documented", 1, true), why)
  end)
end)

describe("a release that nobody told kplay about", function()
  local told = { ["4.9.0"] = { built = "2027-02-01", metadata_version_min = 7, metadata_version_max = 40 },
    ["3.9.7"] = { built = "2026-12-24" }, ["4.9.1"] = { why = "no Java was found" } }

  it("needs a person's word under the conservative rules, by what it says of itself", function()
    local rules = skew("4.4.0", "kraft", told)
    rules.allows("4.9.0")
    assert.same({}, said)
    rules.agree("4.9.0")
    assert.same({ "confirm kplay was not told about release 4.9.0; by its own word it is built 2027-02-01, "
      .. "metadata.version 7 to 40; what is wrong with it is not known here; install it?" }, said)
  end)

  it("is told under the documented rules", function()
    local rules = skew("4.4.0", "kraft", told)
    rules.allows("4.9.0", "documented")
    rules.agree("4.9.0", "documented")
    assert.equal(1, #said)
    assert.truthy(said[1]:find("^warn kplay was not told about release 4.9.0"), said[1])
  end)

  it("of a line that is known is one as well", function()
    local rules = skew("3.9.2", "zookeeper", told)
    rules.agree("3.9.7")
    assert.truthy(said[1]:find("release 3.9.7; by its own word it is built 2026-12-24;", 1, true), said[1])
  end)

  it("that says nothing of itself is refused, whatever the rules", function()
    for _, rule in ipairs { "conservative", "documented" } do
      local ok, why = pcall(skew("4.4.0", "kraft", told).allows, "4.9.1", rule)
      assert.falsy(ok)
      assert.truthy(why:find("it does not tell of itself: no Java was found; next unpack it", 1, true), why)
    end
  end)

  it("of another major is refused: which release leads there is not known", function()
    assert.falsy(pcall(skew("4.4.0", "kraft", told).allows, "5.0.0"))
    local ok, why = pcall(skew("4.4.0", "kraft", told).allows, "5.0.0", "documented")
    assert.falsy(ok)
    assert.truthy(why:find("no way is known from 4.x to 5.x", 1, true), why)
    assert.falsy(pcall(skew("2.8.2", "zookeeper", told).allows, "1.1.0"))
  end)
end)

describe("a release that opens again what was fixed", function()
  it("needs a person's word, or is told", function()
    local rules = skew("4.2.2", "kraft")
    rules.allows("4.3.1")
    rules.agree("4.3.1")
    assert.same({ "confirm 4.3.1 opens again what 4.2.2 has fixed: CVE-2026-111108, CVE-2026-111115, CVE-2026-110985; "
      .. "install it?" }, said)
    rules = skew("4.2.2", "kraft")
    rules.allows("4.3.1", "documented")
    assert.truthy(said[1] and said[1]:find("^warn 4.3.1 opens again"), said[1])
  end)

  it("is no release that only has what is newer than the one before", function()
    local rules = skew("3.2.3", "zookeeper")
    rules.agree("3.5.2")
    assert.same({}, said)
    local found = rules.findings("3.5.2")
    assert.equal("note", found[1] and found[1].severity)
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
