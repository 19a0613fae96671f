// Package memtrim gives back the memory that a long-lived program has used for
// its start and does not need while it waits.
//
// The greater part of a Go program's resident memory at rest is the program
// itself: the kernel maps whatever lies around a page that is touched, and
// nothing unmaps it while there is memory. On a board that has little, that
// pushes out what the builds need.
package memtrim

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	// every is the pause between two looks. What a heartbeat touches comes
	// back from the page cache in less than a millisecond.
	every = 5 * time.Second
	// heapEvery of these looks return free heap as well, which takes a
	// collection.
	heapEvery = 12
	// gcPercent is how much garbage a program at rest may have, in percent of
	// what it uses.
	gcPercent = 50
)

// WhileIdle trims the process now and then until ctx ends, whenever idle
// reports that it does nothing that a pause of a millisecond could disturb.
func WhileIdle(ctx context.Context, idle func() bool) {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch {
		case !idle():
		case n%heapEvery == 0:
			Trim()
		default:
			dropProgram()
		}
	}
}

// Trim gives back what can be spared now: free heap, and, on Linux, the pages
// of the program, which come back from its file as they are needed.
func Trim() {
	debug.FreeOSMemory()
	dropProgram()
}
