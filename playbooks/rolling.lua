--- Restart every node once, or upgrade it to another release: one at a time, controllers first.
--
-- Refuses to begin on an unhealthy cluster, on a release that must not follow the
-- running one, and when anything would stand in the way of any node later: every row
-- of the guard is judged for every node before the first one is stopped.  Never stops a node
-- while a partition is under-replicated, and goes on only when the node is back in
-- every ISR it was in before.  A resumed run continues with the node it was
-- interrupted on; a second run skips the nodes that are on the target already.
--
-- @usage kplay run rolling.lua --to 3.9.1 --settle 45m
-- @usage kplay run rolling.lua              (restart only)
-- @see   preflight, validate

local gate  = require "gate"
local node  = require "node"
local order = require "order"
local skew  = require "skew"

return {
  api     = 1,
  summary = "Restart or upgrade every node, one at a time.",
  effects = { "broker.restart", "controller.restart", "release.stage", "release.switch", "config.file", "leader.elect" },

  args = {
    to     = { "version", doc = "release to install; left out, every node is only restarted" },
    settle = { "duration", default = "30m", doc = "how long a rejoining node may go without progress" },
    skip   = { "node[]", default = {}, doc = "nodes to leave alone" },
    only   = { "node[]", default = {}, doc = "nodes to take, and no others" },
    rules  = { "text", default = "conservative", doc = "which release may follow which: conservative or documented" },
    known  = { "module", doc = "a module of yours with more releases, advisories and keys: team.releases" },
  },

  --- Questions only.  Decides whether the run may start at all.
  check = function(args)
    skew.learn(args.known)
    if args.to then skew.allows(args.to, args.rules) end
    gate.healthy()
    gate.can_take(order.all(args.skip, args.only), args.to)
  end,

  run = function(args)
    if args.to then
      step("stage")
      skew.learn(args.known)
      skew.agree(args.to, args.rules)
      stage_release(order.all(args.skip, args.only), args.to)
    end
    for id, at, of in order.rolling(args.skip, args.only) do -- controllers, the active one last; then brokers, the controller last
      step(node.name(id), { hold = true, at = at, of = of })
      if args.to and node.is_on(id, args.to) then
        skip(id, "already on " .. args.to)
      else
        node.roll(id, args.to, args.settle)
      end
    end
    step("leaders")
    elect_preferred()
  end,

  --- Questions only.  What must hold when `run` has returned.
  verify = function(args)
    gate.healthy()
    if args.to then
      gate.all_on(order.all(args.skip, args.only), args.to)
      gate.left_undone(args.to)
    end
  end,
}
