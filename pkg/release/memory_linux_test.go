//go:build !race

// The race detector takes more addresses than the limit.

package release

import (
	"encoding/base64"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Where there is no GiB to be had, what needs it says so.
func TestTooLittleMemory(t *testing.T) {
	if dir := os.Getenv("TOO_LITTLE_MEMORY"); dir != "" {
		if err := newKey(t).Write(filepath.Join(dir, "new"), "swordfish"); err == nil || !strings.Contains(err.Error(), "memory") {
			t.Errorf("write: %v", err)
		}
		for size, want := range map[uint64]string{1 << 30: "memory", 1 << 62: "memory", 1 << 20: "does not decrypt"} {
			raw := make([]byte, 158)
			copy(raw, "EdScB2")
			binary.LittleEndian.PutUint64(raw[38:], size>>5)
			binary.LittleEndian.PutUint64(raw[46:], size)
			key := write(t, t.TempDir(), "key", []byte("untrusted comment: x\n"+base64.StdEncoding.EncodeToString(raw)+"\n"))
			_, err := ReadPrivateKey(key, func() (string, error) { return "swordfish", nil })
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("read a key that takes %d bytes: %v", size, err)
			}
		}
		return
	}
	dir := t.TempDir()
	cmd := exec.Command("/bin/sh", "-c", `ulimit -v 1000000 && exec "$@"`, "sh", os.Args[0], "-test.run=^TestTooLittleMemory$")
	cmd.Env = append(os.Environ(), "TOO_LITTLE_MEMORY="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%.1000s", err, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
