-- error takes too long to match
("a"):rep(4000000):find("[" .. ("b"):rep(4000000) .. "]")
