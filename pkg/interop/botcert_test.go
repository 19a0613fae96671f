package interop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/botcert"
)

const botHost = "linux-riscv64-gopher"

// noCloud leads genbotcert to nobody: it ends when it has checked a CSR and
// looks for its credentials.
var noCloud = []string{"GOOGLE_APPLICATION_CREDENTIALS=/nonexistent/credentials.json"}

// verdict is what genbotcert -csr-path makes of a CSR.
type verdict string

const (
	takes   verdict = "takes"
	refuses verdict = "refuses"
	crashes verdict = "crashes"
)

// genbotcert lets genbotcert judge the CSR in file. All its checks are done
// when it first needs the cloud.
func genbotcert(t *testing.T, file, host string) verdict {
	t.Helper()
	got := run(t, noCloud, "", "genbotcert", "-bot-hostname", host, "-csr-path", file)
	switch {
	case strings.Contains(got.stderr, "NewCertificateAuthorityClient creation failed: open /nonexistent/"):
		return takes
	case strings.Contains(got.stderr, "panic: "):
		return crashes
	case got.code == 1 && strings.Contains(got.stderr, "certificate request"):
		return refuses
	}
	t.Fatalf("genbotcert: code %d, %s%s", got.code, got.stdout, got.stderr)
	return ""
}

// genbotcert takes our CSR and we take its, and the two programs' files are
// the same but for the key.
func TestCSREqualsGenbotcert(t *testing.T) {
	t.Chdir(t.TempDir())
	var dirs []string
	for _, program := range []string{"gobuild", "genbotcert"} {
		dir := filepath.Join(t.TempDir(), program)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Chdir(dir)
		args := []string{"-bot-hostname", botHost}
		if program == "gobuild" {
			args = append([]string{"csr"}, args...)
		}
		if got := run(t, nil, "", program, args...); got.code != 0 {
			t.Fatalf("%s: %s", program, got.stderr)
		}
		dirs = append(dirs, dir)
	}
	for _, ending := range []string{".key", ".csr"} {
		var files [2]os.FileInfo
		var blocks [2]*pem.Block
		for i, dir := range dirs {
			data, err := os.ReadFile(filepath.Join(dir, botHost+ending))
			if err != nil {
				t.Fatal(err)
			}
			var rest []byte
			if blocks[i], rest = pem.Decode(data); blocks[i] == nil || len(rest) > 0 || !bytes.HasPrefix(data, []byte("-----BEGIN ")) {
				t.Fatalf("%s of %s is not one PEM block", ending, dir)
			}
			if files[i], err = os.Stat(filepath.Join(dir, botHost+ending)); err != nil {
				t.Fatal(err)
			}
		}
		if ours, theirs := blocks[0].Type, blocks[1].Type; ours != theirs || len(blocks[0].Headers) > 0 {
			t.Errorf("%s: label %q, genbotcert's %q", ending, ours, theirs)
		}
		if ours, theirs := files[0].Mode(), files[1].Mode(); ours != theirs {
			t.Errorf("%s: mode %v, genbotcert's %v", ending, ours, theirs)
		}
		if ending == ".csr" {
			sameRequest(t, blocks[0].Bytes, blocks[1].Bytes)
		}
	}
	for _, dir := range dirs {
		file := filepath.Join(dir, botHost+".csr")
		if got := genbotcert(t, file, botHost); got != takes {
			t.Errorf("genbotcert %s %s", got, file)
		}
		if got := genbotcert(t, file, "linux-amd64-gopher"); got != refuses {
			t.Errorf("genbotcert %s %s for another host", got, file)
		}
		if got := run(t, nil, "", "gobuild", "csr", "check", file, "--key", filepath.Join(dir, botHost+".key")); got.code != 0 {
			t.Errorf("gobuild csr check %s: %s%s", file, got.stdout, got.stderr)
		}
	}
}

// sameRequest compares two CSRs field by field: only the key itself and the
// signature may differ.
func sameRequest(t *testing.T, ours, theirs []byte) {
	t.Helper()
	type request struct {
		Info struct {
			Version asn1.RawValue
			Subject asn1.RawValue
			Key     struct {
				Algorithm asn1.RawValue
				Bits      asn1.BitString
			}
			Attributes asn1.RawValue `asn1:"tag:0"`
		}
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	var a, b request
	for der, r := range map[*[]byte]*request{&ours: &a, &theirs: &b} {
		if rest, err := asn1.Unmarshal(*der, r); err != nil || len(rest) > 0 {
			t.Fatal(err, rest)
		}
	}
	for name, pair := range map[string][2]asn1.RawValue{
		"version":               {a.Info.Version, b.Info.Version},
		"subject":               {a.Info.Subject, b.Info.Subject},
		"kind of key":           {a.Info.Key.Algorithm, b.Info.Key.Algorithm},
		"attributes":            {a.Info.Attributes, b.Info.Attributes},
		"signature's algorithm": {a.Algorithm, b.Algorithm},
	} {
		if !bytes.Equal(pair[0].FullBytes, pair[1].FullBytes) {
			t.Errorf("%s: %x, genbotcert's %x", name, pair[0].FullBytes, pair[1].FullBytes)
		}
	}
	if a.Info.Key.Bits.BitLength != b.Info.Key.Bits.BitLength || a.Signature.BitLength != b.Signature.BitLength {
		t.Errorf("key of %d bits, signature of %d; genbotcert's %d, %d", a.Info.Key.Bits.BitLength, a.Signature.BitLength, b.Info.Key.Bits.BitLength, b.Signature.BitLength)
	}
}

var (
	oidCN = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidO  = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidOU = asn1.ObjectIdentifier{2, 5, 4, 11}
)

// name is a subject of RDNs with one attribute each.
func name(attrs ...pkix.AttributeTypeAndValue) pkix.RDNSequence {
	var rdns pkix.RDNSequence
	for _, attr := range attrs {
		rdns = append(rdns, []pkix.AttributeTypeAndValue{attr})
	}
	return rdns
}

// A CSR that differs from the right one in one thing is refused by us for
// that, and by genbotcert unless it does not look there.
func TestCSRMutations(t *testing.T) {
	keys := map[string]crypto.Signer{}
	for name, bits := range map[string]int{"rsa": 2048, "rsa1024": 1024} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys["ec"] = ec

	fqdn := botcert.FQDN(botHost)
	o, cn := pkix.AttributeTypeAndValue{Type: oidO, Value: "Google"}, pkix.AttributeTypeAndValue{Type: oidCN, Value: fqdn}
	other := func(fqdn string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: oidCN, Value: fqdn}
	}
	type csr = x509.CertificateRequest
	link := &url.URL{Scheme: "https", Host: fqdn}
	tests := []struct {
		name    string
		subject pkix.RDNSequence // nil means the right one
		key     string           // empty means rsa
		change  func(*csr)
		der     func(der []byte) []byte
		text    func(text []byte) []byte
		theirs  verdict
		why     string // we refuse it; empty means that we take it
	}{
		{name: "none", theirs: takes},
		{name: "short CN", subject: name(o, other(botHost)), theirs: refuses, why: "subject: O=Google, CN=linux-riscv64-gopher, wanted"},
		{name: "other host", subject: name(o, other(botcert.FQDN("linux-amd64-gopher"))), change: func(c *csr) { c.DNSNames = []string{botcert.FQDN("linux-amd64-gopher")} }, theirs: refuses, why: "subject: O=Google, CN=linux-amd64-gopher.bots.golang.org, wanted"},
		{name: "other host in CN only", subject: name(o, other(botcert.FQDN("linux-amd64-gopher"))), theirs: refuses, why: "subject: O=Google, CN=linux-amd64-gopher.bots.golang.org, wanted"},
		{name: "domain twice", subject: name(o, other(botcert.FQDN(fqdn))), theirs: refuses, why: ".bots.golang.org.bots.golang.org, wanted"},
		{name: "capitals", subject: name(o, other(strings.ToUpper(fqdn))), theirs: refuses, why: "CN=LINUX-RISCV64-GOPHER.BOTS.GOLANG.ORG, wanted"},
		{name: "dot at the end", subject: name(o, other(fqdn+".")), theirs: refuses, why: ".bots.golang.org., wanted"},
		{name: "number", subject: name(o, other(botcert.FQDN(botHost+"--01"))), theirs: refuses, why: "CN=linux-riscv64-gopher--01.bots.golang.org, wanted"},
		{name: "O after CN", subject: name(cn, o), theirs: refuses, why: "subject: CN=linux-riscv64-gopher.bots.golang.org, O=Google, wanted"},
		{name: "no O", subject: name(cn), theirs: refuses, why: "subject: CN=linux-riscv64-gopher.bots.golang.org, wanted"},
		{name: "other O", subject: name(pkix.AttributeTypeAndValue{Type: oidO, Value: "google"}, cn), theirs: refuses, why: "subject: O=google,"},
		{name: "OU too", subject: name(o, pkix.AttributeTypeAndValue{Type: oidOU, Value: "Go"}, cn), theirs: refuses, why: "subject: O=Google, OU=Go, CN="},
		{name: "CN twice", subject: name(o, cn, cn), theirs: refuses, why: "subject: O=Google, CN=linux-riscv64-gopher.bots.golang.org, CN=linux-riscv64-gopher.bots.golang.org, wanted"},
		{name: "one RDN", subject: pkix.RDNSequence{{o, cn}}, theirs: takes, why: "subject: O=Google+CN="},
		{name: "no subject", subject: pkix.RDNSequence{}, theirs: refuses, why: "subject: empty"},
		{name: "no SAN", change: func(c *csr) { c.DNSNames = nil }, theirs: refuses, why: "DNS name: none"},
		{name: "short SAN", change: func(c *csr) { c.DNSNames = []string{botHost} }, theirs: refuses, why: "DNS name: linux-riscv64-gopher, wanted"},
		{name: "SAN twice", change: func(c *csr) { c.DNSNames = []string{fqdn, fqdn} }, theirs: refuses, why: "DNS name: linux-riscv64-gopher.bots.golang.org, linux-riscv64-gopher.bots.golang.org, wanted"},
		{name: "extra SAN", change: func(c *csr) { c.DNSNames = append(c.DNSNames, "farmer.golang.org") }, theirs: refuses, why: "DNS name: linux-riscv64-gopher.bots.golang.org, farmer.golang.org, wanted"},
		{name: "IP too", change: func(c *csr) { c.IPAddresses = []net.IP{{192, 0, 2, 1}} }, theirs: takes, why: ", IP 192.0.2.1, wanted"},
		{name: "e-mail too", change: func(c *csr) { c.EmailAddresses = []string{"gopher@golang.org"} }, theirs: takes, why: ", e-mail gopher@golang.org, wanted"},
		{name: "URI too", change: func(c *csr) { c.URIs = []*url.URL{link} }, theirs: takes, why: ", URI https://linux-riscv64-gopher.bots.golang.org, wanted"},
		{name: "number too", change: func(c *csr) {
			names, _ := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte(fqdn)}, {Class: asn1.ClassContextSpecific, Tag: 8, Bytes: []byte{42, 3, 4}}})
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names}}
		}, theirs: takes, why: ", 1 of other kinds, wanted"},
		{name: "to be a CA", change: func(c *csr) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: []byte{0x30, 3, 1, 1, 0xff}}}
		}, theirs: takes, why: "extensions: basicConstraints"},
		{name: "SHA-384", change: func(c *csr) { c.SignatureAlgorithm = x509.SHA384WithRSA }, theirs: refuses, why: "algorithm: SHA384-RSA"},
		{name: "SHA-512", change: func(c *csr) { c.SignatureAlgorithm = x509.SHA512WithRSA }, theirs: refuses, why: "algorithm: SHA512-RSA"},
		{name: "PSS", change: func(c *csr) { c.SignatureAlgorithm = x509.SHA256WithRSAPSS }, theirs: refuses, why: "algorithm: SHA256-RSAPSS"},
		{name: "EC", key: "ec", change: func(c *csr) { c.SignatureAlgorithm = x509.ECDSAWithSHA256 }, theirs: refuses, why: "algorithm: ECDSA-SHA256"},
		{name: "1024 bits", key: "rsa1024", theirs: takes, why: "key: RSA, 1024 bits"},
		{name: "bit flipped in the signature", der: flip(-1), theirs: refuses, why: "signature: not that of its key"},
		{name: "bit flipped in the key", der: flip(-600), theirs: refuses, why: "signature: not that of its key"},
		{name: "DER cut", der: func(der []byte) []byte { return der[:len(der)-1] }, theirs: refuses, why: "cannot be read"},
		{name: "DER and more", der: func(der []byte) []byte { return append(der, 0) }, theirs: refuses, why: "cannot be read: asn1: syntax error: trailing data"},
		{name: "PEM cut", text: func(text []byte) []byte { return text[:len(text)-40] }, theirs: crashes, why: "cut short"},
		{name: "PEM damaged", text: func(text []byte) []byte { return bytes.Replace(text, []byte("MII"), []byte("M*I"), 1) }, theirs: crashes, why: "damaged"},
		{name: "other label", text: relabel("CERTIFICATE"), theirs: takes, why: `labelled "CERTIFICATE", but holds a certificate request`},
		{name: "old label", text: relabel("NEW CERTIFICATE REQUEST"), theirs: takes, why: `labelled "NEW CERTIFICATE REQUEST"`},
		{name: "twice", text: func(text []byte) []byte { return append(text, text...) }, theirs: takes, why: "holds 2 PEM blocks"},
		{name: "trailing text", text: func(text []byte) []byte { return append(text, "-- \nGopher\n"...) }, theirs: takes, why: "followed by other text"},
		{name: "quoted", text: func(text []byte) []byte { return append([]byte("> "), text...) }, theirs: crashes, why: "indented or quoted"},
		{name: "empty", text: func([]byte) []byte { return nil }, theirs: crashes, why: "is empty"},
		{name: "BOM", text: func(text []byte) []byte { return append([]byte("\xef\xbb\xbf"), text...) }, theirs: crashes},
		{name: "blank lines", text: func(text []byte) []byte { return append(text, "\n \n"...) }, theirs: takes},
		{name: "CRLF", text: func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) }, theirs: takes},
		{name: "leading text", text: func(text []byte) []byte { return append([]byte("Certificate Request:\n"), text...) }, theirs: takes},
	}
	refused := 0
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			template := &csr{DNSNames: []string{fqdn}, SignatureAlgorithm: x509.SHA256WithRSA}
			if tt.subject == nil {
				tt.subject = name(o, cn)
			}
			if tt.key == "" {
				tt.key = "rsa"
			}
			var err error
			if template.RawSubject, err = asn1.Marshal(tt.subject); err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(template)
			}
			der, err := x509.CreateCertificateRequest(rand.Reader, template, keys[tt.key])
			if err != nil {
				t.Fatal(err)
			}
			if tt.der != nil {
				der = tt.der(der)
			}
			text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
			if tt.text != nil {
				text = tt.text(text)
			}
			file := filepath.Join(t.TempDir(), "csr")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := genbotcert(t, file, botHost); got != tt.theirs {
				t.Errorf("genbotcert %s it, want: %s", got, tt.theirs)
			}
			request, _, err := botcert.ReadCSR(file)
			if err == nil {
				err = botcert.CheckCSR(request, botHost, false)
			}
			if err != nil {
				refused++
			}
			if (err == nil) != (tt.why == "") || err != nil && !strings.Contains(err.Error(), tt.why) {
				t.Errorf("we refuse it for %v, want: %q", err, tt.why)
			}
		})
	}
	if refused < 20 {
		t.Errorf("only %d mutations were refused", refused)
	}
}

// flip changes a bit of the byte at, from the end.
func flip(at int) func([]byte) []byte {
	return func(der []byte) []byte {
		der[len(der)+at] ^= 1
		return der
	}
}

func relabel(label string) func([]byte) []byte {
	return func(text []byte) []byte {
		return bytes.ReplaceAll(text, []byte("CERTIFICATE REQUEST"), []byte(label))
	}
}

// What luci_machine_tokend refuses about the form of a key or a certificate
// is what our notes are about.
func TestFileFormsLikeTokend(t *testing.T) {
	dir := t.TempDir()
	ca, err := botcert.InitCA(t.Context(), filepath.Join(dir, "ca"), botcert.CAOptions{ECDSA: true, Lifetime: 24 * time.Hour, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	host, err := botcert.CheckHost(botHost, false)
	if err != nil {
		t.Fatal(err)
	}
	made, err := botcert.Create(t.Context(), botcert.CreateOptions{Host: host, Dir: dir, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	request, _, err := botcert.ReadCSR(made.CSR)
	if err != nil {
		t.Fatal(err)
	}
	_, cert, err := ca.Sign(request, botHost, botcert.SignOptions{Lifetime: time.Hour, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(made.Key)
	if err != nil {
		t.Fatal(err)
	}
	signer, _, err := botcert.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, tt := range []struct {
		name      string
		key, cert []byte // nil means as made
	}{
		{name: "as made"},
		{name: "certificate with CRLF", cert: bytes.ReplaceAll(cert, []byte("\n"), []byte("\r\n"))},
		{name: "certificate without the last line end", cert: bytes.TrimSpace(cert)},
		{name: "certificate after text", cert: join([]byte("Certificate:\n"), cert)},
		{name: "certificate with BOM", cert: join([]byte("\xef\xbb\xbf"), cert)},
		{name: "certificate with a blank line", cert: join(cert, []byte("\n"))},
		{name: "certificate before text", cert: join(cert, []byte("Regards\n"))},
		{name: "chain", cert: join(cert, cert)},
		{name: "certificate with its key", cert: join(cert, key)},
		{name: "key with CRLF", key: bytes.ReplaceAll(key, []byte("\n"), []byte("\r\n"))},
		{name: "key with BOM", key: join([]byte("\xef\xbb\xbf"), key)},
		{name: "key with a blank line", key: join(key, []byte("\r\n"))},
		{name: "key behind the certificate", key: join(cert, key)},
		{name: "PKCS#8", key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})},
	} {
		if tt.key == nil {
			tt.key = key
		}
		if tt.cert == nil {
			tt.cert = cert
		}
		_, certNotes, err := botcert.ParseCertificate(tt.cert)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		_, keyNotes, err := botcert.ParseKey(tt.key)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		notes := append(certNotes, keyNotes...)
		in := func(name string, data []byte) string {
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return file
		}
		status := filepath.Join(dir, "status.json")
		run(t, nil, "", "luci_machine_tokend", "-backend", "localhost:1", "-timeout", "50ms", "-token-file", filepath.Join(dir, "token.json"),
			"-status-file", status, "-cert-pem", in("cert", tt.cert), "-pkey-pem", in("key", tt.key))
		said, err := os.ReadFile(status)
		if err != nil {
			t.Fatal(err)
		}
		refused := bytes.Contains(said, []byte(`"CANT_READ_KEY"`))
		if !refused && !bytes.Contains(said, []byte(`"GRPC_ERROR_`)) {
			t.Fatalf("%s: tokend says %s", tt.name, said)
		}
		if refused != (len(notes) > 0) {
			t.Errorf("%s: tokend refuses it: %v; our notes: %+v", tt.name, refused, notes)
		}
	}
}
