--- Show the ways from one release to another: steps, what each fixes, opens and drops.
--
-- Asks no cluster and changes nothing; `kplay path FROM TO` runs it.  The rules say which
-- step may be taken; of what they leave, the way that opens fewest advisories comes
-- first, then the one with fewest steps.
--
-- @usage kplay path 3.9.2 4.4.0
-- @see   rolling, preflight

local advisories = require "advisories"
local skew       = require "skew"
local ways       = require "ways"

return {
  api     = 1,
  summary = "Show the ways from one release to another.",
  effects = {},

  args = {
    from  = { "version", required = true, doc = "the release that runs" },
    to    = { "version", required = true, doc = "the release that is wanted" },
    rules = { "text", default = "conservative", doc = "which release may follow which: conservative or documented" },
    via   = { "version", doc = "a release to stop at, whatever the rules say of it" },
    why   = { "text", doc = "why that stop is wanted, when it opens an advisory" },
    known = { "module", doc = "a module of yours with more releases, advisories and keys: team.releases" },
    keys  = { "text[]", default = {}, doc = "keys of server.properties that are set" },
    nodes = { "int", doc = "how many nodes there are, to say about how long it takes" },
    each  = { "duration", default = "5m", doc = "about how long one node takes: stop, start, catch up" },
  },

  run = function(args)
    skew.learn(args.known)
    local found, none, next = ways.find(args.from, args.to, { rules = args.rules, keys = args.keys, via = args.via })
    if not found then fail(none or "there is no way", { next = next, final = true }) end
    local opened = found and found[1] and found[1].opened or {}
    if args.via and #opened > 0 and not args.why then
      fail(("the way by %s opens %s"):format(args.via, advisories.names(opened)), { next = "say why it is wanted: kplay path FROM TO --via RELEASE --reason TEXT", final = true })
    end
    for _, way in ipairs(found or {}) do
      for _, line in ipairs(ways.lines(way)) do log(line) end
      if args.nodes then log(ways.takes(way, args.nodes, args.each)) end
      log("")
    end
    if args.why then log("reason    " .. args.why) end
  end,
}
