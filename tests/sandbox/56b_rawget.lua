-- absent rawget
rawget({}, 1)
