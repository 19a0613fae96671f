// Package interop tests gobuild against the programs that it replaces, built
// from the module proxy: real processes and real sockets on loopback. It is a
// module of its own so that these peers stay out of the product.
package interop
