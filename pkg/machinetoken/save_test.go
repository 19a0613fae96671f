package machinetoken

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/hint"
)

// saveUntilKilled is this test program as a daemon that writes token files
// until it is killed; it reports whether it was started as one.
func saveUntilKilled() bool {
	path := os.Getenv("TEST_SAVE_UNTIL_KILLED")
	if path == "" {
		return false
	}
	for i := 0; ; i++ {
		file := TokenFile{Token: fmt.Sprintf("%d-%s", i, strings.Repeat("t", i%3000)), Expiry: time.Unix(1e9, 0)}
		text, err := file.Marshal()
		if err == nil {
			err = saveFile(context.Background(), path, text)
		}
		if err != nil {
			fmt.Println(err, hint.Of(err))
			os.Exit(1)
		}
	}
}

// A kill at any moment leaves a whole token file, and what lies beside it is
// swept away by the next daemon.
func TestKilledWhileSaving(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token.json")
	left := false
	for i := range 40 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TEST_SAVE_UNTIL_KILLED="+path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, "a first file", func() bool { _, err := os.Stat(path); return err == nil })
		time.Sleep(time.Duration(i%20) * 500 * time.Microsecond)
		cmd.Process.Kill()
		cmd.Wait()
		file, err := ReadTokenFile(path)
		if err != nil || file.Token == "" {
			t.Fatalf("after a kill: %v, %v", file, err)
		}
		entries, _ := os.ReadDir(filepath.Dir(path))
		left = left || len(entries) > 1
	}
	if !left {
		t.Log("no kill came between writing and renaming")
	}
	sweep(path)
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left over: %v", entries)
	}
}

// A daemon that was killed while it wrote left its temporary file; the old
// token is as it was, and the next run cleans up.
func TestPowerCut(t *testing.T) {
	f := newFarm(t)
	f.once(f.daemon())
	old := f.read("token.json")
	f.write(".token.json.tmp-123", []byte("{half"), 0o600)
	f.write(".other.json.tmp-123", []byte("not ours"), 0o600)
	if r := f.once(f.daemon()); r.Outcome != OutcomeGood || f.read("token.json") != old {
		t.Errorf("%+v", r)
	}
	d := f.daemon()
	d.Force = true
	if r := f.once(d); r.Err != nil {
		t.Error(r.Err)
	}
	if _, err := os.Stat(f.path(".token.json.tmp-123")); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there: %v", err)
	}
	f.read(".other.json.tmp-123")
}

// FuzzMarshal holds the writer against the reader.
func FuzzMarshal(f *testing.F) {
	f.Add("abc+/", int64(1795430778), "00")
	f.Fuzz(func(t *testing.T, token string, expiry int64, digest string) {
		if len(token) > 1000 || !printableASCII(token) || strings.ToValidUTF8(digest, "") != digest || len(digest) > 1000 {
			t.Skip()
		}
		file := TokenFile{Token: token, State: TokendState{InputsDigest: digest, Version: "1"}}
		if expiry != 0 {
			file.Expiry = time.Unix(expiry, 0)
		}
		text, err := file.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseTokenFile(text)
		if err != nil || back.Token != file.Token || !back.Expiry.Equal(file.Expiry) || back.State != file.State {
			t.Errorf("%s\n%+v, %v", text, back, err)
		}
	})
}
