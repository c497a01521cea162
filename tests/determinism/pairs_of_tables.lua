-- pairs over keys that have no order
local t = { [{}] = 1, [{}] = 2, [{}] = 3 }
local ok, e = pcall(function() for k in pairs(t) do say(tostring(k)) end end)
say(e.what)
