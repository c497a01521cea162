-- error `string` can not be changed
string.format = say
