--- In which order nodes are taken.
--
-- KRaft: controllers before brokers, the active controller last of the controllers
-- (Apache's system tests and Strimzi do the same; Kafka does not enforce it).
-- ZooKeeper: the controller broker last.  Who is active is read again before each
-- node, because every restart may move it.

local order = {}

local function without(ids, skip)
  local left = {}
  for _, id in ipairs(ids) do
    local skipped = false
    for _, other in ipairs(skip or {}) do skipped = skipped or other == id end
    if not skipped then left[#left + 1] = id end
  end
  return left
end

--- The brokers but the skipped ones, by id.
function order.brokers(skip) return without(brokers(), skip) end

--- Pure controllers but the skipped ones, by id: a combined node counts as a broker.
function order.controllers(skip)
  return without(without(controllers(), brokers()), skip)
end

--- Every node but the skipped ones: controllers, then brokers.
function order.all(skip)
  local all = order.controllers(skip)
  for _, id in ipairs(order.brokers(skip)) do all[#all + 1] = id end
  return all
end

--- Takes the next node out of `left`: the first that is not `last`, which is taken when it is alone.
local function take(left, last)
  for i, id in ipairs(left) do
    if id ~= last or #left == 1 then return table.remove(left, i) end
  end
end

--- An iterator over the nodes in rolling order.
function order.rolling(skip)
  local first, second = order.controllers(skip), order.brokers(skip)
  return function()
    local left = #first > 0 and first or second
    if #left <= 1 then return table.remove(left, 1) end
    return take(left, controller())
  end
end

return order
