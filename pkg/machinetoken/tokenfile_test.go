package machinetoken

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gobuild/pkg/hint"
)

// sample is what luci_machine_tokend writes (LUCI protocol, section 7.6).
const sample = `{
  "luci_machine_token": "abcDEF+/",
  "expiry": "1795430778",
  "last_update":  "1795427178",
  "next_update": "1795428978",
  "tokend_state": "eyJJbnB1dHNEaWdlc3QiOiIwMCIsIlZlcnNpb24iOiIxLjMifQ=="
}`

func TestParseTokenFile(t *testing.T) {
	want := TokenFile{
		Token:      "abcDEF+/",
		Expiry:     time.Unix(1795430778, 0),
		LastUpdate: time.Unix(1795427178, 0),
		NextUpdate: time.Unix(1795428978, 0),
		State:      TokendState{InputsDigest: "00", Version: "1.3"},
	}
	withUnknown := want
	withUnknown.Unknown = []string{"host"}
	for _, tt := range []struct {
		name, text string
		want       TokenFile
		err        string
	}{
		{name: "as written", text: sample, want: want},
		{name: "numbers", text: strings.NewReplacer(`"17`, `17`, `78"`, `78`).Replace(sample), want: want},
		{name: "camel case", text: strings.NewReplacer("luci_machine_token", "luciMachineToken", "last_update", "lastUpdate", "next_update", "nextUpdate").Replace(sample), want: want},
		{name: "state of another kind", text: `{"tokend_state": "WzFd"}`},
		{name: "null", text: `{"luci_machine_token": null, "expiry": null}`},
		{name: "empty object", text: "{}\n"},
		{name: "unknown field", text: strings.Replace(sample, "{", `{"host": ["x"],`, 1), want: withUnknown},
		{name: "empty", text: "", err: "no JSON object"},
		{name: "array", text: "[]", err: "no JSON object"},
		{name: "cut off", text: sample[:100], err: "it is no JSON from byte"},
		{name: "cut before the end", text: sample[:len(sample)-1], err: "it ends too early"},
		{name: "two", text: sample + sample, err: "more follows"},
		{name: "twice", text: `{"expiry": 1, "expiry": 2}`, err: "it has expiry twice"},
		{name: "twice, both spellings", text: `{"last_update": 1, "lastUpdate": 2}`, err: "it has last_update twice"},
		{name: "fraction", text: `{"expiry": 1.5}`, err: "expiry: it is no whole number"},
		{name: "no number", text: `{"expiry": "soon"}`, err: "expiry: it is no whole number"},
		{name: "token as number", text: `{"luci_machine_token": 7}`, err: "luci_machine_token: it is no string"},
		{name: "bad state", text: `{"tokend_state": "?"}`, err: "tokend_state: it is no base64"},
		{name: "too large", text: strings.Repeat(" ", maxTokenFile+1), err: "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseTokenFile([]byte(tt.text))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadTokenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token.json")
	if err := os.WriteFile(file, []byte(sample), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := ReadTokenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format, f); strings.Contains(s, f.Token) {
			t.Errorf("%s prints the token: %s", format, s)
		}
	}
	secret := `{"luci_machine_token": "verysecret`
	if err := os.WriteFile(file, []byte(secret), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = ReadTokenFile(file)
	if err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "verysecret") || hint.Of(err) == "" {
		t.Errorf("error %v (hint %q), want one that names the file and not its content", err, hint.Of(err))
	}
	if _, err := ReadTokenFile(file + ".none"); !os.IsNotExist(err) && !strings.Contains(fmt.Sprint(err), ".none") {
		t.Errorf("error %v, want not there", err)
	}
}

func TestTokenFilePath(t *testing.T) {
	env := map[string]string{}
	getenv := func(name string) string { return env[name] }
	want := "/var/lib/luci_machine_tokend/token.json"
	if runtime.GOOS == "windows" {
		want = `C:\luci_machine_tokend\token.json`
	}
	if got := TokenFilePath(getenv); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	env["LUCI_MACHINE_TOKEN"] = "/x/t"
	if got := TokenFilePath(getenv); got != "/x/t" {
		t.Errorf("got %s, want the one of the environment", got)
	}
}

// message encodes fields as protobuf does: numbers and strings by number.
func message(fields ...any) []byte {
	var b []byte
	for i := 0; i < len(fields); i += 2 {
		number := uint64(fields[i].(int))
		switch value := fields[i+1].(type) {
		case int:
			b = binary.AppendUvarint(binary.AppendUvarint(b, number<<3), uint64(value))
		case uint64:
			b = binary.AppendUvarint(binary.AppendUvarint(b, number<<3), value)
		case string:
			b = binary.AppendUvarint(binary.AppendUvarint(b, number<<3|2), uint64(len(value)))
			b = append(b, value...)
		}
	}
	return b
}

func TestParseToken(t *testing.T) {
	body := message(1, "linux-riscv64-joe.bots.golang.org", 2, "x@example.iam.gserviceaccount.com",
		3, 1795427178, 4, 3600, 5, 7, 7, "\x01\x02")
	encode := func(envelope []byte) string { return base64.RawStdEncoding.EncodeToString(envelope) }
	good := encode(message(1, string(body), 2, "key", 3, strings.Repeat("s", 256)))
	got, err := ParseToken(good)
	want := Body{
		FQDN:     "linux-riscv64-joe.bots.golang.org",
		IssuedBy: "x@example.iam.gserviceaccount.com",
		Issued:   time.Unix(1795427178, 0),
		Lifetime: time.Hour,
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, tt := range []struct{ name, token, err string }{
		{"padded", good + "==", "no base64"},
		{"empty", "", "names no machine"},
		{"text", encode([]byte("hello, gophers")), "no protobuf message"},
		{"cut envelope", encode(message(1, string(body))[:40]), "envelope of the machine token: "},
		{"cut body", encode(message(1, string(body[:20]))), "body of the machine token: "},
		{"field 0", encode(message(0, 1)), "no protobuf message"},
		{"far future", encode(message(1, string(message(1, "x", 3, uint64(1)<<62)))), "cannot be true"},
	} {
		if got, err := ParseToken(tt.token); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %+v, %v, want an error with %q", tt.name, got, err, tt.err)
		}
	}
}

func FuzzParseTokenFile(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"expiry": 1e3, "x": {"y": [1]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := ParseTokenFile(text)
		if err != nil && len(file.Token) > 0 {
			t.Error("a token beside an error")
		}
		ParseToken(file.Token)
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add(message(1, string(message(1, "a.b", 3, 1, 4, 2))))
	f.Fuzz(func(t *testing.T, envelope []byte) {
		body, err := ParseToken(base64.RawStdEncoding.EncodeToString(envelope))
		if err == nil && (body.FQDN == "" || body.Lifetime < 0) {
			t.Errorf("%+v", body)
		}
	})
}
