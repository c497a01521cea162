-- error an error cannot be changed
local ok, e = pcall(boom)
e.retriable = true
