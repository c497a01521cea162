-- absent rawlen
rawlen({})
