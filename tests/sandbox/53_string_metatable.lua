-- absent getmetatable
getmetatable("").__index = say
