-- lag{}: totals, the worst partitions, and what has changed since a name was saved.
local kplay = require "kplay"

local function write(name, body)
  local file = io.open(name, "w")
  if not file then error("cannot write " .. name) end
  file:write('return { api = 1, summary = "lag", effects = { "leader.elect" }, args = { file = { "path", doc = "a baseline" } },\n'
    .. "run = function(args)\n" .. body .. "\nend }\n")
  file:close()
end

local function cluster(more)
  local spec = { groups = { "billing", "audit" }, topics = { { name = "clicks", partitions = 4 }, { name = "orders", partitions = 2 } } }
  for k, v in pairs(more or {}) do spec[k] = v end
  return kplay.simulate(spec)
end

--- The lines that a playbook of this body logs, and its result.
local function logged(body, options, args, sim)
  local name = os.tmpname() .. ".lua"
  write(name, body)
  local said = {}
  sim = sim or cluster()
  local r = sim:run(name, args, options)
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

describe("a baseline in a file", function()
  local SAVE = [[lag{ save = "before", file = args.file }]]
  local AGAINST = [[
    local told = lag{ against = "before", file = args.file }
    log(#told.worst .. " " .. table.concat(told.appeared, ",") .. " " .. table.concat(told.vanished, ","))]]

  local function text(path)
    local file = io.open(path, "rb")
    if not file then return nil end
    local all = file:read("a")
    file:close()
    return all
  end

  local function put(path, all)
    local file = io.open(path, "wb")
    if not file then error("cannot write " .. path) end
    file:write(all)
    file:close()
  end

  --- A baseline of the cluster; its path.
  local function saved()
    local path = os.tmpname()
    os.remove(path)
    local _, r = logged(SAVE, nil, { file = path })
    assert.truthy(r.ok, r.error and r.error.what)
    return path
  end

  local function refused(what, body, path, sim)
    local _, r = logged(body, nil, { file = path }, sim)
    assert.falsy(r.ok)
    assert.equal(2, r.exit, r.error.what)
    assert.truthy(r.error.what:find(what, 1, true), r.error.what)
    if r.error.class == "config" then assert.truthy(r.error.where:find(path, 1, true), r.error.where) end
  end

  it("is written by one run and read by another", function()
    local path = saved()
    assert.truthy(text(path):find('"kplay":"lag"', 1, true))
    assert.same({ "0 new audit" }, (logged(AGAINST, nil, { file = path }, cluster { groups = { "billing", "new" } })))
    assert.same({ "0  " }, (logged(AGAINST, nil, { file = path })))
    logged(SAVE, nil, { file = path }) -- it takes the place of the old one
    assert.falsy(text(path .. ".kplay-tmp"))
    os.remove(path)
  end)

  it("is read once: what was read is in the run, though kplay died before it answered", function()
    local body = AGAINST .. [[

        step("again")
        log(#lag{ against = "before", file = args.file }.worst .. "")
        elect_preferred()]]
    local from, answered
    for at = 2, 9 do
      local path, name, sim = saved(), os.tmpname() .. ".lua", cluster()
      write(name, body)
      local r = sim:run(name, { file = path }, { killed_at = at })
      for _, e in ipairs(r.events) do
        if e.event == "note" then answered = answered or at end
      end
      os.remove(path)
      if r.state == "killed" then r = sim:resume() end
      if r.ok then from = from or at else assert.equal("no such file", r.error.what) end
      assert.equal(from ~= nil, r.ok, "killed at " .. at)
      os.remove(name)
    end
    assert.truthy(from and answered and from > 2 and from < answered - 1, ("%s %s"):format(from, answered))
  end)

  it("is none when it is torn, edited, newer, or something else", function()
    local path = saved()
    local whole = text(path)
    for _, n in ipairs { 0, 1, #whole // 2, #whole - 1 } do
      put(path, whole:sub(1, n))
      refused("is no baseline of lag: ", AGAINST, path)
    end
    put(path, (whole:gsub('"Stable"', '"Stale"', 1)))
    refused("it is not as it was written", AGAINST, path)
    put(path, (whole:gsub('"format":1', '"format":2')))
    refused("is of format 2, and this kplay reads up to 1", AGAINST, path)
    put(path, (whole:gsub('"format":1', '"format":0')))
    refused("its format is not known", AGAINST, path)
    put(path, (whole:gsub('"kplay":"lag"', '"kplay":"groups"')))
    refused("is no baseline of lag: it is one of groups", AGAINST, path)
    put(path, "[1]")
    refused("it does not say that kplay wrote it", AGAINST, path)
    os.remove(path)
    refused("no such file", AGAINST, path)
    refused("is not a file but a directory", AGAINST, "/tmp")
  end)

  it("of another cluster is refused, and not overwritten", function()
    local path = saved()
    local whole, other = text(path), cluster { seed = 7 }
    refused("is of cluster ", AGAINST, path, other)
    refused("is not overwritten: it is of cluster ", SAVE, path, other)
    assert.equal(whole, text(path))
    os.remove(path)
  end)

  it("never takes the place of a person's file", function()
    local path = os.tmpname()
    for _, all in ipairs { "my notes", "", "{}" } do
      put(path, all)
      refused("is not overwritten: it is no baseline of lag", SAVE, path)
      assert.equal(all, text(path))
    end
    os.remove(path)
    refused("is not overwritten: it is not a file but a directory", SAVE, "/tmp")
    refused("cannot be made", SAVE, path .. "/none/x")
  end)

  it("is a person's to name, not the playbook's", function()
    local path = os.tmpname()
    os.remove(path)
    for _, file in ipairs { path, path .. "x", "", "/etc/passwd" } do
      refused("`file` is no path that a person gave this run", ('lag{ save = "before", file = "%s" }'):format(file), "/tmp/other")
      refused("`file` is no path that a person gave this run", ('lag{ against = "before", file = "%s" }'):format(file), "/tmp/other")
    end
    assert.falsy(text(path))
    local _, r = logged([[lag{ file = args.file }]], nil, { file = path })
    assert.truthy(r.error.what:find("`file` is for one of `save` and `against`", 1, true), r.error.what)
    _, r = logged([[wait_until(function() lag{ save = "before", file = args.file } return true end)]], nil, { file = path })
    assert.truthy(r.error.what:find("a baseline is kept inside wait_until", 1, true), r.error.what)
    assert.falsy(text(path))
  end)
end)
