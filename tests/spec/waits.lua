--- Lets time pass.

return {
  api     = 1,
  summary = "Wait.",
  effects = {},

  args = { time = { "duration", required = true, doc = "how long" } },

  run = function(args) sleep(args.time) end,
}
