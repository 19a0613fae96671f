// Package api is the coordinator's HTTP API, once: its routes, its JSON types,
// its error body, and the Client that every command uses.
//
// The server is package coordinator; what is done on an instance goes through
// the buildlet protocol (package buildlet) under the instance's own path. The
// routes that need a key take HTTP Basic: user user-NAME, password the key
// that `gobuild keygen user-NAME` makes. Who asks to take in a new machine has
// no key yet, and proves with that of the machine's CSR who he is: see Prove.
package api
