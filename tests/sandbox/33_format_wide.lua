-- says 600000
local t = {}
for i = 1, 5000 do t[i] = 1 / 3 end
say(#string.format(("%99.99f%10s"):rep(5000), table.unpack(t, 1, 5000)) or 0)
