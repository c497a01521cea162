-- error string.gsub of more than 8 MB
("a"):rep(1e6):gsub("a", ("b"):rep(1e6))
