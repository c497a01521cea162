-- absent math.randomseed
math.randomseed(1)
