-- absent collectgarbage
collectgarbage()
