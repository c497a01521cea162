-- absent package
package.loadlib("libc.so.6", "*")
