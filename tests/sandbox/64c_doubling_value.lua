-- error more than 2 MB of arguments
local t = { 1 }
for i = 1, 22 do t = { t, t } end
echo(t)
