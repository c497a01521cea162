-- error computes without calling a verb
-- short functions one after another: their instructions add up
local function short() local n = 0 for i = 1, 300 do n = n + i end return n end
while true do pcall(short) end
