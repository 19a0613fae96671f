//go:build !unix

package botcert

// nonBlock is not needed: there are no named pipes among the files.
const nonBlock = 0
