-- error computes without calling a verb
while true do end
