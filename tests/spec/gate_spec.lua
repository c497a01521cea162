-- gate.left_undone: what is left to decide when every node runs the release.
local kplay = require "kplay"

local function said(cluster, release)
  local lines = {}
  local gate = kplay.stdlib("gate", {
    cluster = function() return { mode = cluster.level and "kraft" or "zookeeper" } end,
    features = function() return { metadata_version = cluster.level } end,
    brokers = function() return { 1, 2 } end,
    ibp = function() return cluster.ibp end,
    log = function(text) lines[#lines + 1] = text end,
  })
  gate.left_undone(release)
  return lines
end

describe("what is left undone", function()
  it("is the metadata.version that the release knows and the cluster does not speak", function()
    local lines = said({ level = 19 }, "3.9.1")
    assert.are.equal(1, #lines)
    assert.is_truthy(lines[1]:find("metadata.version is 3.7 (19), and 3.9.1 knows 3.9 (21)", 1, true))
    assert.is_truthy(lines[1]:find("irreversible", 1, true))
    assert.is_truthy(said({ level = 17 }, "3.9.1")[1]:find("is 3.7 (17)", 1, true))
  end)

  it("is nothing when the cluster speaks it, or more than is known here", function()
    assert.are.same({}, said({ level = 21 }, "3.9.1"))
    assert.are.same({}, said({ level = 99 }, "3.9.1"))
    assert.are.same({}, said({ level = 19 }, "9.9.9"))
  end)

  it("is inter.broker.protocol.version in ZooKeeper mode", function()
    assert.is_truthy(said({ ibp = "3.4-IV0" }, "3.5.2")[1]:find("inter.broker.protocol.version is 3.4-IV0, and 3.5.2 speaks 3.5", 1, true))
    assert.are.same({}, said({ ibp = "3.5-IV2" }, "3.5.2"))
  end)
end)
