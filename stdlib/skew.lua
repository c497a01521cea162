--- Version-skew rules: which release may follow which, and through which hops.
--
-- conservative  A roll stays inside one major line, or crosses a major from its
--               last minor line to the next major's first.  Stricter than Kafka's
--               own documentation, which supports any jump below 4.0 as one roll
--               with the protocol version pinned (upgrade notes, "from 0.8.x
--               through ..."); it is what most vendors test.
-- documented    What Apache's upgrade notes and system tests support.
--
-- Both: no 4.x in ZooKeeper mode (KIP-500), 4.x only from 3.3 on; no release that an
-- advisory forbids to roll to.  A release that nobody told kplay about, and one that
-- opens an advisory again, need a person's word under the conservative rules and are
-- told under the documented ones.

local advisories = require "advisories"
local keys       = require "keys"
local versions   = require "versions"

local skew = {}

---@class (exact) kplay.known What a team's module may return; each is as in the shipped module of that name.
---@field lines? kplay.line[]
---@field advisories? kplay.advisory[]
---@field keys? table<string, string[][]>

---@type table<string, boolean?>
local learnt = {}

--- Adds what a team knows of releases to what is shipped: module is "team.releases", or nil.
---@param module? string
function skew.learn(module)
  if not module or learnt[module] then return end
  learnt[module] = true
  ---@type kplay.known
  local more = require(module)
  for _, row in ipairs(more.lines or {}) do versions.add(row) end
  for _, advisory in ipairs(more.advisories or {}) do advisories.list[#advisories.list + 1] = advisory end
  for key, stretches in pairs(more.keys or {}) do keys.known[key] = stretches end
end

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
  if not versions.ends(b.major) then return nil, ("no way is known from %d.x to %d.x"):format(a.major, b.major) end
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

--- Why one roll may not go from one release to another, by the rules and by what is known of the releases; nil when it may.
---@param from string
---@param to string
---@param rules? "conservative"|"documented"
---@return string?
function skew.refuses(from, to, rules)
  local bad = advisories.against_rolling(to)
  if bad then return ("%s should not be rolled to: %s: %s"):format(to, bad.id, bad.what) end
  if versions.compare(to, from) < 0 and rules ~= "documented" then return ("%s is older than the running %s"):format(to, from) end
  local path, why = skew.path(from, to, rules)
  if not path then return why end
  if #path > 2 then
    return ("%s cannot follow %s in one roll under the %s rules; go %s"):format(to, from, rules or "conservative",
      table.concat(path, " -> "))
  end
end

---@class (exact) kplay.skew_finding
---@field text string
---@field severity "refuse"|"ask"|"warn"|"note" ask: a person's word is wanted before the roll
---@field next? string

--- What a release that nobody told kplay about says of itself, on the host of the first node.
---@param to string
---@param rules? "conservative"|"documented"
---@return kplay.skew_finding
local function of_unknown(to, rules)
  local first, last = versions.lines[1].line, versions.lines[#versions.lines].line
  if versions.compare(to, first) < 0 then
    return { text = ("unknown release %s: kplay knows %s to %s"):format(to, first, last), severity = "refuse",
      next = "choose a newer one" }
  end
  local id = controllers()[1] or brokers()[1]
  local told = release_info(id, to)
  if told.why and not told.metadata_version_max then
    return { text = ("kplay was not told about release %s, and it does not tell of itself: %s"):format(to, told.why),
      severity = "refuse", next = ("unpack it on every host, whole; or see why its programs do not run on that of node %d"):format(id) }
  end
  local levels = told.metadata_version_max and (", metadata.version %d to %d"):format(told.metadata_version_min or 0, told.metadata_version_max)
  return { text = ("kplay was not told about release %s; by its own word it is built %s%s; what is wrong with it is not known here")
    :format(to, told.built or "on no known day", levels or ""), severity = rules == "documented" and "warn" or "ask",
    next = "read its release notes" }
end

--- What a person should say yes to before `to` is installed; or be told, under the documented rules.
---@param to string
---@param rules? "conservative"|"documented"
---@return kplay.skew_finding[]
local function doubts(to, rules)
  local found = {}
  if not versions.is_known(to) then found[1] = of_unknown(to, rules) end
  local from = advisories.may_reopen(to) and skew.running()
  local again = from and advisories.reopened(from, to) or {}
  if #again > 0 then
    found[#found + 1] = { text = ("%s opens again what %s has fixed: %s"):format(to, from, advisories.names(again)),
      severity = rules == "documented" and "warn" or "ask", next = ("kplay path %s %s shows other ways"):format(from, to) }
  end
  return found
end

--- The rules that let a step pass which these do not, for a hint; nil when none does.
---@param from string
---@param to string
---@param rules? "conservative"|"documented"
---@return string?
local function other_rules(from, to, rules)
  if rules ~= "documented" and not skew.refuses(from, to, "documented") then return "--rules documented" end
end

--- What speaks against installing `to`, what to ask and what to know; empty when nothing does.
---@param to string
---@param rules? "conservative"|"documented"
---@return kplay.skew_finding[]
function skew.findings(to, rules)
  local target, from = versions.parse(to), skew.running()
  if not from then return { { text = "no node says which release it runs", severity = "refuse" } } end
  local left = target.major >= 4 and in_zookeeper_mode()
  if left then
    return { { text = ("%s has no ZooKeeper mode: migrate the cluster to KRaft on 3.9 first (broker %d is not)"):format(to, left),
      severity = "refuse", next = "migrate it first" } }
  end
  local no = skew.refuses(from, to, rules)
  if no then
    local other = other_rules(from, to, rules)
    return { { text = no, severity = "refuse", next = ("kplay path %s %s shows ways%s"):format(from, to, other and "; or " .. other or "") } }
  end
  local found = doubts(to, rules)
  local _, opened = advisories.step(from, to)
  for _, advisory in ipairs(opened) do
    found[#found + 1] = { text = ("%s is open in %s: %s"):format(advisory.id, to, advisory.what), severity = "note" }
  end
  return found
end

--- A finding as those of the guard's rows are: what is asked of a person is a warning ahead of a run.
---@param f kplay.skew_finding
---@return kplay.finding
function skew.as_finding(f)
  return { row = "skew", text = f.text, severity = f.severity == "refuse" and "refuse" or "warn",
    next = f.next or "look at it" }
end

--- Fails when `to` must not be installed now; tells what is to be known of it.
---@param to string
---@param rules? "conservative"|"documented"
function skew.allows(to, rules)
  for _, f in ipairs(skew.findings(to, rules)) do
    if f.severity == "refuse" then fail(f.text, { next = f.next }) end
    if f.severity == "warn" then warn(f.text) end
  end
end

--- Asks a person where the rules want a person's word before `to` is installed.
---@param to string
---@param rules? "conservative"|"documented"
function skew.agree(to, rules)
  for _, f in ipairs(doubts(to, rules)) do
    if f.severity == "ask" then confirm(f.text .. "; install it?") end
  end
end

return skew
