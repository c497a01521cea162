--- Gates: what must hold before something begins, and after it is done.
--
-- A gate walks the guard's rows (kplay doc guard) and says no with a reason; the
-- guard stands behind it and cannot be edited away.  What policy.accept names is
-- no finding, and what --force covers does not refuse here either.

local versions = require "versions"

local gate = {}

-- How a row about one node begins.
local lead = { offline = "without ", ["min-isr"] = "without " }

--- One finding in one line.
---@param f kplay.finding
---@return string
function gate.line(f)
  if not f.who or f.text:find(f.who, 1, true) then return f.text end
  return (lead[f.row] or "") .. f.who .. ": " .. f.text
end

-- What this part of the run has told: the rows about the cluster are judged by every gate.
---@type table<string, boolean?>
local told = {}

---@param text string
---@param f kplay.finding
local function tell(text, f)
  if not told[text] then warn(text, f) end
  told[text] = true
end

--- Of these findings those that refuse; the others are told, once each.
---@param found kplay.finding[]
local function refusing(found)
  local left = {}
  for _, f in ipairs(found) do
    if f.covered then
      tell(("overridden (%s): %s; reason: %s"):format(f.row, gate.line(f), f.covered), f)
    elseif f.severity == "warn" then
      tell(gate.line(f), f)
    else
      left[#left + 1] = f
    end
  end
  return left
end

--- What is wrong with the cluster as it is.
---@return kplay.finding[]
function gate.health_findings()
  local found = findings{ nodes = {} } -- the rows about the cluster, whoever is to be taken
  if not controller() then
    found[#found + 1] = { row = "quorum", text = "there is no active controller", severity = "refuse",
      next = "find out why the controllers do not elect one" }
  end
  return found
end

--- What would stand in the way of taking each of these nodes, alone: its stop, its switch, its start and the way back.
---@param nodes integer[]
---@param release? string
---@return kplay.finding[]
function gate.node_findings(nodes, release)
  return findings{ nodes = nodes, to = release }
end

--- Fails with the first of these findings, and tells the others.
---@param found kplay.finding[]
local function require_none(found)
  local left = refusing(found)
  local first = table.remove(left, 1)
  if not first then return end
  local more = { first.detail or "" }
  for i, f in ipairs(left) do
    if i < 20 then more[#more + 1] = ("also  %s\n%s"):format(gate.line(f), f.detail or "") end
  end
  if #left > 19 then more[#more + 1] = ("and %d more\n"):format(#left - 19) end
  fail(gate.line(first), { next = first.next, detail = table.concat(more) })
end

--- Fails unless all brokers are up, every partition is led and in sync, and nothing is being moved.
function gate.healthy()
  require_none(gate.health_findings())
end

--- Fails unless each of these nodes could be taken alone: stopped, switched, started, and put back.
---@param nodes integer[]
---@param release? string
function gate.can_take(nodes, release)
  require_none(gate.node_findings(nodes, release))
end

--- Fails unless each node runs the release.
---@param nodes integer[]
---@param release? string
function gate.all_on(nodes, release)
  for _, id in ipairs(nodes) do
    local runs = version(id)
    if runs ~= release then
      fail(("node %d runs %s, not %s"):format(id, runs or "nothing", release or "nothing"),
        { next = "look at it; kplay run rolling.lua --to brings it there" })
    end
  end
end

--- Says what the team still has to decide when every node runs the release: the level that ends the way back.
---@param release string
function gate.left_undone(release)
  local row = versions.row(release)
  if cluster().mode == "kraft" then
    local now = features().metadata_version
    if row and row.level and now and now < row.level then
      log(("left      metadata.version is %s, and %s knows %s: kafka-features upgrade raises it when nobody needs the way back; "
        .. "that is irreversible"):format(versions.level_name(now), release, versions.level_name(row.level)))
    end
    return
  end
  local id = brokers()[1]
  local now = id and ibp(id)
  if row and now and now:match("^%d+%.%d+") ~= row.line then
    log(("left      inter.broker.protocol.version is %s, and %s speaks %s: set_ibp raises it when nobody needs the way back; "
      .. "that is irreversible"):format(now, release, row.line))
  end
end

--- Waits until nothing is under-replicated that the guard would not accept, before a node is taken.
---@param id integer
---@param settle? string without progress for this long it fails
function gate.before(id, settle)
  wait_until(function()
    local found = findings{ nodes = {}, rows = { "under-replicated" } }[1]
    if not found or found.covered then return true end
    for _, other in ipairs(brokers()) do
      if not broker(other).up then return false, ("%s, and broker %d is down: start it"):format(found.text, other) end
    end
    return false, ("node %d waits: %s"):format(id, found.text)
  end, { stall = settle })
end

return gate
