-- absent rawequal
rawequal(1, 1)
