-- error a key with a zero byte
echo({ ["a\0b"] = 1 })
