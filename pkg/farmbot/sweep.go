package farmbot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gobuild/pkg/buildlet"
)

const (
	// sweepEvery is the pause between two looks at the size of the work
	// directory while the machine is idle; it looks after each instance, too.
	sweepEvery = 6 * time.Hour
	// sweepAgain is the pause between two sweeps for want of disk.
	sweepAgain = 5 * time.Minute
)

// caches are what an instance leaves in the work directory for the next one to
// find, in the order in which it can be spared.
var caches = []string{"tmp", "goplscache", "gocache"}

// sweep empties the work directory as far as is needed: its caches if they
// alone are too large, and all of it for want of disk. Nobody may be at work.
func (b *Bot) sweep() {
	root, err := os.OpenRoot(b.work)
	if err != nil {
		b.opts.Log.Warn("the work directory cannot be swept", "err", err)
		return
	}
	defer root.Close()
	before := usage(b.work)
	limit := b.opts.MaxWorkDir
	b.mu.Lock()
	short := b.gate != ""
	b.mu.Unlock()
	for _, name := range caches {
		if short || limit > 0 && usage(b.work) > limit {
			b.remove(root, name)
		}
	}
	if short || limit > 0 && usage(b.work) > limit {
		b.remove(root, ".")
	}
	after := usage(b.work)
	b.mu.Lock()
	b.sweeps++
	b.swept += max(before-after, 0)
	b.mu.Unlock()
	b.opts.Log.Info("the work directory was swept", "dir", b.work, "before", Size(before), "after", Size(after))
}

// remove removes from the work directory, and says what it cannot: what that
// stands in the way of will say so, too.
func (b *Bot) remove(root *os.Root, name string) {
	if err := buildlet.RemoveAll(root, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.opts.Log.Warn("not removed", "from", b.work, "name", name, "err", err)
	}
}

// dirty says why the work directory is to be swept, or "".
func (b *Bot) dirty() string {
	size := usage(b.work)
	b.mu.Lock()
	short := b.gate != ""
	b.mu.Unlock()
	switch limit := b.opts.MaxWorkDir; {
	case limit > 0 && size > limit:
		return fmt.Sprintf("the work directory is swept: it holds %s, and may hold %s", Size(size), Size(limit))
	case short && size > 1<<20:
		return fmt.Sprintf("the work directory is swept: it holds %s, and disk is wanted", Size(size))
	}
	return ""
}

// usage returns how many bytes the regular files below dir hold. It follows no
// links. What goes while it looks, or cannot be read, counts nothing.
func usage(dir string) (size int64) {
	filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			size += stored(info)
		}
		return nil
	})
	return size
}

// list returns the names in root.
func list(root *os.Root) ([]string, error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err == io.EOF {
		err = nil
	}
	return names, err
}
