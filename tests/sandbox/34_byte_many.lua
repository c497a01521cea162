-- error string slice too long
("x"):rep(8e6):byte(1, -1)
