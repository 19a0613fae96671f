// Package buildlet is the worker of a farm, and the client of one.
//
// A buildlet unpacks what it is sent, runs commands, and streams back what
// they print, inside one work directory. Its HTTP protocol is upstream's
// (build protocol, section 3), byte for byte; what is added to it is announced
// in the status to peers that ask, and is invisible to others. Server is the
// worker, Reverse keeps it registered with a coordinator (section 2), Worker
// puts the two together, and Client works on a buildlet from afar.
//
// A coordinator of gobuild's announces additions of its own when a worker
// registers: pings, claims of a machine before it is handed out, and a look at
// its status when the worker says that it has changed. A Worker may also run
// under a supervisor, with which it speaks by Reports and Orders.
//
// Unlike upstream's, a Server keeps all files that it is sent inside the work
// directory, symbolic links included; it kills what a command leaves behind;
// archives keep modes, links and times; and commands do not inherit the
// secrets of the process. Choosing machines, instances and people is left to
// package coordinator.
package buildlet
