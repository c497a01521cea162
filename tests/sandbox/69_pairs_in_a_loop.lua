-- error computes without calling a verb
local t = {}
for i = 1, 100000 do t["k" .. i] = i end
while true do pcall(pairs, t) end
