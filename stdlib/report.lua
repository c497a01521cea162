--- Findings as a table: the worst first, each with what is wrong, where, and what to do about it.

local gate = require "gate"

local report = {}

---@alias kplay.weight integer 1 nothing overrides it, 2 it refuses, 3 it is overridden, 4 it is to be known

---@param f kplay.finding
---@return kplay.weight
local function weight(f)
  if f.severity ~= "refuse" then return 4 end
  return f.covered and 3 or f.hard and 1 or 2
end

--- The worst first; those that weigh the same in the order in which they were found.
---@param found kplay.finding[]
---@return kplay.finding[]
function report.sorted(found)
  local rows = {}
  for w = 1, 4 do
    for _, f in ipairs(found) do
      if weight(f) == w then rows[#rows + 1] = f end
    end
  end
  return rows
end

--- One finding: its row, where and what; below it the evidence and the remedy.
---@param f kplay.finding
---@param again string what a remedy ends with: "run preflight again"
local function tell(f, again)
  local text = ("%-16s %s"):format(f.row, gate.line(f))
  warn(f.covered and ("%s; overridden: %s"):format(text, f.covered) or text, f)
  for line in (f.detail or ""):gmatch("[^\n]+") do log(line) end
  log("next  " .. f.next:gsub("kplay resume", again))
end

--- Tells all of them; how many would refuse, and how many are only to be known.
---@param found kplay.finding[]
---@param again string what a remedy ends with: "run preflight again"
---@return integer, integer
function report.tell(found, again)
  local refuse = 0
  for _, f in ipairs(report.sorted(found)) do
    tell(f, again)
    if weight(f) < 3 then refuse = refuse + 1 end
  end
  return refuse, #found - refuse
end

return report
