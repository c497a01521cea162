-- table.sort with ties, unbalanced, more than 100 items
local t, out = {}, ""
for i = 1, 600 do t[i] = { key = i < 500 and 1 or i % 5, was = i } end
table.sort(t, function(a, b) return a.key < b.key end)
for _, v in ipairs(t) do out = out .. v.was .. " " end
say(out)
