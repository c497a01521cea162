--- What it does.
local gate = require "team.gate"
local t <const> = { [1] = "a\u{e9}\z  b", n = 0x1p4, ["k"] = #"x" // 1 }
return { api = 1, summary = "s", effects = { "broker.restart" }, args = { to = { "version", doc = "d" },
  n = { "int", default = 3, doc = "d" }, w = { "duration", default = "30m", doc = "d" } },
  run = function(args) goto done ::done:: for k, v in pairs(args) do log(k) end return ... end }
