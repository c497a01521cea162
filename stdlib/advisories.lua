--- Known faults of Kafka's brokers: data, not rules.
--
-- One entry an advisory.  affects: pairs of first and last release it is in, each a
-- stretch of releases; a release of a stretch that is newer than its last has the
-- fix.  rolls: the fault bites while releases are mixed, so that nobody should roll to
-- it.  Faults of clients alone are not here.  A team adds its own by a module, see
-- skew.learn.
-- Sources: the CVE records, Apache's release notes and JIRA, as of November 2026.

local versions = require "versions"

local advisories = {}

---@class (exact) kplay.advisory
---@field id string "CVE-2026-111108", "KAFKA-15353"
---@field what string one line
---@field affects string[][] pairs of first and last release
---@field rolls? boolean it bites while releases are mixed

---@type kplay.advisory[]
advisories.list = {
  { id = "CVE-2026-111108", what = "a request's array size is allocated unchecked",
    affects = { { "3.3.0", "4.1.2" }, { "4.2.0", "4.2.1" }, { "4.3.0", "4.3.1" } } },
  { id = "CVE-2026-111115", what = "a request's tagged fields are read without a bound",
    affects = { { "2.4.0", "4.1.2" }, { "4.2.0", "4.2.1" }, { "4.3.0", "4.3.1" } } },
  { id = "CVE-2026-111073", what = "PushTelemetry decompresses without a bound",
    affects = { { "3.7.0", "4.1.2" }, { "4.2.0", "4.2.1" }, { "4.3.0", "4.3.0" } } }, -- PushTelemetry: KIP-714, 3.7
  { id = "CVE-2026-110985", what = "OAUTHBEARER does not check a token's signature without a JWKS URL",
    affects = { { "4.1.0", "4.1.2" }, { "4.2.0", "4.2.1" }, { "4.3.0", "4.3.1" } } },
  { id = "CVE-2026-33557", what = "the default validator takes any JWT",
    affects = { { "4.1.0", "4.1.1" } } },
  { id = "3.3.0", what = "was never announced; use 3.3.1 or later", rolls = true,
    affects = { { "3.3.0", "3.3.0" } } },
  { id = "KAFKA-15353", what = "an empty ISR may be returned during a rolling upgrade", rolls = true,
    affects = { { "3.5.0", "3.5.1" } } },
  { id = "3.6.0", what = "transaction verification fails producers that compress", rolls = true,
    affects = { { "3.6.0", "3.6.0" } } },
  { id = "KAFKA-19444", what = "JoinGroup v0 and v1 are missing: old clients cannot join", rolls = true,
    affects = { { "4.0.0", "4.0.0" } } },
  { id = "KAFKA-20322", what = "transactional producers fail while releases are mixed", rolls = true,
    affects = { { "4.2.0", "4.2.0" } } },
  { id = "KAFKA-20505", what = "share groups may deadlock",
    affects = { { "4.2.0", "4.2.0" } } },
}

---@param release string
---@param advisory kplay.advisory
---@return boolean
local function is_in(release, advisory)
  for _, stretch in ipairs(advisory.affects) do
    if versions.compare(release, stretch[1]) >= 0 and versions.compare(release, stretch[2]) <= 0 then return true end
  end
  return false
end

--- The advisories that are open in a release.
---@param release string
---@return kplay.advisory[]
function advisories.open(release)
  local open = {}
  for _, advisory in ipairs(advisories.list) do
    if is_in(release, advisory) then open[#open + 1] = advisory end
  end
  return open
end

--- What a step from one release to another closes, and what it opens.
---@param from string
---@param to string
---@return kplay.advisory[] fixed, kplay.advisory[] opened
function advisories.step(from, to)
  local fixed, opened = {}, {}
  for _, advisory in ipairs(advisories.list) do
    local was, is = is_in(from, advisory), is_in(to, advisory)
    if was and not is then fixed[#fixed + 1] = advisory end
    if is and not was then opened[#opened + 1] = advisory end
  end
  return fixed, opened
end

--- Of what a step opens, what the release before had fixed: it was in an older one.
---@param from string
---@param to string
---@return kplay.advisory[]
function advisories.reopened(from, to)
  local again = {}
  local _, opened = advisories.step(from, to)
  for _, advisory in ipairs(opened) do
    if versions.compare(from, advisory.affects[1][1]) > 0 then again[#again + 1] = advisory end
  end
  return again
end

--- Whether a release that is known could come before this one and have something fixed that this one has not.
---@param to string
---@return boolean
function advisories.may_reopen(to)
  for _, row in ipairs(versions.lines) do
    local before = versions.newest(row.line)
    if versions.compare(before, to) < 0 and #advisories.reopened(before, to) > 0 then return true end
  end
  return false
end

--- The advisory that forbids a roll to this release; nil when none does.
---@param release string
---@return kplay.advisory?
function advisories.against_rolling(release)
  for _, advisory in ipairs(advisories.open(release)) do
    if advisory.rolls then return advisory end
  end
end

--- "CVE-2026-111108, CVE-2026-111115"
---@param list kplay.advisory[]
---@return string
function advisories.names(list)
  local names = {}
  for i, advisory in ipairs(list) do names[i] = advisory.id end
  return table.concat(names, ", ")
end

return advisories
