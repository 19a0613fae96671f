package interop

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// masterHome makes a home directory with a master key where genbuilderkey looks for
// it.
func masterHome(t testing.TB) (home string) {
	home = t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "keys", "gobuilder-master.key"), []byte(" a master, with blanks\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// Our keys are genbuilderkey's: of the principals of the field, of odd ones,
// and of 1,000 random ones.
func TestKeysEqualGenbuilderkey(t *testing.T) {
	env := []string{"HOME=" + masterHome(t)}
	principals := []string{"host-linux-amd64-localdev", "user-joe", "host-x", "ä ö", " padded ", "a\nb", ""}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		name := make([]byte, 1+rng.IntN(60))
		for i := range name {
			name[i] = byte(1 + rng.IntN(255)) // an argument holds no NUL
		}
		if name[0] == '-' {
			name[0] = 'x' // genbuilderkey would take it for a flag
		}
		principals = append(principals, string(name))
	}

	// All at once, and the whole output of a call of its own for some.
	ours := make([]struct{ Key string }, 0, len(principals))
	all := run(t, env, "", "gobuild", append([]string{"keygen", "--json", "--"}, principals...)...)
	if err := json.Unmarshal([]byte(all.stdout), &ours); err != nil || len(ours) != len(principals) {
		t.Fatalf("gobuild keygen gave %d keys for %d principals: %v\n%s", len(ours), len(principals), err, all.stderr)
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range next {
				p := principals[i]
				want := run(t, env, "", "genbuilderkey", p)
				if want.code != 0 || want.stdout != fmt.Sprintln(ours[i].Key) {
					t.Errorf("%q: genbuilderkey says %q (exit code %d), we %q", p, want.stdout, want.code, ours[i].Key)
				}
				if i < 40 {
					if got := run(t, env, "", "gobuild", "keygen", "--", p); got.stdout != want.stdout || got.code != 0 {
						t.Errorf("%q: genbuilderkey prints %q, we %q (exit code %d)", p, want.stdout, got.stdout, got.code)
					}
				}
			}
		})
	}
	for i := range principals {
		next <- i
	}
	close(next)
	wg.Wait()
}

// A master key is what genbuilderkey makes of its file: longer than a block of
// the hash, several lines, no text at all.
func TestMastersEqualGenbuilderkey(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	masters := []string{
		"x", "\n\tx\u00a0\u2003\r\n", "two\nlines\n", "\xef\xbb\xbfmarked\r\n", "\xff\xfex\x00\n\x00", "\x00",
		strings.Repeat("k", 64), strings.Repeat("k", 65), strings.Repeat("k", 5000), "-----BEGIN X-----\nAAAA\n-----END X-----\n",
	}
	for range 20 {
		master := make([]byte, 1+rng.IntN(200))
		for i := range master {
			master[i] = byte(rng.IntN(256))
		}
		masters = append(masters, "m"+string(master))
	}
	home := masterHome(t)
	file := filepath.Join(home, "keys", "gobuilder-master.key")
	for _, master := range masters {
		if err := os.WriteFile(file, []byte(master), 0o600); err != nil {
			t.Fatal(err)
		}
		want := run(t, []string{"HOME=" + home}, "", "genbuilderkey", "host-linux-s390x")
		got := run(t, []string{"HOME=" + home}, "", "gobuild", "keygen", "host-linux-s390x")
		if want.code != 0 || got.code != 0 || got.stdout != want.stdout {
			t.Errorf("master key %.20q: genbuilderkey prints %q (exit code %d), we %q (exit code %d)", master, want.stdout, want.code, got.stdout, got.code)
		}
	}
}

// A whole process, start to end, that makes one key.
func BenchmarkKeygen(b *testing.B) {
	home := masterHome(b)
	for name, argv := range map[string][]string{
		"gobuild":  {"gobuild", "keygen", "host-linux-riscv64"},
		"upstream": {"genbuilderkey", "host-linux-riscv64"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Command(filepath.Join(bin, argv[0]), argv[1:]...)
				cmd.Env = append(cleanEnv(), "HOME="+home)
				if out, err := cmd.Output(); err != nil || len(out) != 33 {
					b.Fatalf("%q, %v", out, err)
				}
			}
		})
	}
}
