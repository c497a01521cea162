--- Say whether the cluster is as it should be after an upgrade or a restart of its nodes.
--
-- Every node on one release by its running process, nothing under-replicated, no ghost, one
-- level everywhere, leaders where they belong, log dirs well, no host held by a run; and with
-- --baseline, no consumer group further behind than when preflight.lua wrote that file.
-- Changes nothing.  Tells everything that is wrong, and fails when anything is.
--
-- @usage kplay run validate.lua --release 3.9.1 --baseline before.json
-- @see   rolling, preflight

local baseline = require "baseline"
local gate     = require "gate"
local order    = require "order"

return {
  api     = 1,
  summary = "Prove that the cluster is healthy and on one release; change nothing.",
  effects = {},

  args = {
    release   = { "version", doc = "the release every node should run; left out, any one release" },
    skip      = { "node[]", default = {}, doc = "nodes to leave out" },
    baseline  = { "path", doc = "the lag of all groups as preflight.lua wrote it; left out, lag is not compared" },
    tolerance = { "int", default = 0, doc = "so many records more are no change, in each partition" },
  },

  run = function(args)
    local nodes, ids, found = order.all(args.skip), order.brokers(args.skip), {}
    local function look(findings)
      for _, f in ipairs(findings) do found[#found + 1] = f end
    end
    step("health")
    look(gate.end_findings())
    step("releases")
    look(gate.other_releases(nodes, args.release or nodes[1] and version(nodes[1])))
    look(gate.other_levels(nodes, ids))
    step("leaders")
    look(gate.unbalanced(ids))
    step("log dirs")
    look(gate.bad_log_dirs(ids))
    look(gate.held(nodes))
    step("lag")
    if args.baseline then look(baseline.compare(args.baseline, args.tolerance))
    else log("lag is not compared: no --baseline FILE was given") end
    gate.require_none(found)
  end,
}
