// Package supervise keeps one program running on an owner's machine: it starts
// it in a process group of its own, tells it to end, kills what it leaves
// behind, starts it again with growing pauses, and says how it is: to systemd,
// to probes, to a browser, and by a notice to its owner.
//
// What runs, what is checked before and what an exit means is its callers'
// business: Options takes functions for that. A Group is of use on its own, for
// a command that runs once.
package supervise
