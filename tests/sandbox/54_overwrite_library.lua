-- error `string` cannot be changed
string.format = say
