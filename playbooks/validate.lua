--- Say whether the cluster is as it should be after a roll: healthy, on one release, leaders spread.
--
-- Changes nothing.
--
-- @usage kplay run validate.lua --release 3.9.1
-- @see   rolling

local gate  = require "gate"
local order = require "order"

return {
  api     = 1,
  summary = "Prove that the cluster is healthy and on one release; change nothing.",
  effects = {},

  args = {
    release = { "version", doc = "the release every node should run; left out, any one release" },
    skip    = { "node[]", default = {}, doc = "nodes to leave out" },
  },

  run = function(args)
    local nodes = order.all(args.skip)
    step("health")
    gate.healthy()
    step("releases")
    local first = nodes[1]
    gate.all_on(nodes, args.release or first and version(first))
    step("leaders")
    for _, id in ipairs(order.brokers(args.skip)) do
      local b = broker(id)
      log(("broker %d leads %d of its %d partitions"):format(id, b.leads, b.replicas))
    end
  end,
}
