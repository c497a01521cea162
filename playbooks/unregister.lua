--- Make the controllers forget a broker that is gone for good (KRaft, 4.0 and later).
--
-- A registration that is left over holds metadata.version down; `kplay cluster check`
-- names it.  Refused for a broker of the cluster file, for one that is alive, and for one
-- that alone has the newest records of a partition.  Nothing is deleted: started again,
-- that broker registers again.
--
-- @usage kplay run unregister.lua --id 9
-- @see   preflight

return {
  api     = 1,
  summary = "Make the controllers forget a broker that is gone for good.",
  effects = { "broker.unregister" },

  args = { id = { "int", required = true, doc = "the broker's id; it is in no cluster file" } },

  run = function(args)
    step("registration")
    confirm(("Broker %d is gone for good, and is to be forgotten?"):format(args.id))
    local result = unregister_broker(args.id)
    if result.already then log(("broker %d was not registered"):format(args.id)) end
  end,

  --- Questions only.
  verify = function(args)
    for _, f in ipairs(findings{ nodes = {} }) do
      if f.row == "ghosts" and f.node == args.id then fail(f.text, { next = f.next }) end
    end
  end,
}
