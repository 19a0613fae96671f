//go:build !race

// Each use of an encrypted key takes a GiB of memory, and under the race
// detector minutes.

package release

import (
	"path/filepath"
	"strings"
	"testing"
)

// An encrypted key, of either side, opens with its password alone.
func TestMinisignPassword(t *testing.T) {
	if testing.Short() {
		t.Skip("each use of an encrypted key takes a GiB of memory")
	}
	dir := t.TempDir()
	file := write(t, dir, "f", []byte("content"))
	ours := filepath.Join(dir, "k")
	if err := newKey(t).Write(ours, "swordfish"); err != nil {
		t.Fatal(err)
	}
	if out, err := runMinisign(t, "swordfish\n", "-S", "-s", ours, "-m", file, "-x", file+".sig"); err != nil {
		t.Errorf("minisign does not open our key: %v\n%s", err, out)
	}
	for _, tt := range []struct {
		password string
		good     bool
	}{{"swordfish", true}, {"Swordfish", false}} {
		key, err := ReadPrivateKey(ours, func() (string, error) { return tt.password, nil })
		if (err == nil) != tt.good {
			t.Errorf("password %q: %v, %v", tt.password, key.Public(), err)
		}
		if err != nil && strings.Contains(err.Error(), tt.password) {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}
