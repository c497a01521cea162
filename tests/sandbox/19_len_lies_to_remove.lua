-- says nil
local t = { __len = function() return 1 << 40 end }
say(tostring(table.remove(t)))
