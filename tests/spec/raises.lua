--- Raises what cannot be lowered again.

return {
  api     = 1,
  summary = "Raise inter.broker.protocol.version.",
  effects = { "config.file" },

  run = function()
    step("raise")
    set_ibp(brokers(), "3.5")
  end,
}
