-- absent xpcall
xpcall(error, function() error("x") end)
