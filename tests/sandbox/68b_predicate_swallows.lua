-- error computes without calling a verb
pcall(wait_until, function() while true do pcall(function() while true do end end) end end)
