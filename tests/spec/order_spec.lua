local kplay = require "kplay"

local function rolled(verbs, skip)
  local order, ids = kplay.stdlib("order", verbs), {}
  for id in order.rolling(skip) do ids[#ids + 1] = id end
  return ids
end

describe("order.rolling", function()
  it("takes controllers first, the active one last, then brokers", function()
    assert.same({ 3001, 3003, 3002, 1, 2, 3 }, rolled {
      brokers = function() return { 1, 2, 3 } end,
      controllers = function() return { 3001, 3002, 3003 } end,
      controller = function() return 3002 end,
    })
  end)

  it("reads the active controller again before each node", function()
    local turn, active = 0, { 3001, 3002, 3002 }
    assert.same({ 3002, 3001, 3003, 1 }, rolled {
      brokers = function() return { 1 } end,
      controllers = function() return { 3001, 3002, 3003 } end,
      controller = function() turn = turn + 1 return active[turn] or 3003 end,
    })
  end)

  it("takes the controller broker last in ZooKeeper mode", function()
    assert.same({ 2, 3, 1 }, rolled {
      brokers = function() return { 1, 2, 3 } end,
      controllers = function() return {} end,
      controller = function() return 1 end,
    })
  end)

  it("takes combined nodes once", function()
    assert.same({ 1, 3, 2 }, rolled {
      brokers = function() return { 1, 2, 3 } end,
      controllers = function() return { 1, 2, 3 } end,
      controller = function() return 2 end,
    })
  end)

  it("leaves out what is to be skipped, and goes on without a controller", function()
    assert.same({ 3001, 1, 3 }, rolled({
      brokers = function() return { 1, 2, 3 } end,
      controllers = function() return { 3001 } end,
      controller = function() return nil end,
    }, { 2 }))
  end)
end)
