-- error takes too long to match
("a"):rep(4000000):find("%f[" .. ("b"):rep(4000000) .. "]")
