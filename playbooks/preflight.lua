--- Say whether the cluster can be rolled or upgraded today, and what stands in the way.
--
-- Changes nothing.  Lists every finding, the worst first, instead of stopping at the
-- first one: what is wrong, where, and what to do about it.
-- Keeps the lag of all consumer groups, to compare it afterwards (validate.lua).
-- Ends with 0 when there is none, with 5 when all of them only warn, and with 3 when
-- one would refuse a roll.
--
-- @usage kplay run preflight.lua --to 3.9.1
-- @see   rolling

local baseline = require "baseline"
local gate     = require "gate"
local order    = require "order"
local report   = require "report"
local skew     = require "skew"

return {
  api     = 1,
  summary = "Look for everything that would stop a roll; change nothing.",
  effects = {},

  args = {
    to    = { "version", doc = "release that is to be installed" },
    skip  = { "node[]", default = {}, doc = "nodes that will be left alone" },
    rules = { "text", default = "conservative", doc = "which release may follow which: conservative or documented" },
    known = { "module", doc = "a module of yours with more releases, advisories and keys: team.releases" },
    baseline = { "path", doc = "write the lag of all groups to this file, for validate.lua to compare with" },
  },

  run = function(args)
    local found = {} ---@type kplay.finding[]
    if args.to then
      step("release")
      skew.learn(args.known)
      for _, f in ipairs(skew.findings(args.to, args.rules)) do
        if f.severity == "note" then log(f.text) else found[#found + 1] = skew.as_finding(f) end
      end
    end
    step("nodes")
    for _, f in ipairs(gate.node_findings(order.all(args.skip), args.to)) do found[#found + 1] = f end
    step("lag")
    local unsaved = baseline.save(args.baseline)
    if unsaved then found[#found + 1] = baseline.as_finding(unsaved) end
    step("findings")
    local refuse, warned = report.tell(found, "run preflight again")
    if refuse > 0 then
      fail(("%d finding%s would stop a roll"):format(refuse, refuse == 1 and "" or "s"),
        { next = "mend them, then run preflight again", final = true })
    end
    log(warned == 0 and "nothing stands in the way"
      or ("nothing stands in the way; %d warning%s"):format(warned, warned == 1 and "" or "s"))
  end,
}
