-- absent print
print("x")
