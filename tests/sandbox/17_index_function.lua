-- says nil
local t = { __index = function() while true do end end }
say(tostring(t.x))
