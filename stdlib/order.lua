--- In which order nodes are taken.
--
-- KRaft: controllers before brokers, the active controller last of the controllers
-- (Apache's system tests and Strimzi do the same; Kafka does not enforce it).
-- ZooKeeper: the controller broker last.  Who is active is read again before each
-- node, because every restart may move it.

local order = {}

local function has(ids, id)
  for _, other in ipairs(ids or {}) do
    if other == id then return true end
  end
  return false
end

-- `only`: these and no others; left out, or empty: all.
---@param ids integer[]
---@param skip? integer[]
---@param only? integer[]
---@return integer[]
local function chosen(ids, skip, only)
  local left = {}
  for _, id in ipairs(ids) do
    local wanted = not only or #only == 0 or has(only, id)
    if wanted and not has(skip, id) then left[#left + 1] = id end
  end
  return left
end

--- The brokers but the skipped ones, by id; of `only` these, when it names any.
---@param skip? integer[]
---@param only? integer[]
---@return integer[]
function order.brokers(skip, only) return chosen(brokers(), skip, only) end

--- Pure controllers, likewise: a combined node counts as a broker.
---@param skip? integer[]
---@param only? integer[]
---@return integer[]
function order.controllers(skip, only)
  return chosen(chosen(controllers(), brokers()), skip, only)
end

--- Every node, likewise: controllers, then brokers.
---@param skip? integer[]
---@param only? integer[]
---@return integer[]
function order.all(skip, only)
  local all = order.controllers(skip, only)
  for _, id in ipairs(order.brokers(skip, only)) do all[#all + 1] = id end
  return all
end

--- Takes the next node out of `left`: the first that is not `last`, which is taken when it is alone.
---@param left integer[]
---@param last? integer
---@return integer?
local function take(left, last)
  for i, id in ipairs(left) do
    if id ~= last or #left == 1 then return table.remove(left, i) end
  end
end

--- An iterator over the nodes in rolling order: id, which one it is, of how many.
---@param skip? integer[]
---@param only? integer[]
---@return fun(): integer?, integer?, integer?
function order.rolling(skip, only)
  local first, second = order.controllers(skip, only), order.brokers(skip, only)
  local at, of = 0, #first + #second
  return function()
    local left = #first > 0 and first or second
    at = at + 1
    if #left <= 1 then return table.remove(left, 1), at, of end
    return take(left, controller()), at, of
  end
end

return order
