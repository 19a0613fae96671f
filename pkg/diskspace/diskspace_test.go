package diskspace

import (
	"path/filepath"
	"runtime"
	"testing"
)

func TestOf(t *testing.T) {
	dir := t.TempDir()
	space, ok := Of(dir)
	if ok != (runtime.GOOS != "plan9") {
		t.Fatalf("measured: %v", ok)
	}
	if ok && (space.Total <= 0 || space.Free < 0 || space.Free > space.Total) {
		t.Errorf("got %+v", space)
	}
	if _, ok := Of(filepath.Join(dir, "none")); ok {
		t.Error("measured a directory that is not there")
	}
}
