// Package stage0 keeps the buildlet of a machine up to date: it waits for the
// network, downloads, checks and puts in place what the farm has published,
// starts it once, and goes back to the one before if the new one is no good.
//
// Nothing is replaced before everything is checked: size, SHA-256 digest,
// signature (see package release), port, that it is not older than what is
// there and not known to be bad. A Fetcher keeps these files beside each other:
//
//	File            the program; there at any moment once it has been there
//	File.previous   the one before it, proven good if any was
//	File.json       the State
//	File.part       a download that was broken off, or waits for its check
//	File.lock       held while one of these changes
//
// The rules by which upstream's stage0 finds the URL and the arguments are in
// URL and Args (build protocol, section 6). To loop is a supervisor's work.
package stage0
