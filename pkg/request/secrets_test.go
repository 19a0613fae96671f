package request

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"gobuild/pkg/hint"
)

// secrets returns texts that hold one, by name.
func secrets(t testing.TB) map[string]string {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(der []byte) string {
		text := base64.StdEncoding.EncodeToString(der)
		var b strings.Builder
		for len(text) > 64 {
			b.WriteString(text[:64] + "\n")
			text = text[64:]
		}
		return b.String() + text
	}
	return map[string]string{
		"PEM":                "-----BEGIN RSA PRIVATE KEY-----\nMIIJ",
		"PKCS1 without PEM":  lines(x509.MarshalPKCS1PrivateKey(rsaKey)),
		"PKCS8 on one line":  base64.StdEncoding.EncodeToString(pkcs8),
		"EC without PEM":     lines(sec1),
		"classic token":      "ghp_0123456789abcdefghijABCDEFGHIJ012345",
		"fine-grained token": "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
		"builder key":        "key 4d8129e2963df29b29cab65e108397d1.",
		"machine token":      `{"luci_machine_token": "Cjg", "expiry": 1}`,
		"proxy password":     "HTTPS_PROXY=http://joe:sesame@proxy:3128",
		"bearer":             "Authorization: Bearer abc",
	}
}

func TestSecretsAreRefused(t *testing.T) {
	for name, secret := range secrets(t) {
		for part, put := range map[string]func(string) error{
			"notes": func(text string) error {
				opts := good()
				opts.Notes = text
				d, err := New(opts)
				if d != nil {
					t.Error("there is a draft all the same")
				}
				return err
			},
			"report": func(text string) error {
				d := mustDraft(t)
				before := d.Body
				err := d.AddReport(text)
				if d.Body != before {
					t.Error("it is in the draft all the same")
				}
				return err
			},
		} {
			t.Run(name+" in "+part, func(t *testing.T) {
				err := put("first\n  " + secret + " \nlast")
				if err == nil || !strings.Contains(err.Error(), "line 2 of the ") || !strings.Contains(err.Error(), part) {
					t.Fatalf("error %v", err)
				}
				if text := err.Error() + hint.Of(err); strings.Contains(text, secret) || strings.Contains(text, "4d8129e2") || strings.Contains(text, "sesame") {
					t.Errorf("the secret is in the error: %s", text)
				}
			})
		}
	}
}

// What is public is not taken for a secret.
func TestPublicIsNoSecret(t *testing.T) {
	csr, err := os.ReadFile(good().CSRFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		string(csr),
		"sha256:0123456789ab",
		"SHA256:3IG4eveO35GlbRAcn1lvI6S82lLW8cDEJSCLqH3OclQ",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"https://chromium-swarm.appspot.com:443/x https://joe@example.org/",
		"key linux-riscv64-joe.key: mode 0600, RSA, 4096 bits",
		strings.Repeat("A", 400),
	} {
		if what, line := findSecret(text); what != "" {
			t.Errorf("%.60q is taken for %s (line %d)", text, what, line)
		}
	}
}

// FuzzDraft puts text of strangers into a request: whatever it is, it stays in
// its block.
func FuzzDraft(f *testing.F) {
	f.Add("joe", "notes", "report")
	f.Add("`", "```\n````", "</details>\n`````")
	f.Add("a|b``", "\r\n~~~\n@golang", "\x00\x1b\xff")
	f.Fuzz(func(t *testing.T, contact, notes, report string) {
		d, err := draft(Options{Port: "linux-arm", Hostname: "linux-arm-joe", Contact: contact, Notes: notes}, "id")
		if err != nil || d.AddReport(report) != nil {
			return
		}
		outside := strings.Join(unfenced(d.Body), "\n")
		plain, err := draft(Options{Port: "linux-arm", Hostname: "linux-arm-joe"}, "id")
		if err != nil {
			t.Fatal(err)
		}
		rest := outside
		for _, known := range []string{"- Contact: \n", "\n### Notes\n", "\n<details>\n<summary>Readiness report of the machine</summary>\n", "\n</details>"} {
			rest = strings.Replace(rest, known, "", 1)
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		if want := squeeze(strings.Join(unfenced(plain.Body), "\n")); squeeze(rest) != want {
			t.Errorf("outside of blocks there is\n%s\nwant\n%s", squeeze(rest), want)
		}
	})
}
