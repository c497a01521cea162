-- error takes too long to match
("a"):rep(3000):match(("a*"):rep(20) .. "b")
