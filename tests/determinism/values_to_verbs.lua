-- tables given to verbs
local t = {}
for i = 1, 100 do t["k" .. i] = { [("n"):rep(i % 5 + 1)] = i, list = { i, i } } end
say(t)
say(given(t, { b = 1, a = 2 }))
