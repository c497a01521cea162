-- math.random
for i = 1, 50 do say(math.random(1 << 40)) say(("%.17g"):format(math.random())) end
