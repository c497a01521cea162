-- says 505000
local t = {}
for i = 1, 5000 do t[i] = 1 / 3 end
say(#("%99.99f"):rep(5000):format(table.unpack(t)))
