-- table.sort of texts and numbers
local t, out = {}, ""
for i = 1, 300 do t[i] = ("x"):rep(i % 7) .. i * 7919 % 300 end
table.sort(t)
for _, v in ipairs(t) do out = out .. v .. " " end
say(out)
