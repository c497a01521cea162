-- error string.rep of more than 8 MB
local s = string.rep("x", 1 << 30)
