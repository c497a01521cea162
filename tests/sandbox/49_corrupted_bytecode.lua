-- absent load
load("\27Lua")
