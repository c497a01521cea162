-- error computes without calling a verb
for i = 1, math.maxinteger do end
