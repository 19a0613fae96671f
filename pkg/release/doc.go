// Package release says what a signed release of a program is, makes one and
// checks one.
//
// A release is a file with two others beside it: FILE.sha256, a line as
// sha256sum writes it, and FILE.sig, a signature in minisign's format (Ed25519
// over the BLAKE2b digest of the content), which the minisign program makes
// and verifies too:
//
//	minisign -Vm buildlet.linux-amd64 -x buildlet.linux-amd64.sig -p release.key.pub
//
// The signature's trusted comment, which is signed as well, tells the file's
// name, when it was signed and which version it is. Of two releases of a file
// the one that was signed later is the newer, whatever their versions say: a
// maintainer who goes back signs the old program again, while nobody else can
// bring an old release back.
//
// Which port a program is for is read from its header, never from its name.
// How a release is fetched and put in place is left to package stage0, how it
// is served to package coordinator.
package release
