-- says table
local t = {}
t.__tostring = function(x) return tostring(x) end
say(tostring(t))
