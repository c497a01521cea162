-- the kill for work comes at the same place
nearly()
local n = 0
while true do
  n = n + 1
  if n % 100000 == 0 then say(n) end
end
