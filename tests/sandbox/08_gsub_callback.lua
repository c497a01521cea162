-- error computes without calling a verb
("aaa"):gsub("a", function() while true do pcall(function() while true do end end) end end)
