-- the kill for memory comes at the same place
local t = {}
local ok = pcall(function() for i = 1, 1e9 do t[i] = i end end)
say("not reached")
