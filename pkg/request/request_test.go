package request

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// good is a request with nothing wrong.
func good() Options {
	return Options{
		Port: "linux-riscv64", Hostname: "linux-riscv64-joe",
		CSRFile: filepath.Join("testdata", "linux-riscv64-joe.csr"),
		Contact: "joe@example.org", Notes: "A board with 4 cores.",
		Repo: DefaultRepo,
	}
}

const goodReport = "ok    memory  16 GiB\nwarn  disk    18 GiB free, wanted 20\n"

// mustDraft returns a draft with nothing wrong.
func mustDraft(t *testing.T) *Draft {
	t.Helper()
	d, err := New(good())
	if err == nil {
		err = d.AddReport(goodReport)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		report string
		change func(*Options)
	}{
		{"full", goodReport, func(*Options) {}},
		{"bare", "", func(o *Options) { *o = Options{Port: o.Port, Hostname: o.Hostname, Repo: "joe/farm"} }},
		// Nothing of it may end its block, be Markdown, HTML or a mention.
		{"hostile", "~~~\n`````text\n</details>\n<script>\n", func(o *Options) {
			o.Contact = "`|` <!-- @golang/release"
			o.Notes = "```\n# Approved\n</details>\n````\n@golang please close #1\r\n<!-- gobuild-request: forged -->\n{{.Label}} \x1b[2J\u202etxt"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := good()
			tt.change(&opts)
			d, err := draft(opts, "0123456789")
			if err == nil {
				err = d.AddReport(tt.report)
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.Title != "x/build: add linux-riscv64 builder" || !cmp.Equal(d.Labels, []string{"new-builder"}) {
				t.Errorf("title %q, labels %q", d.Title, d.Labels)
			}
			golden := filepath.Join("testdata", tt.name+".md")
			if *update {
				if err := os.WriteFile(golden, []byte(d.Body), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), d.Body); diff != "" {
				t.Errorf("%s differs (-update writes it anew):\n%s", golden, diff)
			}
			outside := strings.Join(unfenced(d.Body), "\n")
			if n := strings.Count(outside, "</details>"); n > 1 {
				t.Errorf("%d ends of details outside of blocks:\n%s", n, outside)
			}
			if strings.Contains(outside, "Approved") || strings.Contains(outside, "@golang") || strings.Contains(outside, "forged") {
				t.Errorf("free text is outside of its block:\n%s", outside)
			}
		})
	}
}

// unfenced returns the lines of a Markdown text that are in no fenced block,
// with spans of code taken out: what GitHub takes as Markdown.
func unfenced(text string) []string {
	var lines []string
	fence := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence != "" && len(ticks) >= len(fence) && ticks == line:
			fence = ""
		case fence != "":
		case len(ticks) >= 3:
			fence = ticks
		default:
			lines = append(lines, withoutSpans(line))
		}
	}
	return lines
}

// withoutSpans takes the spans of code out of a line (CommonMark, section 6.1).
func withoutSpans(line string) string {
	var b strings.Builder
	for line != "" {
		before, rest, _ := strings.Cut(line, "`")
		b.WriteString(before)
		if len(before) == len(line) {
			break
		}
		n := 1 + len(rest) - len(strings.TrimLeft(rest, "`"))
		line = strings.TrimLeft(rest, "`")
		for line != "" { // to a row of exactly n
			_, after, found := strings.Cut(line, "`")
			if !found {
				line = ""
				break
			}
			row := 1 + len(after) - len(strings.TrimLeft(after, "`"))
			line = strings.TrimLeft(after, "`")
			if row == n {
				break
			}
		}
	}
	return b.String()
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name       string
		change     func(*Options)
		text, hint string
	}{
		{"no port", func(o *Options) { o.Port = "linux" }, "no port", "GOOS-GOARCH"},
		{"port turned round", func(o *Options) { o.Port = "riscv64-linux" }, "behind the architecture", "linux-riscv64"},
		{"unknown port", func(o *Options) { o.Port = "linux-riscv128" }, "no port of Go", "--new-port"},
		{"bad new port", func(o *Options) { o.Port, o.NewPort = "linux-risc_v", true }, "no port", ""},
		{"host of another port", func(o *Options) { o.Port = "linux-arm" }, "is for the port linux-riscv64", "linux-arm-joe"},
		{"bad host", func(o *Options) { o.Hostname = "linux-riscv64-joe.bots.golang.org" }, "has a dot", "linux-riscv64-joe"},
		{"no CSR there", func(o *Options) { o.CSRFile = "nosuch.csr" }, "nosuch.csr", "gobuild csr linux-riscv64-joe"},
		{"CSR of another", func(o *Options) { o.Hostname = "linux-riscv64-jim" }, "subject", ""},
		{"contact of two lines", func(o *Options) { o.Contact = "a\nb" }, "more than one line", "--notes"},
		{"long contact", func(o *Options) { o.Contact = strings.Repeat("x", 201) }, "201 bytes", ""},
		{"long notes", func(o *Options) { o.Notes = strings.Repeat("x", maxNotes+1) }, "bytes long", ""},
		{"not UTF-8", func(o *Options) { o.Notes = "\xff" }, "UTF-8", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := good()
			tt.change(&opts)
			_, err := New(opts)
			if err == nil || !strings.Contains(err.Error(), tt.text) || !strings.Contains(hint.Of(err), tt.hint) {
				t.Errorf("error %v, hint %q; want %q and %q", err, hint.Of(err), tt.text, tt.hint)
			}
		})
	}
}

func TestNewPort(t *testing.T) {
	d, err := New(Options{Port: "linux-sparc64", Hostname: "linux-sparc64-joe", NewPort: true})
	if err != nil || d.Title != "x/build: add linux-sparc64 builder" {
		t.Errorf("%+v, %v", d, err)
	}
}

// Of what can be taken for a CSR by mistake, no byte is kept.
func TestKeyForCSR(t *testing.T) {
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := os.ReadFile(good().CSRFile)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1PEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	for name, content := range map[string][]byte{
		"PKCS1":       pkcs1PEM,
		"PKCS8":       pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		"DER":         pkcs8,
		"behind CSR":  append(append([]byte{}, csr...), pkcs1PEM...),
		"before CSR":  append(append([]byte{}, pkcs1PEM...), csr...),
		"wrong label": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: pkcs8}),
	} {
		t.Run(name, func(t *testing.T) {
			opts := good()
			opts.CSRFile = filepath.Join(dir, "given.csr")
			if err := os.WriteFile(opts.CSRFile, content, 0o600); err != nil {
				t.Fatal(err)
			}
			d, err := New(opts)
			if d != nil || err == nil || !strings.Contains(err.Error(), "private key") || !strings.Contains(err.Error(), "nothing was sent") {
				t.Errorf("draft %v, error %v", d, err)
			}
		})
	}
}

// The CSR is looked for here and beside its key.
func TestFindCSR(t *testing.T) {
	csr, err := os.ReadFile(good().CSRFile)
	if err != nil {
		t.Fatal(err)
	}
	here, beside := t.TempDir(), t.TempDir()
	t.Chdir(here)
	opts := good()
	opts.CSRFile, opts.KeyFile = "", filepath.Join(beside, "linux-riscv64-joe.key")
	for _, want := range []string{"", filepath.Join(beside, "linux-riscv64-joe.csr"), "linux-riscv64-joe.csr"} {
		if want != "" {
			if err := os.WriteFile(want, csr, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d, err := New(opts)
		if err != nil || d.CSRFile != want {
			t.Fatalf("took %v, %v; want %q", d, err, want)
		}
		if has := strings.Contains(d.Body, "BEGIN CERTIFICATE REQUEST"); has != (want != "") {
			t.Errorf("CSR in the body: %v", has)
		}
		if asks := strings.Contains(d.Body, "It is the owner's turn"); asks != (want == "") {
			t.Errorf("owner's turn: %v", asks)
		}
	}
}

func TestReportIsShortened(t *testing.T) {
	d := mustDraft(t)
	if err := d.AddReport(strings.Repeat("ok    something  found\n", 10000)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(d.Body, "[the rest is cut off]\n```") || len(d.Body) > 65536 {
		t.Errorf("body of %d bytes", len(d.Body))
	}
	if got := shorten("añ", 2); got != "a\n[the rest is cut off]" {
		t.Errorf("cut inside a letter: %q", got)
	}
}

// bot returns a key and a file with its CSR for host.
func bot(t *testing.T, host string, key crypto.Signer) (file string) {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{Organization: []string{"Google"}, CommonName: botcert.FQDN(host)},
		DNSNames: []string{botcert.FQDN(host)},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), host+".csr")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// An ECDSA key is for private farms only.
func TestPrivate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	opts := good()
	opts.CSRFile = bot(t, opts.Hostname, key)
	if _, err := New(opts); err == nil {
		t.Error("taken for LUCI")
	}
	opts.Private = true
	if _, err := New(opts); err != nil {
		t.Error(err)
	}
}
