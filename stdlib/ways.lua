--- Ways from one release to another: which stops, what each step fixes, opens and drops.
--
-- The rule set (skew) says which step may be taken at all; of what it leaves, the way
-- that opens fewest advisories comes first, then the one on which fewest stay open at
-- its stops, then the one with fewest steps.  Advisories decide before numbers: a newer
-- number may be an older build (4.2.2 is of September 2026, 4.3.1 of June).  Stops on the
-- way are the newest known patch of their line.

local advisories = require "advisories"
local keys       = require "keys"
local skew       = require "skew"
local versions   = require "versions"

local ways = {}

-- More stops than the fewest are looked at this far, and so many ways are told.
ways.detour = 1
ways.most = 3

---@class (exact) kplay.step_of_way
---@field from string
---@field to string
---@field fixed kplay.advisory[]
---@field opened kplay.advisory[]
---@field again table<string, boolean?> those of them that the release before had fixed
---@field dropped string[] of the keys that are set
---@field notes string[] what is to be known of it
---@field forced? string why no rule allows it

---@class (exact) kplay.way
---@field steps kplay.step_of_way[]
---@field opened kplay.advisory[] on the way, each once
---@field exposed integer advisories that are open at its stops, added up
---@field told boolean kplay was told about every release of it

-- Levels of metadata.version that cannot be taken back (didMetadataChange, MetadataVersion.java).
local one_way = { 8, 11, 13, 14, 15, 17, 23, 30, 32, 33 }

---@param a? kplay.line
---@param b? kplay.line
---@return boolean
local function is_one_way(a, b)
  for _, level in ipairs(one_way) do
    if a and b and a.level and b.level and level > a.level and level <= b.level then return true end
  end
  return false
end

--- What a step means beside advisories and keys.
---@param from string
---@param to string
---@return string[]
local function notes_of(from, to)
  local a, b = versions.row(from), versions.row(to)
  local notes, was, is = {}, versions.parse(from), versions.parse(to)
  if not versions.is_known(to) then notes[1] = ("kplay was not told about %s: what it fixes and opens is not known here"):format(to) end
  if was.major < 4 and is.major >= 4 then
    notes[#notes + 1] = "a cluster in ZooKeeper mode must be migrated to KRaft first, on 3.9"
  end
  if a and b and b.floor and a.level and a.level < b.floor then
    notes[#notes + 1] = ("metadata.version must be at least %d first"):format(b.floor)
  end
  if b and a and b.java > a.java then notes[#notes + 1] = ("Java %d or newer"):format(b.java) end
  if is_one_way(a, b) then
    notes[#notes + 1] = ("the way back ends when metadata.version is raised to %s"):format(versions.level_name(b and b.level or 0))
  elseif a and b and b.level and a.level and b.level > a.level then
    notes[#notes + 1] = "the way back stays open: metadata.version can be lowered again"
  end
  if is.major < 4 and was.line ~= is.line then
    notes[#notes + 1] = "in ZooKeeper mode the way back ends when inter.broker.protocol.version is raised"
  end
  return notes
end

---@param from string
---@param to string
---@param options kplay.ways_options
---@return kplay.step_of_way
local function step_of(from, to, options)
  local fixed, opened = advisories.step(from, to)
  if not versions.is_known(to) then fixed = {} end -- nothing is known to be right with it
  local again = {}
  for _, advisory in ipairs(advisories.reopened(from, to)) do again[advisory.id] = true end
  return { from = from, to = to, fixed = fixed, opened = opened, again = again, dropped = keys.dropped(from, to, options.keys or {}),
    notes = notes_of(from, to), forced = skew.refuses(from, to, options.rules) }
end

---@param stops string[]
---@param options kplay.ways_options
---@param known table<string, kplay.step_of_way?> steps that are looked at already
---@return kplay.way
local function way_of(stops, options, known)
  local way, seen = { steps = {}, opened = {}, exposed = 0, told = true }, {}
  for i = 2, #stops do
    local key = stops[i - 1] .. " " .. stops[i]
    local step = known[key] or step_of(stops[i - 1], stops[i], options)
    known[key] = step
    way.steps[#way.steps + 1] = step
    way.told = way.told and versions.is_known(step.to)
    if i < #stops then way.exposed = way.exposed + #advisories.open(step.to) end
    for _, advisory in ipairs(step.opened) do
      if not seen[advisory.id] then way.opened[#way.opened + 1] = advisory end
      seen[advisory.id] = true
    end
  end
  return way
end

--- Where one may stop between two releases: the newest patch of each line.
---@param from string
---@param to string
---@return string[]
local function stops_between(from, to)
  local stops = {}
  for _, row in ipairs(versions.lines) do
    local release = versions.newest(row.line)
    if versions.compare(release, from) > 0 and versions.compare(release, to) < 0 then stops[#stops + 1] = release end
  end
  return stops
end

--- Why a step may not be taken, each looked up once: a search asks for the same ones again and again.
---@param rules? "conservative"|"documented"
---@return fun(from: string, to: string): string?
local function judge_of(rules)
  local known = {}
  return function(from, to)
    local key = from .. " " .. to
    if known[key] == nil then known[key] = skew.refuses(from, to, rules) or false end
    return known[key] or nil
  end
end

--- Every way of at most `most` steps, each step allowed by the rules.
---@param from string
---@param to string
---@param most integer
---@param refuses fun(from: string, to: string): string?
---@return string[][]
local function all_ways(from, to, most, refuses)
  local found, stops = {}, stops_between(from, to)
  local function go(path, next_stop)
    local here = path[#path]
    if not refuses(here, to) then
      local whole = { table.unpack(path) }
      whole[#whole + 1] = to
      found[#found + 1] = whole
    end
    if #path >= most then return end
    for i = next_stop, #stops do
      if not refuses(here, stops[i]) then
        path[#path + 1] = stops[i]
        go(path, i + 1)
        path[#path] = nil
      end
    end
  end
  go({ from }, 1)
  return found
end

---@param a kplay.way
---@param b kplay.way
---@return boolean
local function is_better(a, b)
  if #a.opened ~= #b.opened then return #a.opened < #b.opened end
  if a.exposed ~= b.exposed then return a.exposed < b.exposed end
  if #a.steps ~= #b.steps then return #a.steps < #b.steps end
  for i = 1, #a.steps do
    local order = versions.compare(a.steps[i].to, b.steps[i].to)
    if order ~= 0 then return order > 0 end
  end
  return false
end

---@class (exact) kplay.ways_options
---@field rules? "conservative"|"documented"
---@field keys? string[] of server.properties, those that are set
---@field via? string a stop that is wanted, whatever the rules say of it

--- The ways that the rules allow, best first; nil, why, and what to do, when there is none.
---@param from string
---@param to string
---@param options kplay.ways_options
---@return kplay.way[]?, string?, string?
function ways.find(from, to, options)
  if versions.compare(from, to) >= 0 then
    return nil, ("%s is no newer release than %s"):format(to, from), "give the release that runs first, then the one wanted"
  end
  local shortest = skew.path(from, to, options.rules)
  local most = (shortest and #shortest - 1 or 3) + ways.detour
  local stops = options.via and { { from, options.via, to } } or all_ways(from, to, most, judge_of(options.rules))
  local found, known = {}, {}
  for i, path in ipairs(stops) do found[i] = way_of(path, options, known) end
  if #found == 0 then
    local other = options.rules ~= "documented" and ways.find(from, to, { rules = "documented" })
    return nil, skew.refuses(from, to, options.rules) or ("no way is known from %s to %s"):format(from, to),
      other and "--rules documented knows one" or "choose another release"
  end
  table.sort(found, is_better)
  local told = {}
  for i = 1, math.min(ways.most, #found) do told[i] = found[i] end
  return told
end

local unit = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }

--- About how long a way takes, node after node: "about 30 min: 6 nodes, 1 step, 5m each".
---@param way kplay.way
---@param nodes integer
---@param each string a duration, like "5m"
---@return string
function ways.takes(way, nodes, each)
  local seconds = 0
  for number, letters in each:gmatch("(%d+)(%a+)") do seconds = seconds + (tonumber(number) or 0) * (unit[letters] or 0) end
  local minutes = math.max(1, math.floor(seconds * nodes * #way.steps / 60))
  return ("  about %d min: %d nodes, %d %s, %s each"):format(minutes, nodes, #way.steps,
    #way.steps == 1 and "step" or "steps", each)
end

--- A way in lines.
---@param way kplay.way
---@return string[]
function ways.lines(way)
  local lines, stops = {}, { way.steps[1].from }
  for _, step in ipairs(way.steps) do stops[#stops + 1] = step.to end
  local opens = #way.opened > 0 and advisories.names(way.opened) or way.told and "nothing" or "nothing that is known here"
  lines[1] = ("%s   (%d %s, opens %s)"):format(table.concat(stops, " -> "), #way.steps, #way.steps == 1 and "step" or "steps", opens)
  for _, step in ipairs(way.steps) do
    local function add(word, text) lines[#lines + 1] = ("    %-8s  %s"):format(word, text) end
    lines[#lines + 1] = ("  %s -> %s"):format(step.from, step.to)
    if step.forced then add("against", "the rules: " .. step.forced) end
    if #step.fixed > 0 then add("fixes", advisories.names(step.fixed)) end
    for _, advisory in ipairs(step.opened) do
      add(step.again[advisory.id] and "re-opens" or "opens", advisory.id .. ": " .. advisory.what)
    end
    for _, key in ipairs(step.dropped) do add("drops", key .. ", which is set") end
    for _, note in ipairs(step.notes) do add("note", note) end
  end
  return lines
end

return ways
