package botcert

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOpenSSLReadsOurs lets openssl judge all that we make.
func TestOpenSSLReadsOurs(t *testing.T) {
	dir := t.TempDir()
	made, err := Create(t.Context(), CreateOptions{Host: host(t), Dir: dir, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	says := func(want string, args ...string) string {
		t.Helper()
		out := openssl(t, dir, args...)
		for line := range strings.Lines(want) {
			if line = strings.TrimSpace(line); !strings.Contains(out, line) {
				t.Errorf("openssl %s does not say %q, but\n%s", strings.Join(args, " "), line, out)
			}
		}
		return out
	}
	says(`RSA key ok`, "rsa", "-in", made.Key, "-check", "-noout")
	says(`Private-Key: (4096 bit, 2 primes)`, "rsa", "-in", made.Key, "-text", "-noout")
	text := says(`Certificate request self-signature verify OK
		Version: 1 (0x0)
		Subject: O = Google, CN = linux-riscv64-gopher.bots.golang.org
		Public-Key: (4096 bit)
		X509v3 Subject Alternative Name:
		DNS:linux-riscv64-gopher.bots.golang.org
		Signature Algorithm: sha256WithRSAEncryption`, "req", "-in", made.CSR, "-verify", "-text", "-noout")
	if n := strings.Count(text, "X509v3 "); n != 1 {
		t.Errorf("%d extensions are asked for:\n%s", n, text)
	}

	csr, _, err := ReadCSR(made.CSR)
	if err != nil {
		t.Fatal(err)
	}
	for _, ec := range []bool{false, true} {
		caDir := filepath.Join(dir, "ca")
		os.RemoveAll(caDir)
		ca, err := InitCA(t.Context(), caDir, CAOptions{ECDSA: ec, Lifetime: 7300 * day, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		caCert, cert := filepath.Join(caDir, CACertificateFile), filepath.Join(dir, "cert.pem")
		os.Remove(cert)
		issued, _, err := ca.Sign(csr, testHost, SignOptions{Lifetime: 3650 * day, Out: cert, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		says(`CA:TRUE, pathlen:0
			Certificate Sign, CRL Sign
			Subject: CN = gobuild CA `, "x509", "-in", caCert, "-text", "-noout")
		says(`Version: 3 (0x2)
			Issuer: CN = gobuild CA
			Subject: O = Google, CN = linux-riscv64-gopher.bots.golang.org
			X509v3 Key Usage: critical
			Digital Signature
			TLS Web Client Authentication
			CA:FALSE
			DNS:linux-riscv64-gopher.bots.golang.org`, "x509", "-in", cert, "-text", "-noout")
		says("cert.pem: OK", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", caCert, "cert.pem")

		// All three hold one key.
		modulus := openssl(t, dir, "rsa", "-in", made.Key, "-modulus", "-noout")
		for _, args := range [][]string{{"req", "-in", made.CSR}, {"x509", "-in", cert}} {
			says(modulus, append(args, "-modulus", "-noout")...)
		}

		// Once revoked, it is no longer good.
		crl := filepath.Join(dir, "crl.pem")
		list := func() {
			der, err := ca.CRL(time.Now(), day)
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "crl.pem", pemText("X509 CRL", der))
		}
		list()
		says("cert.pem: OK", "verify", "-crl_check", "-CRLfile", crl, "-CAfile", caCert, "cert.pem")
		serial := strings.TrimPrefix(strings.TrimSpace(openssl(t, dir, "x509", "-in", cert, "-serial", "-noout")), "serial=")
		if revoked, err := ca.Revoke(serial, time.Now()); err != nil || revoked.Serial != issued.Serial {
			t.Fatalf("revoke %s as openssl writes it: %v", serial, err)
		}
		list()
		says("verify OK", "crl", "-in", crl, "-CAfile", caCert, "-noout")
		// It says so by the exit code, too.
		if out := failing(t, dir, "verify", "-crl_check", "-CRLfile", crl, "-CAfile", caCert, "cert.pem"); !strings.Contains(out, "certificate revoked") {
			t.Errorf("openssl verify: %s", out)
		}
	}
}

// TestOpenSSLMakesCSRs judges CSRs that owners made by themselves, as LUCI
// protocol, section 11, says that genbotcert does.
func TestOpenSSLMakesCSRs(t *testing.T) {
	dir := t.TempDir()
	fqdn := FQDN(testHost)
	openssl(t, dir, "genrsa", "-out", "rsa.key", "2048")
	openssl(t, dir, "ecparam", "-name", "prime256v1", "-genkey", "-out", "ec.key")
	san := []string{"-addext", "subjectAltName=DNS:" + fqdn}
	for _, tt := range []struct {
		name string
		args []string
		err  string // empty means accepted
	}{
		{"right", append(san, "-key", "rsa.key", "-subj", "/O=Google/CN="+fqdn), ""},
		{"UTF-8", append(san, "-key", "rsa.key", "-utf8", "-subj", "/O=Google/CN="+fqdn), ""},
		{"O after CN", append(san, "-key", "rsa.key", "-subj", "/CN="+fqdn+"/O=Google"), "the CSR's subject: CN=" + fqdn + ", O=Google"},
		{"no name", []string{"-key", "rsa.key", "-subj", "/O=Google/CN=" + fqdn}, "the CSR's DNS name: none"},
		{"with country", append(san, "-key", "rsa.key", "-subj", "/C=CH/O=Google/CN="+fqdn), "the CSR's subject: C=CH, O=Google"},
		{"multi-valued", append(san, "-key", "rsa.key", "-subj", "/O=Google+CN="+fqdn), "the CSR's subject"},
		{"SHA-384", append(san, "-key", "rsa.key", "-sha384", "-subj", "/O=Google/CN="+fqdn), "the CSR's algorithm: SHA384-RSA"},
		{"SHA-1", append(san, "-key", "rsa.key", "-sha1", "-subj", "/O=Google/CN="+fqdn), "the CSR's algorithm: SHA1-RSA"},
		{"EC", append(san, "-key", "ec.key", "-subj", "/O=Google/CN="+fqdn), "the CSR's algorithm: ECDSA-SHA256"},
	} {
		openssl(t, dir, append([]string{"req", "-new", "-out", "csr"}, tt.args...)...)
		csr, notes, err := ReadCSR(filepath.Join(dir, "csr"))
		if err != nil || notes != nil {
			t.Errorf("%s: %v, %v", tt.name, notes, err)
			continue
		}
		if err := CheckCSR(csr, testHost, false); (tt.err == "") != (err == nil) {
			t.Errorf("%s: %v", tt.name, err)
		} else if err != nil {
			wantError(t, err, tt.err, "gobuild csr")
		}
	}
}

// TestOpenSSLForms converts a key and a certificate into every form that
// people have them in. Each is named for what it is, and the command in the
// hint makes of it what we take without a word.
func TestOpenSSLForms(t *testing.T) {
	dir := t.TempDir()
	ca := testCA(t, otherKey(), CAOptions{})
	write(t, dir, "key", keyPEM(testKey()))
	write(t, dir, "cert", signed(t, ca, testHost, testKey()))
	const pass = "pass:gopher"
	for _, tt := range []struct {
		name string
		make []string
		key  string // what ParseKey says; empty means that it has no way out
		cert string // what ParseCertificate says
	}{
		{"pkcs8", []string{"pkcs8", "-topk8", "-nocrypt", "-in", "key"}, "PKCS#8", ""},
		{"encrypted", []string{"pkcs8", "-topk8", "-in", "key", "-passout", pass}, "an encrypted private key", ""},
		{"legacy", []string{"rsa", "-traditional", "-aes256", "-in", "key", "-passout", pass}, "an encrypted private key", ""},
		{"encrypted der", []string{"pkcs8", "-topk8", "-outform", "DER", "-in", "key", "-passout", pass}, "an encrypted private key in DER", ""},
		{"der key", []string{"rsa", "-traditional", "-outform", "DER", "-in", "key"}, "a private key (PKCS#1) in DER", ""},
		{"der pkcs8", []string{"pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", "key"}, "a private key (PKCS#8) in DER", ""},
		{"pkcs12", []string{"pkcs12", "-export", "-inkey", "key", "-in", "cert", "-passout", pass}, "a PKCS#12 archive in DER", "a PKCS#12 archive in DER"},
		{"pkcs7", []string{"crl2pkcs7", "-nocrl", "-certfile", "cert"}, "", "a PKCS#7 bundle"},
		{"der pkcs7", []string{"crl2pkcs7", "-nocrl", "-outform", "DER", "-certfile", "cert"}, "", "a PKCS#7 bundle of certificates in DER"},
		{"der cert", []string{"x509", "-outform", "DER", "-in", "cert"}, "", "a certificate in DER"},
		{"text", []string{"x509", "-text", "-in", "cert"}, "", "-"},
		{"trusted", []string{"x509", "-trustout", "-addtrust", "clientAuth", "-in", "cert"}, "", "TRUSTED CERTIFICATE"},
	} {
		openssl(t, dir, append(tt.make, "-out", "form")...)
		file := filepath.Join(dir, "form")
		if tt.key != "" {
			_, notes, err := ReadKey(file)
			follow(t, dir, tt.name, tt.key, notes, err)
			key, notes, err := ReadKey(filepath.Join(dir, "NEW"))
			if err != nil || notes != nil || !testKey().Equal(key) {
				t.Errorf("%s: after the hint's command: %v, %v", tt.name, notes, err)
			}
		}
		if tt.cert != "" && tt.cert != "-" {
			_, notes, err := ReadCertificate(file)
			follow(t, dir, tt.name, tt.cert, notes, err)
			file = filepath.Join(dir, "NEW")
		}
		if tt.cert != "" {
			cert, notes, err := ReadCertificate(file)
			if err != nil || notes != nil || Match(cert.PublicKey, testKey()) != nil {
				t.Errorf("%s: a certificate in the end: %v, %v", tt.name, notes, err)
			}
		}
	}
}

// TestOpenSSLWeakSignatures has certificates that Go would not sign, and that
// the token server, which is written in it, does not take.
func TestOpenSSLWeakSignatures(t *testing.T) {
	dir := t.TempDir()
	ca := testCA(t, otherKey(), CAOptions{Now: time.Now()})
	write(t, dir, "ca.key", keyPEM(otherKey()))
	write(t, dir, "ca.pem", pemText("CERTIFICATE", ca.Certificate.Raw))
	csr, err := newCSR(testHost, testKey())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "csr", csr)
	for _, tt := range []struct{ hash, issuer, ca string }{
		{"-sha256", "", ""},
		{"-sha1", "Test CA, with SHA1-RSA", "signed with SHA1-RSA, which is refused"},
		{"-md5", "Test CA, with MD5-RSA", "signed with MD5-RSA, which is refused"},
	} {
		openssl(t, dir, "x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca.key", tt.hash, "-days", "100", "-out", "cert")
		reports, err := Inspect([]string{filepath.Join(dir, "cert")}, Inspection{CA: ca.dir, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, f := range reports[0].Findings {
			if f.State == Fail {
				found[f.What] = f.Found
				if !strings.Contains(f.Hint, "UNTRUSTED_CERTIFICATE (6)") {
					t.Errorf("%s: hint %q", tt.hash, f.Hint)
				}
			}
		}
		if !strings.HasPrefix(found["CA"], tt.ca) || found["issuer"] != tt.issuer || tt.ca == "" && len(found) > 0 {
			t.Errorf("%s: failures %q", tt.hash, found)
		}
	}
}

// TestOpenSSLSerialZero has a certificate that Go would not make.
func TestOpenSSLSerialZero(t *testing.T) {
	dir := t.TempDir()
	ca := testCA(t, otherKey(), CAOptions{})
	write(t, dir, "ca.key", keyPEM(otherKey()))
	write(t, dir, "ca.pem", pemText("CERTIFICATE", ca.Certificate.Raw))
	csr, err := newCSR(testHost, testKey())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "csr", csr)
	openssl(t, dir, "x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "0", "-days", "100", "-out", "cert")
	cert, _, err := ReadCertificate(filepath.Join(dir, "cert"))
	if err != nil {
		t.Fatal(err)
	}
	if f := serialFinding(cert); f.State != Fail || !strings.Contains(f.Hint, "invalid certificate serial number: 0") {
		t.Errorf("%+v", f)
	}
}

// follow checks what was said of a form, and does what the hint says.
func follow(t *testing.T, dir, name, want string, notes []Note, err error) {
	t.Helper()
	text, advice := said(notes, err)
	if !strings.Contains(text, want) {
		t.Errorf("%s: %q, want %q", name, text, want)
	}
	_, command, found := strings.Cut(advice, "openssl ")
	if !found {
		t.Errorf("%s: no command in %q", name, advice)
		return
	}
	command, _, _ = strings.Cut(command, ", then ")
	command, _, _ = strings.Cut(command, " keeps ")
	os.Remove(filepath.Join(dir, "NEW"))
	if !strings.HasPrefix(command, "pkcs7") {
		command = strings.Replace(command, " -in ", " -passin pass:gopher -in ", 1)
	}
	shell(t, dir, "openssl "+command)
}
