-- error computes without calling a verb
local s = ("x"):rep(8e6)
while true do pcall(s.upper, s) end
