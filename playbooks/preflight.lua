--- Say whether the cluster can be rolled or upgraded today, and what stands in the way.
--
-- Keeps the lag of all consumer groups, to compare it afterwards (validate.lua).
-- Changes nothing.  Lists every finding instead of stopping at the first one, then
-- fails if any of them would refuse a roll.
--
-- @usage kplay run preflight.lua --to 3.9.1
-- @see   rolling

local baseline = require "baseline"
local gate     = require "gate"
local order    = require "order"
local skew     = require "skew"

return {
  api     = 1,
  summary = "Look for everything that would stop a roll; change nothing.",
  effects = {},

  args = {
    to    = { "version", doc = "release that is to be installed" },
    skip  = { "node[]", default = {}, doc = "nodes that will be left alone" },
    rules = { "text", default = "conservative", doc = "which release may follow which: conservative or documented" },
    baseline = { "path", doc = "write the lag of all groups to this file, for validate.lua to compare with" },
  },

  run = function(args)
    local refuse = 0
    local function tell(line, next, refuses)
      warn(line)
      if next then log("next  " .. next:gsub("kplay resume", "run preflight again")) end
      if refuses then refuse = refuse + 1 end
    end
    if args.to then
      step("release")
      for _, line in ipairs(skew.findings(args.to, args.rules)) do tell(line, nil, true) end
    end
    step("nodes")
    for _, f in ipairs(gate.node_findings(order.all(args.skip), args.to)) do
      local refuses = f.severity == "refuse" and not f.covered
      tell(gate.line(f) .. (f.covered and "; overridden: " .. f.covered or ""), f.next, refuses)
    end
    step("lag")
    local unsaved = baseline.save(args.baseline)
    if unsaved then tell("the lag of consumer groups is not known: " .. unsaved.what, unsaved.next, true) end
    if refuse > 0 then
      fail(refuse .. " finding(s) would stop a roll", { next = "mend them, then run preflight again", final = true })
    end
    log("nothing stands in the way")
  end,
}
