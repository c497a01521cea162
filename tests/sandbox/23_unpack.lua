-- error table.unpack of more than 8000 values
table.unpack({}, 1, 999000)
