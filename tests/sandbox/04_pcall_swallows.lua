-- error computes without calling a verb
while true do pcall(function() while true do end end) end
