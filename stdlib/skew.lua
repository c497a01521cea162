--- Version-skew rules: which release may follow which, and through which hops.
--
-- conservative  A roll stays inside one major line, or crosses a major from its
--               last minor line to the next major's first.  Stricter than Kafka's
--               own documentation, which supports any jump below 4.0 as one roll
--               with the protocol version pinned (upgrade notes, "from 0.8.x
--               through ..."); it is what most vendors test.
-- documented    What Apache's upgrade notes and system tests support.
--
-- Both: no 4.x in ZooKeeper mode (KIP-500), 4.x only from 3.3 on.

local versions = require "versions"

local skew = {}

-- The last line of each major that leads to the next one.
---@type table<number, string?>
local bridge = { [2] = "2.8", [3] = "3.9" }

---@alias kplay.hops fun(from: string, to: string): string[]?, string?

---@type table<string, kplay.hops?>
local hops = {}

function hops.conservative(from, to)
  local path, at = { from }, versions.parse(from)
  local target = versions.parse(to)
  while at.major < target.major do
    local last, next_line = bridge[at.major], versions.ends(at.major + 1)
    if not last or not next_line then return nil, ("no way is known from %d.x to %d.x"):format(at.major, at.major + 1) end
    if at.line ~= last then path[#path + 1] = versions.newest(last) end
    if next_line ~= target.line then path[#path + 1] = versions.newest(next_line) end
    at = versions.parse(versions.newest(next_line))
  end
  if path[#path] ~= to then path[#path + 1] = to end
  return path
end

function hops.documented(from, to)
  local a, b = versions.parse(from), versions.parse(to)
  if b.major >= 4 and a.major < 4 and (a.major < 3 or a.minor < 3) then
    return { from, versions.newest("3.9"), to }
  end
  return { from, to }
end

--- The releases to go through, from and to included: skew.path("2.8.2", "3.5.2") -> { "2.8.2", "3.0.2", "3.5.2" }
--- nil, and why, when there is no way.
---@param from string
---@param to string
---@param rules? "conservative"|"documented"
---@return string[]?, string?
function skew.path(from, to, rules)
  local find = hops[rules or "conservative"]
  if not find then fail(("unknown rules \"%s\""):format(rules), { next = "conservative or documented" }) end
  return find(from, to)
end

--- The lowest release that runs now, over all nodes; and the node that runs it.
---@return string?, integer?
function skew.running()
  local lowest, who
  local ids = brokers()
  for _, id in ipairs(controllers()) do ids[#ids + 1] = id end
  for _, id in ipairs(ids) do
    local v = version(id)
    if v and (not lowest or versions.compare(v, lowest) < 0) then lowest, who = v, id end
  end
  return lowest, who
end

-- A broker whose file gives it ZooKeeper mode: in a migration not all have left it.
local function in_zookeeper_mode()
  for _, id in ipairs(brokers()) do
    if releases(id).mode ~= "kraft" then return id end
  end
end

--- What speaks against installing `to`; empty when nothing does.
---@param to string
---@param rules? "conservative"|"documented"
---@return string[]
function skew.findings(to, rules)
  local row = versions.row(to)
  if not row then
    local newest = versions.lines[#versions.lines].line
    return { ("unknown release %s: kplay knows 2.0 to %s"):format(to, newest) }
  end
  local target = versions.parse(to)
  if target.patch > row.patch then
    return { ("unknown release %s: the newest of its line known here is %s"):format(to, versions.newest(row.line)) }
  end
  if versions.bad[to] then return { to .. " should not be rolled to: " .. versions.bad[to] } end
  local from = skew.running()
  if not from then return { "no node says which release it runs" } end
  if not versions.row(from) then return { ("the cluster runs %s, which kplay does not know"):format(from) } end
  local left = target.major >= 4 and in_zookeeper_mode()
  if left then
    return { ("%s has no ZooKeeper mode: migrate the cluster to KRaft on 3.9 first (broker %d is not)"):format(to, left) }
  end
  if versions.compare(to, from) < 0 and rules ~= "documented" then
    return { ("%s is older than the running %s"):format(to, from) }
  end
  local path, why = skew.path(from, to, rules)
  if not path then return { why } end
  if #path > 2 then
    return { ("%s cannot follow %s in one roll under the %s rules; go %s"):format(to, from, rules or "conservative",
      table.concat(path, " -> ")) }
  end
  return {}
end

--- Fails when `to` must not be installed now.
---@param to string
---@param rules? "conservative"|"documented"
function skew.allows(to, rules)
  local first = skew.findings(to, rules)[1]
  if first then
    fail(first, { next = "choose another release, or other rules: --rules documented" })
  end
end

return skew
