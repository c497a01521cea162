--- Keys of server.properties that came and went with releases: data, not rules.
--
-- One entry a key that some later release does not know; its stretches are pairs of
-- first and last release that know it.  A name that ends with * stands for all that
-- begin so.  What a staged release itself knows is release_info(node, release).keys;
-- this table is for releases that are not staged yet.
-- Source: ConfigDef of the releases' own jars (kafka.server.KafkaConfig), 2.8 to 4.4.

local versions = require "versions"

local keys = {}

---@type table<string, string[][]?>
keys.known = {
  ["advertised.host.name"] = { { "2.0.0", "2.8.99" } },
  ["advertised.port"] = { { "2.0.0", "2.8.99" } },
  ["host.name"] = { { "2.0.0", "2.8.99" } },
  ["port"] = { { "2.0.0", "2.8.99" } },
  ["quota.consumer.default"] = { { "2.0.0", "2.8.99" } },
  ["quota.producer.default"] = { { "2.0.0", "2.8.99" } },
  ["eligible.leader.replicas.enable"] = { { "3.7.0", "3.9.99" } },
  ["group.share.max.groups"] = { { "3.9.0", "3.9.99" } },
  ["group.consumer.migration.policy"] = { { "3.8.0", "3.8.99" }, { "4.0.0", "9.99.99" } },
  ["alter.config.policy.kraft.compatibility.enable"] = { { "3.9.2", "3.9.99" } }, -- KAFKA-19026
  ["max.decompressed.message.bytes"] = { { "4.2.2", "4.2.99" }, { "4.4.0", "9.99.99" } }, -- a fix, not in 4.3.1
}

-- Gone with ZooKeeper mode and the rest of 4.0's removals.
for _, name in ipairs {
  "auto.include.jmx.reporter", "broker.id.generation.enable", "control.plane.listener.name",
  "controlled.shutdown.max.retries", "controlled.shutdown.retry.backoff.ms", "delegation.token.master.key",
  "inter.broker.protocol.version", "leader.imbalance.per.broker.percentage", "log.message.downconversion.enable",
  "log.message.format.version", "log.message.timestamp.difference.max.ms", "offsets.commit.required.acks",
  "password.encoder.*", "reserved.broker.max.id", "zookeeper.*",
} do
  keys.known[name] = { { "2.0.0", "3.9.99" } }
end

--- Whether a release knows a key, as far as this table goes: nil when the key is not in it.
---@param key string
---@param release string
---@return boolean?
function keys.is_known(key, release)
  local stretches = keys.known[key]
  local head = key
  while not stretches and head do
    head = head:match("^(.*)%.[^.]*$")
    stretches = head and keys.known[head .. ".*"]
  end
  if not stretches then return nil end
  for _, stretch in ipairs(stretches) do
    if versions.compare(release, stretch[1]) >= 0 and versions.compare(release, stretch[2]) <= 0 then return true end
  end
  return false
end

--- Those of these keys that a step loses: known before, not after.
---@param from string
---@param to string
---@param set string[]
---@return string[]
function keys.dropped(from, to, set)
  local dropped = {}
  for _, key in ipairs(set) do
    if keys.is_known(key, from) and keys.is_known(key, to) == false then dropped[#dropped + 1] = key end
  end
  return dropped
end

return keys
