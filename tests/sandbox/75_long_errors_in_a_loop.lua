-- error computes without calling a verb
local s = ("x"):rep(1 << 20)
while true do pcall(error, s) end
