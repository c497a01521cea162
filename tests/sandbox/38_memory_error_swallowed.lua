-- error more than 64 MB of memory
local all = {}
local function grow() while true do all[#all + 1] = ("x"):rep(1 << 20) .. #all end end
while true do pcall(grow) end
