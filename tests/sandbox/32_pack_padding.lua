-- absent string.pack
string.pack("c2147483647", "")
