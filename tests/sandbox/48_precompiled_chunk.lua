-- absent string.dump
string.dump(function() end)
