--- Asks twice, and does a little after each yes.

return {
  api     = 1,
  summary = "Ask twice.",
  effects = { "leader.elect" },

  run = function()
    step("first")
    confirm("Elect leaders?")
    elect_preferred()
    step("second")
    confirm("Once more?")
    elect_preferred()
  end,
}
