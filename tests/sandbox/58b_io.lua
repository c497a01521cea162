-- absent io
io.popen("id")
