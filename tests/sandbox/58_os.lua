-- absent os
os.exit()
