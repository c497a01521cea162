-- error deep inside each other
local t = {}
t.t = t
echo(t)
