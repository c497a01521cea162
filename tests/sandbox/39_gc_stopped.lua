-- absent collectgarbage
collectgarbage("stop")
