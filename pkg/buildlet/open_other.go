//go:build !unix

package buildlet

// nonBlock is not needed: there are no fifos.
const nonBlock = 0
