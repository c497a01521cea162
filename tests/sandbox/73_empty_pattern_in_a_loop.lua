-- error takes too long to match
local s = ("x"):rep(8000000)
while true do s:gsub("", "") end
