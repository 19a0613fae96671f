package doctor

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestQuarantineFree(t *testing.T) {
	for _, tt := range []struct {
		total float64
		root  bool
		want  float64
	}{
		{1e12, false, 70e9},          // the example of the protocol description
		{1e12, true, 70e9},           // root's own rule wants less
		{20e9, false, 0.15 * 20e9},   // 4 GiB would be more
		{40e9, false, 4 * gib},       // the fixed number
		{5e9, true, 0.15 * 5e9},      //
		{100e9, false, 0.07 * 100e9}, //
	} {
		if got := quarantineFree(uint64(tt.total), tt.root); math.Abs(got-tt.want) > 1 {
			t.Errorf("%g bytes, root %v: %g, want %g", tt.total, tt.root, got, tt.want)
		}
	}
}

func TestJudgeSpace(t *testing.T) {
	const dir = "/w"
	luci := examine(t, Options{For: TargetLUCI})
	coordinator := examine(t, Options{For: TargetCoordinator})
	for _, tt := range []struct {
		name string
		e    *exam
		v    volume
		want expect
	}{
		{"plenty", luci, volume{total: 200e9, free: 100e9, kind: "ext4"}, expect{OK, `^100 GB free of 200 GB, ext4, for /w$`, ""}},
		{"not ideal", luci, volume{total: 30e9, free: 15e9}, expect{Warn, `^15 GB free of 30 GB, for /w$`, "larger disk"}},
		{"quarantine", luci, volume{total: 1e12, free: 60e9}, expect{Fail, "^60 GB free", `free 10 GB more: .*quarantines`}},
		{"the same for a coordinator", coordinator, volume{total: 1e12, free: 60e9}, expect{OK, "^60 GB free", ""}},
		{"full", coordinator, volume{total: 1e12, free: 60e6}, expect{Fail, "^60 MB free", "free 940 MB more: a build needs"}},
		{"tiny, for which the bot's own rule wants next to nothing", luci, volume{total: 66e3, free: 66e3}, expect{Fail, "^66 kB free", "free 1000 MB more: a build needs"}},
		{"tmpfs", luci, volume{total: 200e9, free: 100e9, kind: "tmpfs"}, expect{Warn, "tmpfs", "from the memory; .*--workdir"}},
		{"NFS", luci, volume{total: 200e9, free: 100e9, kind: "nfs4"}, expect{Warn, "nfs4", "network file system"}},
		{"Windows share", luci, volume{total: 200e9, free: 100e9, kind: "NTFS (remote)"}, expect{Warn, "remote", "network file system"}},
		{"inodes", luci, volume{total: 200e9, free: 100e9, inodes: 500000, inodesFree: 900}, expect{Warn, "900 inodes free", "100000 files"}},
		{"little of both", luci, volume{total: 30e9, free: 15e9, inodes: 500000, inodesFree: 900}, expect{Warn, "900 inodes free", "more inodes, and with more space: it works until"}},
		{"no inodes", luci, volume{total: 200e9, free: 100e9, kind: "btrfs"}, expect{OK, "btrfs", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.e.judgeSpace(tt.v, dir, false)
			compare(t, one(f), tt.want)
			if f.Wanted == "" {
				t.Error("it does not say what is wanted")
			}
		})
	}
}

func TestMountKind(t *testing.T) {
	dir := t.TempDir()
	at := func(dir, kind string) string { return fmt.Sprintf("40 22 0:40 / %s rw - %s none rw\n", dir, kind) }
	mounts := mountRoot + at(filepath.Dir(dir), "tmpfs") + at(dir, "xfs") + at(dir, "nfs4") + at(dir+"/below", "ext2") + at(dir+"-not", "ext3")
	e := examine(t, Options{Root: tree(t, map[string]string{"proc/self/mountinfo": mounts})})
	kind := func(dir string) string { v, _ := e.volume(dir); return v.kind }
	if _, err := e.volume(dir); err != nil || ownPort() != "linux-amd64" {
		t.Skipf("the list is Linux's (%v)", err)
	}
	if got := kind(dir); got != "nfs4" {
		t.Errorf("%s is on %q, want the latest, nfs4", dir, got)
	}
	if got := kind(filepath.Dir(dir)); got != "tmpfs" {
		t.Errorf("the directory above is on %q, want tmpfs", got)
	}
	if got := kind("/"); got != "ext4" {
		t.Errorf("/ is on %q, want ext4", got)
	}
}

func TestDiskOfMissingDirectory(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "a", "b")
	e := examine(t, Options{WorkDir: missing})
	f := e.disk(within(t))
	if len(f) != 1 || !contains(f[0].Found, "for "+missing+"$") {
		t.Errorf("got %+v", f)
	}
	file := filepath.Join(t.TempDir(), "file")
	put(t, file, "", 0o600)
	e = examine(t, Options{WorkDir: file})
	if f := e.disk(within(t)); len(f) != 2 || f[1].State != Fail || !contains(f[1].Found, "^"+file+" cannot be written to: not a directory$") {
		t.Errorf("a file as work directory: %+v", f)
	}
	e = examine(t, Options{WorkDir: filepath.Join(file, "work")})
	if f := e.disk(within(t)); len(f) != 2 || f[1].State != Fail || !contains(f[1].Found, "/work cannot be made: .*not a directory$") {
		t.Errorf("a work directory below a file: %+v", f)
	}
}

func TestTemp(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	e := examine(t, Options{For: TargetLUCI})
	compare(t, e.temp(within(t)), expect{OK, "^0 entries in " + dir, ""})
	fill := func(from, to int) {
		for i := from; i < to; i++ {
			put(t, filepath.Join(dir, fmt.Sprint(i)), "", 0o600)
		}
	}
	fill(0, 900)
	compare(t, e.temp(within(t)), expect{Warn, "^900 entries", "1024"})
	fill(900, 1100)
	compare(t, e.temp(within(t)), expect{Fail, "^1100 entries", "quarantines"})
	compare(t, examine(t, Options{For: TargetCoordinator}).temp(within(t)), expect{Warn, "^1100 entries", ""})
	t.Setenv("TMPDIR", filepath.Join(dir, "none"))
	compare(t, e.temp(within(t)), expect{Fail, "none", "TMPDIR"})
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1100 {
		t.Errorf("%d entries are left, %v", len(left), err)
	}
}
