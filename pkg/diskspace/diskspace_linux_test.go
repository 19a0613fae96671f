package diskspace

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestFragments(t *testing.T) {
	st := unix.Statfs_t{Bsize: 1 << 20, Frsize: 4 << 10, Blocks: 1 << 30, Bavail: 1 << 20}
	if got, want := spaceOf(&st), (Space{Total: 4 << 40, Free: 4 << 30}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	st.Frsize = 0
	if got, want := spaceOf(&st), (Space{Total: 1 << 50, Free: 1 << 40}); got != want {
		t.Errorf("without fragments: got %+v, want %+v", got, want)
	}
}
