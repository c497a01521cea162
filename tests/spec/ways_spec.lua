-- The ways between releases, beside a search of all of them that knows the data and nothing of ways.lua.
local kplay = require "kplay"

local function modules()
  local world = { fail = function(what) error(what, 0) end }
  return kplay.stdlib("ways", world), kplay.stdlib("versions", world), kplay.stdlib("advisories", world),
    kplay.stdlib("skew", world), kplay.stdlib("keys", world)
end

local ways, versions, advisories, skew, keys = modules()

local every_key = {}
for name in pairs(keys.known) do every_key[#every_key + 1] = (name:gsub("%*$", "x")) end
table.sort(every_key)

-- Newest patches, and those in between that advisories speak of.
local releases = { "3.5.0", "4.1.1", "4.2.1", "4.3.0" }
for _, row in ipairs(versions.lines) do releases[#releases + 1] = versions.newest(row.line) end

local function affected(release, advisory)
  for _, s in ipairs(advisory.affects) do
    if versions.compare(s[1], release) <= 0 and versions.compare(release, s[2]) <= 0 then return true end
  end
  return false
end

--- What a step must say, by the data alone.
local function must_say(from, to)
  local words = {}
  for _, a in ipairs(advisories.list) do
    if affected(to, a) and not affected(from, a) then words[#words + 1] = "opens * " .. a.id .. ":" end
  end
  for _, key in ipairs(every_key) do
    if keys.is_known(key, from) and keys.is_known(key, to) == false then words[#words + 1] = "drops * " .. key .. "," end
  end
  return words
end

--- The fewest advisories that any way of allowed steps opens, over all stops there are; nil: there is no way.
local function fewest(from, to, rules, most)
  local best
  local function go(here, opened, n, steps)
    if here == to then
      if not best or n < best then best = n end
      return
    end
    if steps == most then return end
    for _, row in ipairs(versions.lines) do
      local stop = versions.newest(row.line)
      local beyond = versions.compare(stop, here) <= 0 or versions.compare(stop, to) >= 0
      if not beyond or row.line == versions.parse(to).line then
        local next_stop = beyond and to or stop
        if not skew.refuses(here, next_stop, rules) then
          local more, m = {}, n
          for k in pairs(opened) do more[k] = true end
          for _, a in ipairs(advisories.list) do
            if affected(next_stop, a) and not affected(here, a) and not more[a.id] then more[a.id] = true m = m + 1 end
          end
          go(next_stop, more, m, steps + 1)
        end
      end
    end
  end
  go(from, {}, 0, 0)
  return best
end

describe("ways", function()
  it("leaves no advisory and no dropped key of any step between any two releases unsaid", function()
    local steps = 0
    for _, from in ipairs(releases) do
      for _, to in ipairs(releases) do
        for _, rules in ipairs { "conservative", "documented" } do
          local newer = versions.compare(from, to) < 0
          for _, way in ipairs(newer and ways.find(from, to, { rules = rules, keys = every_key }) or {}) do
            local text = table.concat(ways.lines(way), "\n") .. "\n  end"
            for _, step in ipairs(way.steps) do
              steps = steps + 1
              local own = text:match("\n  " .. (step.from .. " -> " .. step.to):gsub("[%.%-]", "%%%0") .. "\n(.-)\n  %S")
              for _, words in ipairs(must_say(step.from, step.to)) do
                assert.truthy((own or ""):find((words:gsub("[%.%-]", "%%%0"))), step.from .. " -> " .. step.to .. ": " .. words .. "\n" .. text)
              end
              assert.falsy((skew.refuses(step.from, step.to, rules)))
            end
          end
        end
      end
    end
    assert.truthy(steps > 1000, steps)
  end)

  it("puts a way first that opens as few as any does", function()
    for _, from in ipairs { "2.8.2", "3.4.1", "3.9.2", "4.0.2", "4.1.1", "4.2.2" } do
      for _, to in ipairs { "3.9.2", "4.2.2", "4.3.1", "4.4.0" } do
        for _, rules in ipairs { "conservative", "documented" } do
          local found = ways.find(from, to, { rules = rules })
          local shortest = skew.path(from, to, rules)
          local best = versions.compare(from, to) < 0 and fewest(from, to, rules, #(shortest or {}) - 1 + ways.detour)
          if found then
            assert.equal(best, #found[1].opened, from .. " -> " .. to)
            for i = 2, #found do assert.truthy(#found[i].opened >= #found[1].opened) end
          else
            assert.falsy(best)
          end
        end
      end
    end
  end)

  it("does not claim that an unknown release fixes anything", function()
    local found = ways.find("4.1.2", "4.9.0", {})
    local text = table.concat(ways.lines(found[1]), "\n")
    assert.truthy(text:find("kplay was not told about 4.9.0", 1, true), text)
    assert.same({}, found[1].steps[#found[1].steps].fixed)
  end)

  it("says of a forced stop what rule it breaks", function()
    local found = ways.find("2.8.2", "3.9.2", { via = "3.5.0" })
    assert.truthy(table.concat(ways.lines(found[1]), "\n"):find("against   the rules: 3.5.0 should not be rolled to", 1, true))
  end)

  it("tells about how long it takes", function()
    local found = ways.find("4.2.2", "4.4.0", {})
    assert.equal("  about 30 min: 6 nodes, 1 step, 5m each", ways.takes(found[1], 6, "5m"))
    assert.equal("  about 540 min: 6 nodes, 1 step, 1h30m each", ways.takes(found[1], 6, "1h30m"))
    assert.equal("  about 1440 min: 1 nodes, 1 step, 1d each", ways.takes(found[1], 1, "1d"))
  end)
end)
