-- error an error can not be changed
local ok, e = pcall(boom)
e.retriable = true
