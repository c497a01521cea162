-- error computes without calling a verb
local t = {}
for i = 1, 300000 do t[i] = i end
while true do pcall(table.sort, t) end
