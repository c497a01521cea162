--- Audit of clients: what their software is, and what it means for a release.
--
-- Data and rules over what clients() tells; nothing here but gate, wait and within asks.
-- A client is
--   breaks   it sends requests that 4.0 no longer takes, or is older than KIP-896's
--            baseline of its family, and the target is 4.0 or later
--   outside  it is older than the window: so many majors behind the newest
--   unknown  it tells no name (older than KIP-511, or KafkaJS), or one that no row
--            here has, or a version that is none: never fine by default
--   fine     none of these
-- A broker whose clients are not known may have any: it is a finding of its own.

local versions = require "versions"

local audit = {}

---@class (exact) kplay.family One client library, and what is built on it.
---@field name string
---@field software string[] what it calls itself (KIP-511)
---@field newest integer its newest major
---@field baseline? string oldest version that works with brokers of 4.0 and later (KIP-896); nil: KIP-896 does not say
---@field brokers? boolean its majors are those of the brokers

-- Names as the sources of each have them: Java AppInfoParser's, librdkafka 2.x and the clients on
-- it, Sarama 1.61, kafka-python 3.0, franz-go 1.22.  KafkaJS 2.2 sends ApiVersions 2 at most, so a
-- broker knows it as "unknown".  Newest: Maven Central, PyPI, npm and Go modules, November 2026.
---@type kplay.family[]
audit.families = {
  { name = "Java", software = { "apache-kafka-java" }, newest = 4, baseline = "2.1", brokers = true },
  { name = "librdkafka", newest = 2, baseline = "1.8.2", software = { "librdkafka", "confluent-kafka-python",
    "confluent-kafka-go", "confluent-kafka-dotnet", "confluent-kafka-javascript" } },
  { name = "Sarama", software = { "sarama" }, newest = 1, baseline = "1.30.1" },
  { name = "kafka-python", software = { "kafka-python" }, newest = 3, baseline = "2.0.2" },
  { name = "franz-go", software = { "kgo" }, newest = 1 },
  { name = "KafkaJS", software = { "kafkajs" }, newest = 2, baseline = "1.15.0" },
}

--- The row of a software name; nil when there is none.
---@param software string
---@return kplay.family?
function audit.family(software)
  for _, row in ipairs(audit.families) do
    for _, name in ipairs(row.software) do
      if name == software:lower() then return row end
    end
  end
end

-- Confluent's numbers of Kafka: 5.x is 2.x, 6.x is 2.(6 + x), 7.x is 3.x, 8.x is 4.x.
local function of_confluent(major, minor)
  if major == 6 then return 2, minor + 6 end
  return major == 5 and 2 or major - 4, minor
end

--- The library's version in what a client tells: "7.6.0-ccs" -> "3.6.0", "2.3.0-librdkafka-1.9.2" -> "1.9.2"; nil when there is none.
---@param told string
---@return string?
function audit.version(told)
  local text = told:match("librdkafka%-(.*)$") or told
  local a, b, c = text:match("^v?(%d+)%.(%d+)%.?(%d*)")
  if not a then return nil end
  local major, minor = tonumber(a) or 0, tonumber(b) or 0
  if text:find("-c[ce]", 1, false) and major >= 5 and major <= 8 then major, minor = of_confluent(major, minor) end
  return ("%d.%d.%d"):format(major, minor, tonumber(c) or 0)
end

---@class (exact) kplay.client Clients of one software, over all brokers.
---@field name string
---@field version string as they tell it
---@field connections integer
---@field brokers integer[] where they were seen
---@field count integer requests that 4.0 no longer takes
---@field requests string[] which, like "Produce v2"
---@field maybe_brokers boolean a broker does not answer, and these may be its own connections

--- How many more of a request than at an earlier look; all of them when the broker began anew since.
local function grown(broker, d, before)
  for _, b in ipairs(before or {}) do
    for _, e in ipairs(b.node == broker and b.deprecated or {}) do
      local same = e.request == d.request and e.version == d.version and e.name == d.name and e.client_version == d.client_version
      if same and e.count <= d.count then return d.count - e.count end
    end
  end
  return d.count
end

local function add(list, one)
  if list[#list] ~= one then list[#list + 1] = one end
end

--- What clients() told, by software: ascending by name and version.
---@param told kplay.broker_clients[]
---@param before? kplay.broker_clients[] an earlier look: requests are counted from then on
---@return kplay.client[]
function audit.summary(told, before)
  local all, by = {}, {}
  local function of(name, version)
    local key = name .. " " .. version
    if not by[key] then
      by[key] = { name = name, version = version, connections = 0, brokers = {}, count = 0, requests = {}, maybe_brokers = false }
      all[#all + 1] = by[key]
    end
    return by[key]
  end
  for _, b in ipairs(told) do
    for _, c in ipairs(b.clients or {}) do
      local one = of(c.name, c.version)
      one.connections = one.connections + c.connections
      one.maybe_brokers = one.maybe_brokers or c.maybe_brokers == true
      add(one.brokers, b.node)
    end
    for _, d in ipairs(b.deprecated or {}) do
      local n = grown(b.node, d, before)
      if n > 0 then
        local one = of(d.name, d.client_version)
        one.count = one.count + n
        add(one.brokers, b.node)
        local request, there = ("%s v%d"):format(d.request, d.version), false
        for _, r in ipairs(one.requests) do there = there or r == request end
        if not there then one.requests[#one.requests + 1] = request end
      end
    end
  end
  table.sort(all, function(x, y) return x.name .. " " .. x.version < y.name .. " " .. y.version end)
  return all
end

--- "Java 2.0.1", "kafka-lens 0.3", "unknown software"
---@param c kplay.client
---@return string
function audit.name(c)
  local row = audit.family(c.name)
  if c.name == "unknown" then return "unknown software" end
  return ("%s %s"):format(row and row.name or c.name, c.version)
end

--- Is it fine with brokers of the release `to`?  A verdict, and why.
---@param c kplay.client
---@param to? string the release that is to come; left out: none
---@param window? integer so many majors may it be behind; 2
---@return "breaks"|"outside"|"unknown"|"fine", string
function audit.judge(c, to, window)
  local target = to and versions.parse(to)
  local breaks = target ~= nil and target.major >= 4
  if breaks and c.count > 0 then
    return "breaks", ("sent %s, which 4.0 no longer takes (%d requests)"):format(table.concat(c.requests, ", "), c.count)
  end
  if c.name == "unknown" then
    return "unknown", "tells neither name nor version: older than KIP-511 (Java 2.4, librdkafka 1.4), or KafkaJS"
      .. (c.maybe_brokers and "; or a broker that does not answer" or "")
  end
  local row, version = audit.family(c.name), audit.version(c.version)
  if not row then return "unknown", "kplay knows no such software" end
  if not version then return "unknown", "its version is none that kplay can read" end
  if breaks and row.baseline and versions.compare(version, row.baseline) < 0 then
    return "breaks", ("is older than %s, the oldest that works with 4.0"):format(row.baseline)
  end
  local newest = row.brokers and target and target.major or row.newest
  local oldest = newest - (window or 2)
  if versions.parse(version).major < oldest then
    return "outside", ("is older than %d.0, %d majors behind %s %d"):format(oldest, window or 2, row.name, newest)
  end
  return "fine", ""
end

---@class (exact) kplay.client_finding
---@field verdict "breaks"|"outside"|"unknown"
---@field text string
---@field next string

local nexts = {
  breaks = "update it before any broker runs 4.0; requests are counted until the broker is restarted",
  outside = "update it, or widen --window when its owners have tested it",
  unknown = "find out who it is: its address is in the brokers' request log, its client id in kafka-consumer-groups --describe",
}

--- What speaks against the release `to`, or against any upgrade: worst first.
---@param told kplay.broker_clients[] what clients() told
---@param to? string
---@param window? integer
---@param before? kplay.broker_clients[] an earlier look: requests are counted from then on
---@return kplay.client_finding[]
function audit.findings(told, to, window, before)
  local found = { breaks = {}, outside = {}, unknown = {} }
  local function add_finding(verdict, text, next)
    table.insert(found[verdict], { verdict = verdict, text = text, next = next or nexts[verdict] })
  end
  for _, c in ipairs(audit.summary(told, before)) do
    local verdict, why = audit.judge(c, to, window)
    local where = "on broker " .. table.concat(c.brokers, ", ")
    if verdict ~= "fine" then add_finding(verdict, ("%s, %d connections %s: %s"):format(audit.name(c), c.connections, where, why)) end
  end
  for _, b in ipairs(told) do
    if b.problem then
      add_finding("unknown", ("broker %d does not tell its clients: %s"):format(b.node, b.problem), "mend that, then ask again")
    elseif not b.deprecated and to and versions.parse(to).major >= 4 then
      add_finding("unknown", ("broker %d does not count the requests that 4.0 no longer takes"):format(b.node),
        "brokers count them from 3.7 on: go to 3.9 first, and ask again there")
    end
  end
  local all = found.breaks
  for _, verdict in ipairs { "outside", "unknown" } do
    for _, f in ipairs(found[verdict]) do all[#all + 1] = f end
  end
  return all
end

--- Fails with the first of these findings, and tells the others.
---@param found kplay.client_finding[]
function audit.refuse(found)
  if #found == 0 then return end
  local more = {}
  for i = 2, math.min(#found, 20) do more[#more + 1] = "also  " .. found[i].text .. "\n" end
  if #found > 20 then more[#more + 1] = ("and %d more\n"):format(#found - 20) end
  fail(found[1].text, { next = found[1].next, detail = table.concat(more) })
end

--- Fails unless every client is known and fine with the release `to`, as far as brokers have seen since they started.
---@param to? string
---@param window? integer
function audit.gate(to, window)
  audit.refuse(audit.findings(clients(), to, window))
end

--- One line for each software: what it is, how many connections, where.
---@param told kplay.broker_clients[]
---@return string[]
function audit.lines(told)
  local lines = {}
  for _, c in ipairs(audit.summary(told)) do
    lines[#lines + 1] = ("%-24s %5d connections  broker %s"):format(audit.name(c), c.connections, table.concat(c.brokers, ", "))
  end
  if #lines == 0 then lines[1] = "nobody is connected now" end
  return lines
end

--- Says findings, with what to do about them.
---@param found kplay.client_finding[]
function audit.tell(found)
  for _, f in ipairs(found) do
    warn(f.verdict .. ": " .. f.text)
    log("next  " .. f.next)
  end
  if #found == 0 then log("every client is known and fine") end
end

--- Waits until nobody is connected who is found fault with.
---@param to? string
---@param window? integer
function audit.wait(to, window)
  wait_until(function()
    local told = clients()
    local found = audit.findings(told, to, window, told)
    return #found == 0, #found > 0 and ("%d left: %s"):format(#found, found[1].text) or nil
  end, { every = "1m", stall = "30d", limit = "366d" })
end

--- What is found now, and requests that came within this time: a client that comes and goes is seen by them only.
---@param to? string
---@param window? integer
---@param time string
---@return kplay.client_finding[]
function audit.within(to, window, time)
  local before = clients()
  sleep(time)
  return audit.findings(clients(), to, window, before)
end

local items = { "consumers", "producers", "admin tools" }

--- The items to tick, from "consumers,producers,admin tools".  Fails when one is missing, and when a change of
--- the message format lets producers go before consumers, who could not read what they write.
---@param order string
---@param format_change boolean
---@return string[]
function audit.steps(order, format_change)
  local list, at = {}, {}
  for word in (order .. ","):gmatch("([^,]*),") do
    local item = word:match("^%s*(.-)%s*$")
    if at[item] then fail(("--order names %s twice"):format(item), { next = "name each once" }) end
    list[#list + 1] = item
    at[item] = #list
  end
  for _, item in ipairs(items) do
    if not at[item] then fail(("--order leaves out %s"):format(item), { next = "--order " .. table.concat(items, ",") }) end
  end
  if #list > #items then fail("--order names what is no item", { next = "--order " .. table.concat(items, ",") }) end
  if format_change and at.producers < at.consumers then
    fail("with format_change producers cannot be ticked before consumers", { next = "--order " .. table.concat(items, ",") })
  end
  return list
end

return audit
