-- absent debug
debug.sethook()
while true do end
