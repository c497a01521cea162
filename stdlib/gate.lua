--- Gates: what must hold before something begins, and after it is done.
--
-- A gate asks and says no with a reason; the engine's guard stands behind it and
-- can not be edited away.  Each `..._findings` returns a list of lines, empty when
-- all is well.

local gate = {}

local function first_of(list)
  local names = {}
  for i = 1, math.min(3, #list) do
    names[i] = ("%s-%d"):format(list[i].topic, list[i].partition)
  end
  return table.concat(names, ", ") .. (#list > 3 and ", ..." or "")
end

--- What is wrong with the cluster as it is.
function gate.health_findings()
  local found = {}
  local function add(...) found[#found + 1] = string.format(...) end

  for _, id in ipairs(brokers()) do
    if not broker(id).up then
      add("broker %d is down", id)
    elseif not pcall(api_versions, id) then -- still listed, and silent: killed or frozen a moment ago
      add("broker %d does not answer", id)
    end
  end
  local without_leader = partitions{ offline = true }
  if #without_leader > 0 then add("%d partition(s) have no leader: %s", #without_leader, first_of(without_leader)) end
  if cluster().guard == "strict" then
    local behind = partitions{ under_replicated = true }
    if #behind > 0 then add("%d partition(s) are under-replicated: %s", urp(), first_of(behind)) end
  end
  local moving = reassignments()
  if #moving > 0 then add("%d partition(s) are being reassigned: %s", #moving, first_of(moving)) end
  if not controller() then add("there is no active controller") end
  return found
end

--- What would break if this broker stopped.
function gate.roll_findings(id)
  local found, r = {}, risk(id)
  local function add(...) found[#found + 1] = string.format(...) end

  if r.offline > 0 then
    add("without broker %d %d partition(s) would have no leader: %s", id, r.offline, first_of(r.partitions))
  elseif r.below_min_isr > 0 and cluster().guard ~= "available" then
    add("without broker %d %d partition(s) would fall below min.insync.replicas: %s", id, r.below_min_isr, first_of(r.partitions))
  end
  if r.unclean > 0 then
    add("%d partition(s) on broker %d allow unclean leader election", r.unclean, id)
  end
  return found
end

--- Nodes whose host lacks the release.
function gate.staged_findings(nodes, release)
  local found = {}
  for _, id in ipairs(nodes) do
    local there, host = false, releases(id)
    local lacks = host.partial and host.partial[release]
    for _, staged in ipairs(host.staged) do there = there or staged == release end
    if lacks then
      found[#found + 1] = ("release %s on the host of node %d is only half unpacked: %s is missing"):format(release, id, lacks)
    elseif not there then
      found[#found + 1] = ("release %s is not staged on the host of node %d"):format(release, id)
    end
  end
  return found
end

--- Appends `more` to `list`.
function gate.collect(list, more)
  for _, line in ipairs(more) do list[#list + 1] = line end
end

local function require_none(found, next)
  if #found == 0 then return end
  fail(table.concat(found, "; "), { next = next })
end

--- Fails unless all brokers are up, every partition is led and in sync, and nothing is being moved.
function gate.healthy()
  require_none(gate.health_findings(), "mend it, then run it again; kplay run preflight.lua lists everything")
end

--- Fails unless each of these brokers could stop alone.
function gate.can_roll(ids)
  for _, id in ipairs(ids) do
    require_none(gate.roll_findings(id),
      "raise the replication factor, lower min.insync.replicas, or accept the topic by name: policy.accept in the cluster file")
  end
end

--- Fails unless the release is staged on the host of each node.
function gate.staged(nodes, release)
  require_none(gate.staged_findings(nodes, release), "unpack it, whole, on every host, as layout.releases and layout.release say")
end

--- Fails unless each node runs the release.
function gate.all_on(nodes, release)
  local found = {}
  for _, id in ipairs(nodes) do
    local runs = version(id)
    if runs ~= release then found[#found + 1] = ("node %d runs %s, not %s"):format(id, runs or "nothing", release) end
  end
  require_none(found, "look at these nodes; kplay run rolling.lua --to brings them there")
end

--- Waits until nothing is under-replicated, before a node is taken.
function gate.before(id, settle)
  if cluster().guard ~= "strict" then return end
  wait_until(function()
    local n = urp()
    if n == 0 then return true end
    for _, other in ipairs(brokers()) do
      if not broker(other).up then
        return false, ("%d partition(s) are under-replicated, and broker %d is down: start it"):format(n, other)
      end
    end
    return false, ("node %d waits for %d under-replicated partition(s)"):format(id, n)
  end, { stall = settle })
end

return gate
