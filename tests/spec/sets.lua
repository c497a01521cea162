--- Sets a line of server.properties, or removes it, and lets time pass.

return {
  api     = 1,
  summary = "Set a line of server.properties.",
  effects = { "config.file" },

  args = {
    nodes = { "node[]", doc = "whose file" },
    key   = { "text", doc = "the line" },
    value = { "text", default = "", doc = "its value; empty: the line is removed" },
    wait  = { "duration", default = "0s", doc = "then so long" },
  },

  run = function(args)
    step("set")
    set_properties(args.nodes, { [args.key] = args.value ~= "" and args.value or false })
    sleep(args.wait)
  end,
}
