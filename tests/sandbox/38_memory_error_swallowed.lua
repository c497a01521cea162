-- error more than 64 MB of memory
local all, large = {}, ("x"):rep(1 << 20)
local function grow() while true do all[#all + 1] = large .. #all end end
while true do pcall(grow) end
