-- says 1
local t = { __len = function() return 1 << 40 end }
table.insert(t, 1, 0)
say(#t)
