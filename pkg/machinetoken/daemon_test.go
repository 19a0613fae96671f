package machinetoken

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/hint"
)

// The first run gets a token; what it writes has luci_machine_tokend's form.
func TestNewToken(t *testing.T) {
	f := newFarm(t)
	r := f.once(f.daemon())
	if r.Err != nil || r.Outcome != OutcomeSuccess || r.Reason != ReasonNew {
		t.Fatalf("%+v", r)
	}
	if r.FQDN != testHost+".bots.golang.org" || r.ServiceVersion != "gobuild/rehearsal" || r.Attempts != 1 || len(r.Notes) > 0 {
		t.Errorf("%+v", r)
	}
	form := regexp.MustCompile(`^\{
  "luci_machine_token": "[A-Za-z0-9+/]{500,600}",
  "expiry": "\d{10}",
  "last_update": "\d{10}",
  "next_update": "\d{10}",
  "tokend_state": "[A-Za-z0-9+/]+=*"
\}$`)
	if text := f.read("token.json"); !form.MatchString(text) {
		t.Errorf("token file:\n%s", text)
	}
	file, err := ReadTokenFile(f.path("token.json"))
	if err != nil {
		t.Fatal(err)
	}
	if half := file.NextUpdate.Sub(file.LastUpdate); half < 29*time.Minute || half > 30*time.Minute {
		t.Errorf("the next update is %s after the last", half)
	}
	var keys map[string]any
	if err := json.Unmarshal([]byte(f.read("status.json")), &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"tokend_version", "service_version", "started_ts", "total_duration_us", "rpc_duration_us",
		"update_outcome", "update_reason", "log_dump", "token_last_update_ts", "token_next_update_ts", "token_expiry_ts"} {
		if keys[key] == nil {
			t.Errorf("status file lacks %s", key)
		}
		delete(keys, key)
	}
	if len(keys) > 0 {
		t.Errorf("status file has besides %v", keys)
	}
}

// When a token is asked for, and why.
func TestReasons(t *testing.T) {
	f := newFarm(t)
	run := func(reason string, calls int, edit func(d *Daemon)) Result {
		t.Helper()
		f.breakWith(nil)
		d := f.daemon()
		edit(d)
		r := f.once(d)
		if r.Err != nil || r.Reason != reason || f.calls() != calls {
			t.Errorf("got reason %s, %d calls, error %v; want %s, %d", r.Reason, f.calls(), r.Err, reason, calls)
		}
		return r
	}
	same := func(*Daemon) {}
	run(ReasonNew, 1, same)
	run(ReasonGood, 0, same)
	run(ReasonForced, 1, func(d *Daemon) { d.Force = true })
	ahead := func(by time.Duration) func(*Daemon) {
		return func(d *Daemon) { d.Now = func() time.Time { return time.Now().Add(by) } }
	}
	run(ReasonGood, 0, ahead(29*time.Minute))
	r := f.daemonAt(t, 31*time.Minute)
	if r != ReasonExpires {
		t.Errorf("after half of its life the reason is %s", r)
	}
	run(ReasonGood, 0, same)
	// Another spelling of the backend, or one byte in a file, are other inputs.
	run(ReasonParams, 1, func(d *Daemon) { d.Backend = strings.ToUpper(f.backend[:1]) + "ocalhost" + f.backend[9:] })
	run(ReasonParams, 1, same)
	f.write("bot.key", []byte(f.read("bot.key")+"\n"), 0o600)
	r2 := run(ReasonParams, 1, same)
	if len(r2.Notes) != 1 || !strings.Contains(r2.Notes[0].Text, "luci_machine_tokend refuses") {
		t.Errorf("notes %+v", r2.Notes)
	}
	run(ReasonGood, 0, same)
}

// daemonAt returns the reason that a run has while this machine's clock, and
// the server's, are ahead.
func (f *farm) daemonAt(t *testing.T, by time.Duration) string {
	stored, err := ReadTokenFile(f.path("token.json"))
	if err != nil {
		t.Fatal(err)
	}
	return reason(stored, stored.State.InputsDigest, false, time.Now().Add(by))
}

func TestInputsDigest(t *testing.T) {
	// What sha1sum says of "backend\n1\nbcert\n1\ncforceBump\n1\n\x01pkey\n1\nk".
	if got, want := inputsDigest("b", []byte("c"), []byte("k")), "876d07a13e37ebb7da884d4eb5dee7924e02fa43"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Files that luci_machine_tokend refuses are used, with a note; wrong ones are
// not, and the error holds nothing of them.
func TestFiles(t *testing.T) {
	f := newFarm(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(testKeys().bot)
	if err != nil {
		t.Fatal(err)
	}
	otherKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(testKeys().server)})
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.ca.Raw}))
	key, cert := f.read("bot.key"), f.read("bot.cert")
	for _, tt := range []struct{ name, key, cert, note, err string }{
		{"chain", key, cert + ca, "chain of 2", ""},
		{"BOM", "\xef\xbb\xbf" + key, cert, "byte order mark", ""},
		{"text behind", key + "hello\n", cert, "other text follows", ""},
		{"PKCS#8", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), cert, "PKCS#8", ""},
		{"another key", string(otherKey), cert, "", "is not that of the certificate"},
		{"certificate as key", cert, cert, "", "private key: "},
		{"empty", "", cert, "", "the file is empty"},
		{"key as certificate", key, key, "", "certificate: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.write("bot.key", []byte(tt.key), 0o600)
			f.write("bot.cert", []byte(tt.cert), 0o644)
			f.breakWith(nil)
			r := f.daemon().Once(context.Background())
			switch {
			case tt.err != "":
				if r.Outcome != OutcomeCantReadKey || !strings.Contains(r.Err.Error(), tt.err) || hint.Of(r.Err) == "" || f.calls() != 0 {
					t.Errorf("%s: %v (hint %q)", r.Outcome, r.Err, hint.Of(r.Err))
				}
			case r.Err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Text, tt.note):
				t.Errorf("error %v, notes %+v", r.Err, r.Notes)
			}
		})
	}
	f.write("bot.key", []byte(key), 0o640)
	f.write("bot.cert", []byte(cert), 0o644)
	if r := f.once(f.daemon()); r.Err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Text, "others than its owner") {
		t.Errorf("a key that others can read: %v, %+v", r.Err, r.Notes)
	}
	d := f.daemon()
	d.KeyFile = f.dir
	if r := f.once(d); r.Outcome != OutcomeCantReadKey || r.Reason != ReasonParams || r.Expiry.IsZero() || !strings.Contains(r.Err.Error(), "no regular file") {
		t.Errorf("a directory as key: %+v", r)
	}
	if info, err := os.Stat(f.path("bot.key")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode of the key was touched: %v, %v", info.Mode(), err)
	}
}

// What cannot be read as a token file counts as none, and is replaced.
func TestCorruptedTokenFile(t *testing.T) {
	f := newFarm(t)
	f.once(f.daemon())
	good := f.read("token.json")
	for name, text := range map[string]string{
		"empty": "", "cut": good[:len(good)/2], "binary": "\x00\xff\xfe", "array": "[]", "huge": strings.Repeat("x", 1<<20),
		"a field of somebody": strings.Replace(good, "{", `{"host": "x",`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			f.write("token.json", []byte(text), 0o600)
			r := f.once(f.daemon())
			if r.Err != nil || r.Reason != ReasonNew || len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Text, "counts as not there") {
				t.Errorf("%+v", r)
			}
			if file, err := ReadTokenFile(f.path("token.json")); err != nil || file.Token == "" {
				t.Errorf("%v, %v", file, err)
			}
		})
	}
	// State of another kind is no state.
	stored, _ := ParseTokenFile([]byte(good))
	state := base64.StdEncoding.EncodeToString([]byte("[1]"))
	text := regexp.MustCompile(`"tokend_state": "[^"]*"`).ReplaceAllString(good, `"tokend_state": "`+state+`"`)
	f.write("token.json", []byte(text), 0o644)
	if r := f.once(f.daemon()); r.Reason != ReasonParams || r.Err != nil || stored.Token == "" {
		t.Errorf("%+v", r)
	}
}

func TestCopies(t *testing.T) {
	f := newFarm(t)
	d := f.daemon()
	d.Copies = []string{f.path("one.json"), f.path("two.json")}
	if r := f.once(d); r.Err != nil || r.Outcome != OutcomeSuccess {
		t.Fatalf("%+v", r)
	}
	f.write("one.json", []byte("stale"), 0o600)
	os.Remove(f.path("two.json"))
	if r := f.once(d); r.Err != nil || r.Outcome != OutcomeGood || r.Reason != ReasonMissingCopy {
		t.Errorf("%+v", r)
	}
	for _, name := range []string{"one.json", "two.json"} {
		if f.read(name) != f.read("token.json") {
			t.Errorf("%s is not like the token file", name)
		}
	}
	if f.calls() != 1 {
		t.Errorf("%d calls for one token", f.calls())
	}
}

// Two at the same time do not fight: the second is content with the first's
// token, and says who holds the lock.
func TestTwoInstances(t *testing.T) {
	f := newFarm(t)
	lock, err := lockToken(f.path("token.json"))
	if err != nil {
		t.Fatal(err)
	}
	d := f.daemon()
	d.Timeout = 300 * time.Millisecond
	r := f.once(d)
	if !errors.Is(r.Err, errHeld) || r.Outcome != OutcomeLocked || !strings.Contains(r.Err.Error(), "process ") || f.calls() != 0 {
		t.Errorf("%+v", r)
	}
	if err := d.Run(t.Context()); !errors.Is(err, errHeld) || hint.Of(err) == "" {
		t.Errorf("Run: %v", err)
	}
	lock.unlock()
	if r := f.once(f.daemon()); r.Err != nil {
		t.Fatal(r.Err)
	}
	if lock, err = lockToken(f.path("token.json")); err != nil {
		t.Fatal(err)
	}
	defer lock.unlock()
	f.breakWith(nil)
	d = f.daemon()
	d.Force = true
	r = f.once(d)
	if r.Err != nil || r.Outcome != OutcomeGood || f.calls() != 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Text, "process ") {
		t.Errorf("%+v", r)
	}
}

// A directory that is not there is said before the server is asked.
func TestNoDirectory(t *testing.T) {
	f := newFarm(t)
	d := f.daemon()
	d.TokenFile = f.path("none/token.json")
	r := f.once(d)
	if r.Err == nil || r.Outcome != unknownSaveTokenError || !strings.Contains(hint.Of(r.Err), "has to be there first") || f.calls() != 0 {
		t.Errorf("%+v, hint %q", r, hint.Of(r.Err))
	}
}
