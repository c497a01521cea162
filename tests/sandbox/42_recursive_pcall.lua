-- says false
local function f() return pcall(f) end
local ok = f()
while ok ~= false do ok = select(2, pcall(error, "deep")) and false end
say(ok)
