-- says 0
say(#string.rep("", 1 << 40))
