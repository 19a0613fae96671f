// Package tokenpb holds the messages of LUCI's machine tokens (LUCI protocol,
// sections 3 and 5), generated from the .proto files beside it.
package tokenpb

//go:generate protoc --proto_path=. --go_out=. --go_opt=paths=source_relative minter.proto token.proto
