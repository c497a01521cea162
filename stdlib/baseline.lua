--- Lag of consumer groups against a baseline: what has become worse, in words.
--
-- A baseline is what lag{} finds at one moment, whole: it is kept in the run, and in a
-- file when a person names one (kplay run preflight.lua --baseline FILE).  Worse is a
-- partition that is further behind than is tolerated, one whose lag was known and is not
-- any more, and a group that is gone.  What nobody tells is said, and never taken for well.

local baseline = {}

local SHOWN = 20 -- partitions of one group; the others are counted

local function counted(n, what) return ("%d %s%s"):format(n, what, n == 1 and "" or "s") end

--- Keeps the lag of all groups in the run, as "before", and in a file; what stands in the way of that, or nil.
---@param file? string the value of an argument of type path
---@return kplay.error?
function baseline.save(file)
  local ok, told = pcall(lag, { save = "before", file = file, worst = 0 })
  if not ok then return told end
  for _, g in ipairs(told.groups) do
    if g.problem then warn(("the lag of group %s is not known: %s"):format(g.group, g.problem)) end
  end
  log(("the lag of %s is kept in the run"):format(counted(#told.groups, "group")))
end

--- What stood in the way of keeping it, as a finding.
---@param unsaved kplay.error
---@return kplay.finding
function baseline.as_finding(unsaved)
  return { row = "lag", severity = "refuse", text = "the lag of consumer groups is not known: " .. unsaved.what, next = unsaved.next }
end

local function partition_line(p)
  local was = p.was and tostring(p.was) or "not known"
  return ("  %s-%d: %s -> %d, %d more (committed %d, end %d)\n"):format(p.topic, p.partition, was, p.end_offset - p.committed, p.lag,
    p.committed, p.end_offset)
end

--- The lines of one group's partitions, and how many more there are.
---@param lines string[]
---@param all integer
local function shown(lines, all)
  local some = { table.unpack(lines, 1, math.min(#lines, SHOWN)) }
  if all > #some then some[#some + 1] = ("  and %s\n"):format(counted(all - #some, "partition")) end
  return table.concat(some)
end

--- The lines of a list of partitions, by group.
---@param list table[]
---@param line fun(p: table): string
---@return table<string, string[]>
local function by_group(list, line)
  local lines = {}
  for _, p in ipairs(list) do
    lines[p.group] = lines[p.group] or {}
    table.insert(lines[p.group], line(p))
  end
  return lines
end

local function worse(text, detail)
  return { row = "lag", severity = "refuse", text = text, detail = detail,
    next = "look at its consumers; when it is as it should be: --tolerance N, or a new baseline (kplay run preflight.lua --baseline FILE)" }
end

--- What an answer of lag{ against = NAME } finds to be worse: groups that are gone, then the others, the worst first.
---@param told table
---@return kplay.finding[]
function baseline.findings(told)
  local found = {}
  local behind = by_group(told.worst, partition_line)
  local lost = by_group(told.lost, function(p) return ("  %s-%d: not known any more\n"):format(p.topic, p.partition) end)
  for _, id in ipairs(told.vanished) do
    found[#found + 1] = worse(("group %s is gone, and what it had committed: it was deleted, or its commits have expired"):format(id))
  end
  for _, g in ipairs(told.groups) do
    if g.partitions > 0 then
      found[#found + 1] = worse(("group %s is %s further behind, in %s"):format(g.group, counted(g.lag, "record"),
        counted(g.partitions, "partition")), shown(behind[g.group] or {}, g.partitions))
    end
    if g.unknown > 0 then
      found[#found + 1] = worse(("group %s does not tell the lag of %s any more%s"):format(g.group, counted(g.unknown, "partition"),
        g.problem and ": " .. g.problem or ""), shown(lost[g.group] or {}, g.unknown))
    end
  end
  return found
end

--- Compares lag with the baseline in a file; groups that are new are told.
---@param file string the value of an argument of type path
---@param tolerance integer so many records more are no change
---@return kplay.finding[]
function baseline.compare(file, tolerance)
  local told = lag{ against = "before", file = file, tolerance = tolerance, worst = 1000 }
  if #told.appeared > 0 then log("new since the baseline: " .. table.concat(told.appeared, ", ", 1, math.min(#told.appeared, SHOWN))) end
  return baseline.findings(told)
end

return baseline
