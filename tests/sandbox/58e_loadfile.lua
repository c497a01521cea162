-- absent loadfile
loadfile("/etc/passwd")
