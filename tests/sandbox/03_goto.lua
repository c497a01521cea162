-- error computes without calling a verb
::a:: goto a
