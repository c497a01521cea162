--- One node: stop, switch, start, wait - and back out.
--
-- The order inside is what keeps an upgrade safe in ZooKeeper mode: the protocol
-- version is pinned before the new binary starts, or it would speak its newest one
-- and never rejoin an ISR.

local gate     = require "gate"
local versions = require "versions"

local node = {}

-- Asked once: a large cluster's list would fill the journal.
local is_a_broker

local function is_broker(id)
  if not is_a_broker then
    is_a_broker = {}
    for _, broker_id in ipairs(brokers()) do is_a_broker[broker_id] = true end
  end
  return is_a_broker[id] == true
end

--- "broker 3", "controller 3001"
---@param id integer
---@return string
function node.name(id)
  return (is_broker(id) and "broker " or "controller ") .. id
end

-- What is_on has seen of a node, for roll: one question less between two nodes.
local seen = {}

--- Does the running process of a node have this release?
---@param id integer
---@param release string
---@return boolean
function node.is_on(id, release)
  seen[id] = releases(id)
  return seen[id].running == release
end

local function stop(id)
  if is_broker(id) then return stop_broker(id) end
  return stop_controller(id)
end

local function start(id)
  if is_broker(id) then return start_broker(id) end
  return start_controller(id)
end

--- ZooKeeper mode: write down the protocol version the broker speaks now.
local function pin(id, mode)
  if mode == "kraft" or not is_broker(id) then return end
  local now = ibp(id) or fail(node.name(id) .. " does not say which protocol version it speaks")
  set_ibp(id, now)
end

--- What was started runs something else: what, and what to do about it.
-- Asked and not taken from the start's answer: a resumed run asks again, when someone has mended it.
---@param id integer
---@param to string
---@return { what: string, next: string }?
local function runs_another(id, to)
  local is, said = releases(id), api_versions(id)
  local own_word = said.mode ~= "zookeeper" and said.mode ~= "hybrid" -- there it is only inferred
  if is.running and is.running ~= to then
    return { what = ("%s was started and runs %s, not %s"):format(node.name(id), is.running, to),
      next = "its start command names another release than the link: let it use layout.current and restart it, then: kplay resume" }
  elseif own_word and said.release and versions.compare(said.release, versions.parse(to).line) < 0 then
    return { what = ("%s was started with the jars of %s and answers as %s"):format(node.name(id), to, said.release),
      next = "find out what listens there, and with which classes; when it is right: kplay resume" }
  elseif is.jars and #is.jars > 1 then
    return { what = ("%s has the jars of %s in one class path"):format(node.name(id), table.concat(is.jars, " and ")),
      next = "take the other release's jars out of its class path (CLASSPATH, libs) and restart it, then: kplay resume" }
  end
end

local function forward(id, to, settle)
  stop(id)
  if to then switch_release(id, to) end
  start(id)
  local wrong = to and runs_another(id, to)
  if wrong then return wrong end
  wait_in_sync(id, { stall = settle })
end

local function back_out(id, from, settle)
  step(node.name(id) .. ", back", { hold = true, goes_on = true }) -- a release has dots, a step's name has none
  stop(id)
  switch_release(id, from)
  start(id)
  wait_in_sync(id, { stall = settle })
end

--- Roll one node: restart it, or bring it to the release `to`.
-- When that fails, policy.on_failure decides: the run stops there, or this node is
-- put back on its old release first.
---@param id integer
---@param to? string
---@param settle? string how long it may go without progress
function node.roll(id, to, settle)
  local was = to and (seen[id] or releases(id)) or {}
  local from = was.current
  gate.before(id, settle)
  if to then pin(id, was.mode) end
  local ok, err = pcall(forward, id, to, settle)
  if ok and not err then return end
  if from and from ~= to and on_failure(node.name(id) .. ": " .. err.what, err.detail) == "back_out" then
    local back, worse = pcall(back_out, id, from, settle)
    if not back then
      fail(("%s could not be put back on %s: %s"):format(node.name(id), from, worse.what),
        { next = worse.next, detail = ("%son %s it had failed: %s\n%s"):format(worse.detail or "", to, err.what, err.detail or "") })
    end
    fail(("%s is back on %s and in sync; on %s it failed: %s"):format(node.name(id), from, to, err.what),
      { next = err.next, detail = err.detail, final = true })
  end
  if ok then fail(err.what, { next = err.next }) end
  error(err, 0)
end

return node
