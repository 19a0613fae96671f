//go:build unix

package doctor

import (
	"io/fs"
	"os"
	"path"
	"syscall"
	"testing"

	"gobuild/pkg/account"
)

// statOf is a file as the system shows it.
type statOf struct {
	fs.FileInfo
	mode fs.FileMode
	uid  uint32
	gid  uint32
}

func (s statOf) Mode() fs.FileMode { return s.mode }
func (s statOf) Sys() any          { return &syscall.Stat_t{Uid: s.uid, Gid: s.gid} }

func TestHiddenFrom(t *testing.T) {
	const file = "/var/lib/token/token.json"
	for _, tt := range []struct {
		name  string
		files map[string]statOf // those that differ from 0755 of root
		want  string            // a regular expression; empty for readable
		known string            // the same if the bot's user is known: 1001, also in group 50
	}{
		{"as it should be", map[string]statOf{file: {mode: 0o644}}, "^$", "^$"},
		{"file of umask 077", map[string]statOf{file: {mode: 0o600}}, "^mode 0600 of root$", "^mode 0600 of root$"},
		{"directory of umask 077", map[string]statOf{file: {mode: 0o644}, path.Dir(file): {mode: 0o700}}, `^directory /var/lib/token does not let it through \(mode 0700 of root\)$`, "^directory /var/lib/token "},
		{"of an ordinary user", map[string]statOf{file: {mode: 0o600, uid: 1002}}, "^$", "^mode 0600 of uid 1002$"},
		{"of the bot's user", map[string]statOf{file: {mode: 0o600, uid: 1001}, path.Dir(file): {mode: 0o700, uid: 1001}}, "^$", "^$"},
		{"of a group of the bot's user", map[string]statOf{file: {mode: 0o640, gid: 50}}, "^mode 0640", "^$"},
		{"of its group, which may less than others", map[string]statOf{file: {mode: 0o604, gid: 50}}, "^$", "^mode 0604"},
		{"not there", nil, "does not exist", "does not exist"},
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
		if got := hiddenFrom(nil, stat, file); !contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if got := hiddenFrom(&account.Account{UID: 1001, Groups: []uint32{1001, 50}}, stat, file); !contains(got, tt.known) {
			t.Errorf("%s, with the bot's user known: got %q, want %q", tt.name, got, tt.known)
		}
	}
}
