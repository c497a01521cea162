--- Kafka releases: data, not rules.
--
-- One row a release line, one line of this file; the engine's table is made of it
-- when kplay is built.  patch: newest patch known here.  iv: "2.8-IV1" is its newest
-- protocol, of brokers in ZooKeeper mode (inter.broker.protocol.version) or of
-- metadata.  floor, level: lowest and highest metadata.version its binaries support.
-- java: oldest Java its brokers run on (KIP-1013).
-- Sources: Apache's download and upgrade pages, MetadataVersion.java of each
-- release.  Which line may follow which is stdlib/skew.lua, what is wrong with which
-- release stdlib/advisories.lua.

local versions = {}

---@type kplay.line[]
versions.lines = {
  { line = "2.0", patch = 1, iv = 1, java = 8 },
  { line = "2.1", patch = 1, iv = 2, java = 8 },
  { line = "2.2", patch = 2, iv = 1, java = 8 },
  { line = "2.3", patch = 1, iv = 1, java = 8 },
  { line = "2.4", patch = 1, iv = 1, java = 8 },
  { line = "2.5", patch = 1, iv = 0, java = 8 },
  { line = "2.6", patch = 3, iv = 0, java = 8 },
  { line = "2.7", patch = 2, iv = 2, java = 8 },
  { line = "2.8", patch = 2, iv = 1, java = 8 },
  { line = "3.0", patch = 2, iv = 1, java = 8 },
  { line = "3.1", patch = 2, iv = 0, java = 8 },
  { line = "3.2", patch = 3, iv = 0, java = 8 },
  { line = "3.3", patch = 2, iv = 3, floor = 1, level = 7, java = 8 },
  { line = "3.4", patch = 1, iv = 0, floor = 1, level = 8, java = 8 },
  { line = "3.5", patch = 2, iv = 2, floor = 1, level = 11, java = 8 },
  { line = "3.6", patch = 2, iv = 2, floor = 1, level = 14, java = 8 },
  { line = "3.7", patch = 2, iv = 4, floor = 1, level = 19, java = 8 },
  { line = "3.8", patch = 1, iv = 0, floor = 1, level = 20, java = 8 },
  { line = "3.9", patch = 2, iv = 0, floor = 1, level = 21, java = 8 },
  { line = "4.0", patch = 2, iv = 3, floor = 7, level = 25, java = 17 },
  { line = "4.1", patch = 2, iv = 1, floor = 7, level = 27, java = 17 },
  { line = "4.2", patch = 2, iv = 1, floor = 7, level = 29, java = 17 },
  { line = "4.3", patch = 1, iv = 0, floor = 7, level = 30, java = 17 },
  { line = "4.4", patch = 0, iv = 2, floor = 7, level = 33, java = 17 },
}

---@class (exact) kplay.line One release line.
---@field line string "3.9"
---@field patch integer newest patch known here
---@field iv integer number of its newest protocol: 1 is "2.8-IV1"
---@field floor? integer lowest metadata.version its binaries support
---@field level? integer highest metadata.version
---@field java integer oldest Java its brokers run on

---@class (exact) kplay.release A release, taken apart.
---@field major number
---@field minor number
---@field patch number
---@field line string "3.9"

---@type table<string, kplay.release?>
local parsed = {} -- each text once

local function number(digits) return tonumber(digits) or 0 end

--- "3.9.1" -> { major = 3, minor = 9, patch = 1, line = "3.9" }; fails when it is no release.
---@param text string
---@return kplay.release
function versions.parse(text)
  if parsed[text] then return parsed[text] end
  local major, minor, rest = text:match("^(%d+)%.(%d+)(.*)$")
  if not major or not minor or not rest then fail(("\"%s\" is no Kafka release"):format(text)) end
  parsed[text] = { major = number(major), minor = number(minor), patch = number(rest:match("^%.(%d+)")), line = major .. "." .. minor }
  return parsed[text]
end

--- Adds a row, or puts it in the place of the one of its line.
---@param row kplay.line
function versions.add(row)
  local at = #versions.lines + 1
  for i, old in ipairs(versions.lines) do
    local order = versions.compare(row.line, old.line)
    if order == 0 then versions.lines[i] = row return end
    if order < 0 then at = i break end
  end
  table.insert(versions.lines, at, row)
end

--- Whether a release is of a line and patch that stand here.
---@param release string
---@return boolean
function versions.is_known(release)
  local row = versions.row(release)
  return row ~= nil and versions.parse(release).patch <= row.patch
end

--- "3.7 (19)": a level of metadata.version, and the line that brought it.
---@param level integer
---@return string
function versions.level_name(level)
  for _, row in ipairs(versions.lines) do
    if row.level and level <= row.level then return ("%s (%d)"):format(row.line, level) end
  end
  return tostring(level)
end

--- The row of a release's line, and its place in the table; nil when it is not known.
---@param release string
---@return kplay.line?, integer?
function versions.row(release)
  local v = versions.parse(release)
  for i, row in ipairs(versions.lines) do
    if row.line == v.line then return row, i end
  end
end

--- -1, 0 or 1.
---@param a string
---@param b string
---@return integer
function versions.compare(a, b)
  local x, y = versions.parse(a), versions.parse(b)
  for _, k in ipairs { "major", "minor", "patch" } do
    if x[k] ~= y[k] then return x[k] < y[k] and -1 or 1 end
  end
  return 0
end

--- The newest release of a line that is known here: "3.9" -> "3.9.2".
---@param line string
---@return string
function versions.newest(line)
  local row = versions.row(line) or fail(("%s is no release line that kplay knows"):format(line))
  return line .. "." .. row.patch
end

--- The first and last line of a major.
---@param major number
---@return string?, string?
function versions.ends(major)
  local first, last
  for _, row in ipairs(versions.lines) do
    if versions.parse(row.line).major == major then
      first = first or row.line
      last = row.line
    end
  end
  return first, last
end

return versions
