-- # of lists that grew and shrank
local out = ""
for n = 1, 60 do
  local t = {}
  for i = 1, n do t[i] = i end
  for i = n, n // 2 + 1, -1 do t[i] = nil end
  table.insert(t, 0)
  out = out .. #t .. " "
end
say(out)
