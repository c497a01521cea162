# javas: of command lines (a word each line, first \001 and the pid): the main class and the first
# properties file.
/^\001/ { print "java " $2; first = 1; main = skip = over = 0; next }
over || $0 == "" { next }
first { first = 0; next }
skip { skip = 0; next }
/^(-cp|-classpath|--class-path|-p|--module-path|--add-[a-z]*)$/ { skip = 1; next }
!main && /^-/ { next }
!main { main = 1; print "java.main " $0; next }
/\.properties$/ { print "java.config " $0; over = 1 }
