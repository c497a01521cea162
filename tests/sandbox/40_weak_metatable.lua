-- absent setmetatable
local mt = setmetatable({ __newindex = {} }, { __mode = "v" })
