-- error computes without calling a verb
wait_until(function() while true do end end)
