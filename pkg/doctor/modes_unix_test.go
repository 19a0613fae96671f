//go:build unix

package doctor

import (
	"io/fs"
	"os"
	"path"
	"syscall"
	"testing"
)

// statOf is a file as the system shows it.
type statOf struct {
	fs.FileInfo
	mode fs.FileMode
	uid  uint32
}

func (s statOf) Mode() fs.FileMode { return s.mode }
func (s statOf) Sys() any          { return &syscall.Stat_t{Uid: s.uid} }

func TestHiddenFrom(t *testing.T) {
	const file = "/var/lib/token/token.json"
	for _, tt := range []struct {
		name  string
		files map[string]statOf // those that differ from 0755 of root
		want  string            // a regular expression; empty for readable
	}{
		{"as it should be", map[string]statOf{file: {mode: 0o644}}, "^$"},
		{"file of umask 077", map[string]statOf{file: {mode: 0o600}}, "^mode 0600 of root$"},
		{"directory of umask 077", map[string]statOf{file: {mode: 0o644}, path.Dir(file): {mode: 0o700}}, `^directory /var/lib/token lets nobody through \(mode 0700 of root\)$`},
		{"of the bot's user", map[string]statOf{file: {mode: 0o600, uid: 1000}, path.Dir(file): {mode: 0o700, uid: 1000}}, "^$"},
		{"not there", nil, "does not exist"},
	} {
		stat := func(name string) (fs.FileInfo, error) {
			if s, special := tt.files[name]; special {
				return s, nil
			}
			if name == file {
				return nil, os.ErrNotExist
			}
			return statOf{mode: 0o755}, nil
		}
		if got := hiddenFrom(stat, file); !contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
