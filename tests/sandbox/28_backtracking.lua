-- error takes too long to match
("a"):rep(1e5):find(".-.-.-.-b")
