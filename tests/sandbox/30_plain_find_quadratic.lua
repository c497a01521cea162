-- says nil
say(tostring((("a"):rep(4e6)):find(("a"):rep(2e6) .. "b", 1, true)))
