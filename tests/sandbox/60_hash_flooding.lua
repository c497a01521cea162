-- error more than 64 MB of memory
local t = {}
for i = 1, 2e6 do t[i + 0.5] = i end
