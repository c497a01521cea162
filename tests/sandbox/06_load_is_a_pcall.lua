-- absent load
load(function() return " " end)
