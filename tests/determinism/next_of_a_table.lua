-- next
local t = {}
for i = 1, 100 do t["k" .. i] = i end
for i = 1, 50 do local k = next(t) say(k) t[k] = nil end
