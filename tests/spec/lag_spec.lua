-- lag{}: totals, the worst partitions, and what has changed since a name was saved.
local kplay = require "kplay"

local function write(name, body)
  local file = io.open(name, "w")
  if not file then error("cannot write " .. name) end
  file:write('return { api = 1, summary = "lag", effects = { "leader.elect" }, run = function()\n' .. body .. "\nend }\n")
  file:close()
end

local function cluster()
  return kplay.simulate { groups = { "billing", "audit" }, topics = { { name = "clicks", partitions = 4 }, { name = "orders", partitions = 2 } } }
end

--- The lines that a playbook of this body logs, and its result.
local function logged(body, options)
  local name = os.tmpname() .. ".lua"
  write(name, body)
  local sim, said = cluster(), {}
  local r = sim:run(name, nil, options)
  while r.state == "killed" do r = sim:resume() end
  os.remove(name)
  for _, e in ipairs(r.events) do
    if e.event == "note" then said[#said + 1] = e.text end
  end
  return said, r
end

describe("lag", function()
  it("tells totals by group, and the partitions that are most behind", function()
    assert.same({ "audit Stable classic 0 of 2", "billing Stable classic 0 of 4", "3 worst" }, (logged [[
      local told = lag{ worst = 3 }
      for _, g in ipairs(told.groups) do log(("%s %s %s %d of %d"):format(g.group, g.state, g.type, g.lag, g.partitions)) end
      log(#told.worst .. " worst")]]))
  end)

  it("says of a group that there is none", function()
    assert.same({ "there is no such group" }, (logged [[log(lag{ groups = { "nobody" } }.groups[1].problem)]]))
  end)

  it("tells what has changed since a name was saved, also when kplay died in between", function()
    local body = [[
      lag{ groups = { "audit" }, save = "before" }
      step("elect") elect_preferred()
      local told = lag{ against = "before" }
      log(#told.worst .. " " .. table.concat(told.appeared, ",") .. " " .. #told.vanished)]]
    assert.same({ "0 billing 0" }, (logged(body)))
    for at = 3, 9 do assert.same({ "0 billing 0" }, (logged(body, { killed_at = at }))) end
  end)

  it("refuses a name that was not saved, and numbers that are none", function()
    local _, r = logged [[lag{ save = "before" } lag{ against = "befor" }]]
    assert.truthy(r.error and r.error.what:find('no baseline "befor" was kept in this run; did you mean "before"?', 1, true))
    _, r = logged [[lag{ worst = 2000 }]]
    assert.truthy(r.error and r.error.what:find("`worst` is from 0 to 1000", 1, true))
  end)
end)
