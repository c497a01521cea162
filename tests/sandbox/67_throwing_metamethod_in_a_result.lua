-- says 1
local t = { __index = function() error("x") end, 1 }
t.__index = nil
say(echo(t)[1])
