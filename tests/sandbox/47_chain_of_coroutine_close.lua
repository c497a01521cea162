-- absent coroutine
coroutine.close(coroutine.create(say))
