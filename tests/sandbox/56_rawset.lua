-- absent rawset
rawset({}, "pcall", nil)
