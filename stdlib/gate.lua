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
function gate.require_none(found)
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
  gate.require_none(gate.health_findings())
end

--- Fails unless each of these nodes could be taken alone: stopped, switched, started, and put back.
---@param nodes integer[]
---@param release? string
function gate.can_take(nodes, release)
  gate.require_none(gate.node_findings(nodes, release))
end

local function refuses(row, text, next, detail)
  return { row = row, severity = "refuse", text = text, next = next, detail = detail }
end

--- What a question tells of a node; nil, and a finding, when there is no answer.
---@param found kplay.finding[]
---@param row string
---@param about string "broker 2 does not tell of its log dirs"
---@param question fun(id: integer): any
---@param id integer
local function told(found, row, about, question, id)
  local ok, answer = pcall(question, id)
  if ok then return answer end
  if answer.class ~= "cluster" and answer.class ~= "host" then error(answer, 0) end
  found[#found + 1] = refuses(row, ("%s: %s"):format(about, answer.what), answer.next)
end

--- The nodes whose running process has another release.
---@param nodes integer[]
---@param release? string
---@return kplay.finding[]
function gate.other_releases(nodes, release)
  local found = {}
  for _, id in ipairs(nodes) do
    local before = #found
    local runs = told(found, "release", ("node %d does not tell its release"):format(id), version, id)
    if #found == before and (not runs or runs ~= release) then
      found[#found + 1] = refuses("release", ("node %d runs %s, not %s"):format(id, runs or "nothing", release or "nothing"),
        "look at it; kplay run rolling.lua --to brings it there")
    end
  end
  return found
end

--- Fails unless each node runs the release.
---@param nodes integer[]
---@param release? string
function gate.all_on(nodes, release)
  gate.require_none(gate.other_releases(nodes, release))
end

local levels_next = "wait a minute and ask again: nodes hear of a level one after the other; then look at that node's log"

-- What a node goes by, as text; nil when it does not tell: controllers before 3.6 do not, and follow the same log.
local function levels_of(node)
  local names = {}
  for name in pairs(node.features or {}) do names[#names + 1] = name end
  if #names == 0 then return nil end
  table.sort(names)
  for i, name in ipairs(names) do names[i] = name .. " " .. node.features[name] end
  return table.concat(names, ", ")
end

--- The nodes that go by another level than the first: finalised features in KRaft, inter.broker.protocol.version in ZooKeeper mode.
---@param nodes integer[]
---@param ids integer[] the brokers of them
---@return kplay.finding[]
function gate.other_levels(nodes, ids)
  local found, first = {}, nil
  local function look(who, level, must)
    if not level and must then
      found[#found + 1] = refuses("levels", who .. " does not tell by which level it goes", levels_next)
    elseif not level then
      log(who .. " does not tell by which level it goes")
    elseif first and level ~= first.level then
      found[#found + 1] = refuses("levels", ("%s goes by %s, %s by %s"):format(who, level, first.who, first.level), levels_next)
    end
    if level then first = first or { who = who, level = level } end
  end
  if cluster().mode == "zookeeper" then
    for _, id in ipairs(ids) do
      local before = #found
      local level = told(found, "levels", ("broker %d does not tell by which level it goes"):format(id), ibp, id)
      if #found == before then look("broker " .. id, level, true) end
    end
    return found
  end
  local is_broker = {}
  for _, id in ipairs(ids) do is_broker[id] = true end
  for _, n in ipairs(features{ nodes = nodes }.nodes) do
    look("node " .. n.node, levels_of(n), is_broker[n.node] or n.problem ~= nil)
  end
  return found
end

--- The brokers of whose preferred partitions more are led elsewhere than Kafka itself lets be.
-- 10 % is what leader.imbalance.per.broker.percentage is when nobody sets it.
---@param ids integer[]
---@return kplay.finding[]
function gate.unbalanced(ids)
  local found = {}
  for _, id in ipairs(ids) do
    local b = broker(id)
    local line = ("broker %d leads %d of its %d partitions; of %d that it should lead others lead %d"):format(id, b.leads, b.replicas,
      b.preferred, b.elsewhere)
    log(line)
    if b.elsewhere * 10 > b.preferred then
      found[#found + 1] = refuses("leaders", line, "kafka-leader-election.sh --election-type PREFERRED --all-topic-partitions")
    end
  end
  return found
end

--- Log dirs that a broker tells an error of, and brokers that tell of none.
---@param ids integer[]
---@return kplay.finding[]
function gate.bad_log_dirs(ids)
  return findings{ nodes = ids, rows = { "log-dir-error" } }
end

--- Hosts that a run still holds: it has ended without a word, or is at work.
---@param nodes integer[]
---@return kplay.finding[]
function gate.held(nodes)
  local found = {}
  for _, id in ipairs(nodes) do
    local who = told(found, "held", ("the host of node %d does not tell who holds it"):format(id), identity, id)
    local run = who and who.held
    if run then
      found[#found + 1] = refuses("held", ("the host of node %d is held by run %s"):format(id, run),
        "end that run: kplay resume, or close it for good with --supersede")
    end
  end
  return found
end

--- What is wrong with the cluster after an upgrade: what stands in no node's way before one, a ghost, does now.
---@return kplay.finding[]
function gate.end_findings()
  local found = gate.health_findings()
  for _, f in ipairs(found) do
    if f.row == "ghosts" then f.severity = "refuse" end
  end
  return found
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
