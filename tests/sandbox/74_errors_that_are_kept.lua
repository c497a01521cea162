-- error more than 64 MB of memory
local t, s = {}, ("x"):rep(60000)
for i = 1, 1e9 do
  local _, e = pcall(error, s)
  t[i] = e
end
