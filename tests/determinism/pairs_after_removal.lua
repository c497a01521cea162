-- keys removed and added while a table is walked
local t, out = {}, ""
for i = 1, 100 do t["k" .. i] = i end
for k, v in pairs(t) do t["k" .. v % 100 + 1] = nil t["new" .. v] = v out = out .. k .. " " end
for k in pairs(t) do out = out .. k .. " " end
say(out)
