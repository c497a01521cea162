-- error attempt to call a table value (local 't')
local t = {}
t.__call = t
t()
