-- absent _G
_G.x = 1
