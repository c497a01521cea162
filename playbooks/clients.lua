--- Say who is connected with what software, and go through what has to be updated before an upgrade.
--
-- Changes nothing.  Who breaks on 4.0, who is too far behind and who is not known is
-- found out by the brokers' own metrics.  Then consumers, producers and admin tools
-- are updated, by people, in this order: each item is ticked by a yes, and a no leaves
-- the run to be gone on with (kplay approve).  At the end it looks again, twice.
--
-- @usage kplay run clients.lua --to 4.0.1
-- @usage kplay run clients.lua --to 4.0.1 --watch true
-- @see   preflight, rolling

local audit = require "audit"

return {
  api     = 1,
  summary = "Tell who is connected with what, and tick off what must be updated; change nothing.",
  effects = {},

  args = {
    to            = { "version", doc = "release that is to be installed" },
    window        = { "int", default = 2, doc = "so many majors may a client be behind the newest" },
    format_change = { "bool", default = false, doc = "messages change their format: consumers go before producers" },
    order         = { "text", default = "consumers,producers,admin tools", doc = "in which order they are ticked" },
    quiet         = { "duration", default = "10m", doc = "at the end nothing of it may be seen for so long" },
    watch         = { "bool", default = false, doc = "no questions: wait until nothing is found any more" },
  },

  check = function(args) audit.steps(args.order, args.format_change) end,

  run = function(args)
    step("who")
    local first = clients()
    for _, line in ipairs(audit.lines(first)) do log(line) end
    local found = audit.findings(first, args.to, args.window)
    audit.tell(found)
    if #found == 0 and not args.format_change then return end
    if args.watch then
      step("watch")
      repeat audit.wait(args.to, args.window) until #audit.within(args.to, args.window, args.quiet) == 0
    else
      for _, item in ipairs(audit.steps(args.order, args.format_change)) do
        step(item)
        confirm(("Are all %s updated that are named above?"):format(item))
      end
      step("again")
      audit.refuse(audit.within(args.to, args.window, args.quiet))
    end
    log("nothing is left of it")
  end,
}
