//go:build !unix

package lint

// nonblock keeps an open from waiting for the other end of a pipe.
const nonblock = 0
