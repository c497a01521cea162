-- error computes without calling a verb
("x"):rep(1000000):gsub("", ("%0"):rep(4000000))
