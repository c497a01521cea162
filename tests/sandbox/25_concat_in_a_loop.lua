-- error computes without calling a verb
local t = {}
for i = 1, 500000 do t[i] = "x" end
while true do pcall(table.concat, t) end
