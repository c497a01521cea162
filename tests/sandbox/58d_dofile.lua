-- absent dofile
dofile("/etc/passwd")
