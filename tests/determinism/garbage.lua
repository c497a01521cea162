-- much garbage between two answers
local keep = {}
for i = 1, 200000 do local t = { i } if i % 1000 == 0 then keep["k" .. i] = t end end
local out = ""
for k, v in pairs(keep) do out = out .. k .. v[1] .. " " end
say(out)
