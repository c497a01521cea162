-- error table.sort takes a function of Lua
table.sort({ 3, 2, 1 }, select)
