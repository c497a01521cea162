-- string.gsub with a table and a function
local t, out = {}, {}
for i = 1, 50 do t["k" .. i] = "v" .. i end
local s = ""
for i = 1, 60 do s = s .. "k" .. i .. " " end
say((s:gsub("%w+", t)))
say((s:gsub("(%w)(%d)", function(a, b) out[#out + 1] = b return b .. a end)))
say(table.concat(out))
