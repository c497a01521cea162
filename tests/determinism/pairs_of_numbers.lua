-- pairs over integer and float keys
local t, out = {}, ""
for i = 1, 200 do t[i * 7 % 101 - 50] = i t[i + 0.25] = i end
for k in pairs(t) do out = out .. k .. " " end
say(out)
