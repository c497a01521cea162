-- absent warn
warn("@on")
warn("x")
