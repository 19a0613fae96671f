package interop

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"gobuild/pkg/builderkey"
)

// Our keys are genbuilderkey's, for the principals of the field and for odd
// ones.
func TestKeysEqualGenbuilderkey(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, "keys", "gobuilder-master.key")
	if err := os.WriteFile(file, []byte(" a master, with blanks\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	master, _, err := builderkey.ReadMaster(file)
	if err != nil {
		t.Fatal(err)
	}
	principals := []string{"host-linux-amd64-localdev", "user-joe", "host-x", "ä ö", " padded ", "a\nb", "-"}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		name := make([]byte, 1+rng.IntN(60))
		for i := range name {
			name[i] = byte(1 + rng.IntN(255)) // an argument holds no NUL
		}
		if name[0] == '-' {
			name[0] = 'x' // genbuilderkey would take it for a flag
		}
		principals = append(principals, string(name))
	}
	for _, p := range principals {
		got := run(t, []string{"HOME=" + home}, "", "genbuilderkey", p)
		if got.code != 0 {
			t.Fatalf("genbuilderkey %q: exit code %d: %s", p, got.code, got.stderr)
		}
		if want := fmt.Sprintln(master.Key(p)); got.stdout != want {
			t.Errorf("%q: genbuilderkey says %q, we %q", p, got.stdout, want)
		}
	}
}
