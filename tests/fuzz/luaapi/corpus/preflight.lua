--- Say whether the cluster can be rolled or upgraded today, and what stands in the way.
--
-- Changes nothing.  Lists every finding instead of stopping at the first one, then
-- fails if any of them would refuse a roll.
--
-- @usage kplay run preflight.lua --to 3.9.1
-- @see   rolling

local gate  = require "gate"
local order = require "order"
local skew  = require "skew"

return {
  api     = 1,
  summary = "Look for everything that would stop a roll; change nothing.",
  effects = {},

  args = {
    to    = { "version", doc = "release that is to be installed" },
    skip  = { "node[]", default = {}, doc = "nodes that will be left alone" },
    rules = { "text", default = "conservative", doc = "which release may follow which: conservative or documented" },
  },

  run = function(args)
    local found = {}
    step("health")
    gate.collect(found, gate.health_findings())
    step("availability")
    for _, id in ipairs(order.brokers(args.skip)) do
      gate.collect(found, gate.roll_findings(id))
    end
    if args.to then
      step("release")
      gate.collect(found, skew.findings(args.to, args.rules))
      gate.collect(found, gate.staged_findings(order.all(args.skip), args.to))
    end
    for _, line in ipairs(found) do warn(line) end
    if #found > 0 then
      fail(#found .. " finding(s) would stop a roll", { next = "mend them, then run preflight again", final = true })
    end
    log("nothing stands in the way")
  end,
}
