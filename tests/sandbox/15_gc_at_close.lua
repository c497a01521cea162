-- says made
-- a table is only a table: its __gc is a field
local t = { __gc = function() while true do end end }
t.t = t
say("made")
