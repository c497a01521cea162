-- pairs over booleans, numbers and texts
local t, out = { [true] = 1, [false] = 2, [0.5] = 3, [-3] = 4, [1 << 40] = 5, x = 6, y = 7, 8, 9 }, ""
for k, v in pairs(t) do out = out .. tostring(k) .. "=" .. v .. " " end
say(out)
