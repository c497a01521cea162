-- pairs over text keys
local t, out = {}, ""
for i = 1, 200 do t["key" .. i] = i end
for k in pairs(t) do out = out .. k .. " " end
say(out)
