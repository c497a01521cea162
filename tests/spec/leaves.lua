--- Leaves something in the configuration of a topic or a broker, or takes it away.

return {
  api     = 1,
  summary = "Alter one key.",
  effects = { "config.dynamic" },

  args = {
    topic  = { "text", doc = "of this topic" },
    broker = { "broker", doc = "or of this broker" },
    key    = { "text", required = true, doc = "the key" },
    value  = { "text", doc = "its value; left out, it is taken away" },
  },

  run = function(args)
    alter_config{ topic = args.topic, broker = args.broker, set = { [args.key] = args.value or false } }
  end,
}
