package doctor

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"gobuild/pkg/hint"
)

// What may be a secret never gets into the report, wherever on the line it is.
func TestExplainHidesSecrets(t *testing.T) {
	raw := make([]byte, 408)
	rand.Read(raw)
	token := base64.RawStdEncoding.EncodeToString(raw) // as a machine token
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pemLine := strings.Split(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})), "\n")[1]
	for name, secret := range map[string]string{
		"builder key":    "4d8129e2963df29b29cab65e108397d1",
		"machine token":  token,
		"private key":    pemLine,
		"github token":   "ghp_0123456789abcdefABCDEF0123456789abcd",
		"pat":            "github_pat_11ABCDEFG0abcdefghijkl_0123456789",
		"access token":   "ya29.a0AfH6SMBx-short",
		"identity token": "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln",
		"header":         "X-Luci-Machine-Token: hunter2hunter2",
		"builder header": `"X-Go-Builder-Key": "hunter2hunter2"`,
		"bearer":         "Authorization: Bearer hunter2hunter2",
		"json":           `{"luci_machine_token":"hunter2hunter2"}`,
		"proxy password": "http://joe:hunter2hunter2@proxy.example.com:3128",
		"form":           "password=hunter2hunter2",
	} {
		bare := secret
		if strings.Contains(secret, "hunter2hunter2") {
			bare = "hunter2hunter2"
		}
		for _, line := range []string{
			secret + " sudo: a password is required",
			"sudo: a password is required " + secret,
			"sudo: a password is required, " + strings.Repeat("see ", 2000) + secret,
			strings.Repeat("word ", 1000) + secret + " sudo: a password is required " + strings.Repeat(secret+" ", 200),
			strings.Repeat(secret+" ", 20_000/len(secret)) + "sudo: a password is required",
			// Into the words woven into cause and remedy.
			fmt.Sprintf("Failed to save the status - %s", secret),
			fmt.Sprintf("Error dialing server: %s", secret),
		} {
			for _, e := range explainText(t, line+"\n") {
				for _, part := range []string{bare, bare[:min(len(bare), 20)], bare[max(0, len(bare)-20):]} {
					if text := fmt.Sprint(e); strings.Contains(text, part) {
						t.Fatalf("%s: %q is in %s", name, part, text)
					}
				}
			}
		}
	}
}

func TestRedactedLeavesTheRest(t *testing.T) {
	for _, s := range []string{
		"/home/swarming/.swarming/swarming_bot.1.zip/third_party/urllib3/connectionpool.py",
		"/Users/Joe2/Library/Caches/com.example.Something/GoBuild/linux_amd64/pkg/tool/compile",
		"https://chromium-swarm.appspot.com/swarming/api/v1/bot/rbe/session/create",
		"tokenserver.minter.TokenMinter.MintMachineToken MACHINE_TOKEN_MINTING_ERROR",
		"unable to unmarshal token /var/lib/luci_machine_tokend/token.json: invalid character",
		"/tmp/TestExplainTokendFiles3100491650/001/bot.key",
		"sudo: a password is required",
		"gobuild@example.com",
		"550e8400-e29b-41d4-a716-446655440000",
	} {
		if got := redacted(s); got != s {
			t.Errorf("redacted(%q) = %q", s, got)
		}
	}
}

// Machine tokens of any luck with their slashes are known as what they are.
func TestLooksRandom(t *testing.T) {
	missed := 0
	for range 2000 {
		raw := make([]byte, 408)
		rand.Read(raw)
		if got := redacted(base64.RawStdEncoding.EncodeToString(raw)); got != redactedMark {
			missed++
		}
	}
	if missed > 0 {
		t.Errorf("%d of 2000 tokens are shown", missed)
	}
}

func TestExcerpt(t *testing.T) {
	const match = "sudo: a password is required"
	for name, line := range map[string]string{
		"alone":    match,
		"indented": "\t  " + match + "  ",
		"long":     strings.Repeat("ä ", 500) + match + strings.Repeat(" ü", 500),
		"at end":   strings.Repeat("ä ", 5000) + match,
		"controls": "\a\b\x7f\u202e\u200b" + match + "\x9b31m\r",
		"bytes":    "x\xff\xfe\xfd " + match + " \xc3",
	} {
		got := explainText(t, line+"\n")
		if len(got) != 1 {
			t.Fatalf("%s: got %d explanations", name, len(got))
		}
		text := got[0].Text
		if !strings.Contains(text, match) || len(text) > excerptMax || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%s: excerpt %q of %d bytes", name, text, len(text))
		}
	}
}

func TestUTF16Reader(t *testing.T) {
	const want = "plain, ä, €, 𝄞 and\r\nmore"
	for _, bigEndian := range []bool{false, true} {
		var b bytes.Buffer
		for _, u := range utf16.Encode([]rune("\ufeff" + want)) {
			if bigEndian {
				b.Write([]byte{byte(u >> 8), byte(u)})
			} else {
				b.Write([]byte{byte(u), byte(u >> 8)})
			}
		}
		if err := iotest.TestReader(decodedLog(bytes.NewReader(b.Bytes())), []byte(want)); err != nil {
			// TestReader also reads into tiny buffers, which bufio never does.
			got, readErr := io.ReadAll(decodedLog(iotest.OneByteReader(&b)))
			if readErr != nil || string(got) != want {
				t.Errorf("big endian %t: got %q, %v (%v)", bigEndian, got, readErr, err)
			}
		}
	}
	for in, want := range map[string]string{
		"\xff\xfea\x00\x00\xd8b\x00": "a\ufffdb", // half a pair
		"\xff\xfea\x00\x00\xd8":      "a\ufffd",
		"\xff\xfea\x00\x00":          "a", // half a unit
		"\xef\xbb\xbfa":              "a",
		"\xff":                       "\xff",
	} {
		got, err := io.ReadAll(decodedLog(strings.NewReader(in)))
		if err != nil || string(got) != want {
			t.Errorf("decodedLog(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

// The automaton finds the literals that strings.Contains finds.
func TestAutomaton(t *testing.T) {
	literals := map[string]rowSet{}
	words := []string{"he", "she", "his", "hers", "ushers", "s", "rsx"}
	for i, w := range words {
		literals[w] = row(i)
	}
	a := newAutomaton(literals)
	const letters = "hersiux"
	for range 20_000 {
		n, _ := rand.Int(rand.Reader, big.NewInt(1<<40))
		var line []byte
		for v := n.Uint64(); v > 0; v /= uint64(len(letters)) {
			line = append(line, letters[v%uint64(len(letters))])
		}
		got := a.find(line)
		for i, w := range words {
			if want := strings.Contains(string(line), w); got.has(i) != want {
				t.Fatalf("%q in %q: %t", w, line, got.has(i))
			}
		}
	}
}

// Nothing that the regular expressions match is missed by the automaton.
func TestPrefilterMissesNothing(t *testing.T) {
	for _, file := range samples(t) {
		for _, e := range explainFile(t, file) {
			for i, c := range causeTable() {
				if c.pattern.MatchString(e.Text) && !causeFinder().find([]byte(e.Text)).has(i) {
					t.Errorf("%s matches %q, but its literals are not there", c.id, e.Text)
				}
			}
		}
	}
}

func FuzzExplain(f *testing.F) {
	for _, file := range samples(f) {
		for _, e := range explainFile(f, file) {
			f.Add([]byte(e.Text))
		}
	}
	f.Add([]byte("\xff\xfes\x00u\x00d\x00o\x00"))
	f.Add([]byte(`{"tokend_version":"1.2","failure_error":"x","log_dump":"\nsudo: a password is required"}`))
	f.Add([]byte("\x1b[31mToo many open files\x1b[0m"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Explain(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		last := 0
		for _, e := range got {
			if e.Count < 1 || e.Line < last || len(e.Text) > excerptMax {
				t.Errorf("%+v", e)
			}
			last = e.Line
			for _, s := range []string{e.Text, e.Cause, e.Remedy} {
				if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("%s: %q is not fit to print", e.ID, s)
				}
			}
		}
	})
}

// A log that was put away is read as it is; for what cannot be unpacked, the
// error says what can.
func TestExplainPacked(t *testing.T) {
	const line = "first\nsudo: a password is required\n"
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	io.WriteString(zip, line)
	zip.Close()
	// echo first; echo sudo: a password is required, through bzip2
	bz, err := base64.StdEncoding.DecodeString("QlpoOTFBWSZTWaJQsbMAAAdZgAAQQAAAECcg/oAgADFMABNCJk0abQItKnKDQ9WZQk9GIz3sykCdYfxdyRThQkKJQsbM")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"gzip": packed.String(), "bzip2": string(bz)} {
		if got := explainText(t, text); len(got) != 1 || got[0].Line != 2 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if _, err := Explain(strings.NewReader(packed.String()[:packed.Len()-6])); err == nil {
		t.Error("gzip, cut off: no error")
	}
	for magic, want := range map[string]string{"\xfd7zXZ\x00": "xzcat", "\x28\xb5\x2f\xfd": "zstdcat", "LPKSHHRH": "journalctl", "\x7fELF\x02": "log of", "PK\x03\x04": "swarming_bot.log"} {
		if _, err := Explain(strings.NewReader(magic + "rest")); err == nil || !strings.Contains(hint.Of(err), want) {
			t.Errorf("%q: %v, hint %q", magic, err, hint.Of(err))
		}
	}
}
