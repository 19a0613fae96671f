package botcert

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"gobuild/pkg/hint"
)

// samples are files as people have them, by what they are.
func samples(t testing.TB) map[string][]byte {
	must := func(data []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	key := keyPEM(testKey())
	pkcs8 := must(x509.MarshalPKCS8PrivateKey(testKey()))
	ec := must(x509.MarshalECPrivateKey(ecKey()))
	public := must(x509.MarshalPKIXPublicKey(testKey().Public()))
	csr := must(newCSR(testHost, testKey()))
	template := &x509.Certificate{SerialNumber: newSerial(), NotBefore: now, NotAfter: now.Add(day)}
	certDER := must(x509.CreateCertificate(rand.Reader, template, template, testKey().Public(), testKey()))
	cert := certPEM(certDER)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	var utf16le []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + string(cert))) {
		utf16le = append(utf16le, byte(u), byte(u>>8))
	}
	legacy := encryptedPEM(key)
	return map[string][]byte{
		"key":            key,
		"csr":            csr,
		"cert":           cert,
		"pkcs8":          pemText("PRIVATE KEY", pkcs8),
		"ec":             pemText("EC PRIVATE KEY", ec),
		"ec parameters":  join(pemText("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), pemText("EC PRIVATE KEY", ec)),
		"legacy":         legacy,
		"encrypted":      pemText("ENCRYPTED PRIVATE KEY", []byte("0")),
		"openssh":        pemText("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00")),
		"public":         pemText("PUBLIC KEY", public),
		"ssh public":     []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA gopher@board\n"),
		"putty":          []byte("PuTTY-User-Key-File-3: ssh-rsa\n"),
		"web page":       []byte("\n<!DOCTYPE html>\n<html></html>\n"),
		"empty":          nil,
		"blank":          []byte(" \r\n\n"),
		"prose":          []byte("see attachment\n"),
		"bom only":       bom,
		"der cert":       certDER,
		"der key":        x509.MarshalPKCS1PrivateKey(testKey()),
		"der pkcs8":      pkcs8,
		"bare base64":    []byte(base64.StdEncoding.EncodeToString(certDER)),
		"cert in utf-16": utf16le,
		"cert bom":       join(bom, cert),
		"cert crlf":      bytes.ReplaceAll(cert, []byte("\n"), []byte("\r\n")),
		"cert blank":     join(cert, []byte("\n")),
		"cert trailing":  join(cert, []byte("-- \nThe farm's team\n")),
		"cert leading":   join([]byte("Certificate:\n    Data:\n"), cert),
		"chain":          join(cert, cert),
		"cert key":       join(cert, key),
		"key cert":       join(key, cert),
		"key bom":        join(bom, key),
		"key blank":      join(key, []byte("\r\n")),
		"key trailing":   join(key, []byte("x")),
		"csr bom":        join(bom, csr),
		"csr blank":      join(csr, []byte(" \n\n")),
		"csr trailing":   join(csr, []byte("Regards\n")),
		"csr twice":      join(csr, csr),
		"csr key":        join(csr, key),
		"key csr":        join(key, csr),
		"csr new":        bytes.ReplaceAll(csr, []byte("CERTIFICATE REQUEST"), []byte("NEW CERTIFICATE REQUEST")),
		"trusted cert":   bytes.ReplaceAll(cert, []byte("CERTIFICATE"), []byte("TRUSTED CERTIFICATE")),
		"csr as cert":    bytes.ReplaceAll(csr, []byte("CERTIFICATE REQUEST"), []byte("CERTIFICATE")),
		"key as cert":    bytes.ReplaceAll(key, []byte("RSA PRIVATE KEY"), []byte("CERTIFICATE")),
		"cert as csr":    bytes.ReplaceAll(cert, []byte("CERTIFICATE"), []byte("CERTIFICATE REQUEST")),
		"cert as key":    bytes.ReplaceAll(cert, []byte("CERTIFICATE"), []byte("RSA PRIVATE KEY")),
		"pkcs8 as key":   pemText("RSA PRIVATE KEY", pkcs8),
		"cut":            cert[:len(cert)/2],
		"cut second":     join(cert, cert[:len(cert)/2]),
		"indented":       []byte("    " + strings.ReplaceAll(string(cert), "\n", "\n    ")),
		"quoted":         []byte("> " + strings.ReplaceAll(string(cert), "\n", "\n> ")),
		"damaged":        bytes.Replace(cert, []byte("A"), []byte("*"), 1),
		"flipped":        pemText("CERTIFICATE", append(append([]byte{}, certDER[:40]...), certDER[41:]...)),
		"unknown label":  pemText("VOTE", []byte("x")),
		"parameters":     pemText("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}),
	}
}

// TestParse gives every file to every parser.
func TestParse(t *testing.T) {
	const ok = "" // read without a word
	// What is wrong, and the hint; "note: " before what is merely noted.
	type outcome struct{ text, hint string }
	const (
		wantsCSR  = "not a certificate request"
		wantsCert = "not a certificate"
		wantsKey  = "not a private key"
	)
	wants := map[string]struct{ csr, cert, key outcome }{
		"key":           {outcome{"holds a private key", "gobuild csr HOSTNAME --force"}, outcome{"is a private key (PKCS#1), " + wantsCert, "for nobody but its owner"}, outcome{ok, ""}},
		"csr":           {outcome{ok, ""}, outcome{"is a certificate request, " + wantsCert, "sends back"}, outcome{"is a certificate request, " + wantsKey, "HOSTNAME.key"}},
		"cert":          {outcome{"is a certificate, " + wantsCSR, "HOSTNAME.csr"}, outcome{ok, ""}, outcome{"is a certificate, " + wantsKey, "HOSTNAME.key"}},
		"pkcs8":         {outcome{"holds a private key", ""}, outcome{"is a private key (PKCS#8), " + wantsCert, ""}, outcome{"note: in PKCS#8 form", "openssl pkey -traditional -in FILE"}},
		"ec":            {outcome{"holds a private key", ""}, outcome{"is an EC private key, " + wantsCert, ""}, outcome{"note: EC key", "gobuild csr"}},
		"ec parameters": {outcome{"holds a private key", ""}, outcome{"is EC parameters, " + wantsCert, ""}, outcome{"note: EC key", "gobuild csr"}},
		"legacy":        {outcome{"holds a private key", ""}, outcome{"is an encrypted private key, " + wantsCert, ""}, outcome{"is an encrypted private key", "openssl pkey -traditional -in FILE"}},
		"encrypted":     {outcome{"holds a private key", ""}, outcome{"is an encrypted private key, " + wantsCert, ""}, outcome{"is an encrypted private key", "openssl pkey -traditional -in FILE"}},
		"openssh":       {outcome{"holds a private key", ""}, outcome{"is an OpenSSH private key, " + wantsCert, ""}, outcome{"is an OpenSSH private key", "ssh-keygen -p"}},
		"public":        {outcome{"is a public key, " + wantsCSR, ""}, outcome{"is a public key, " + wantsCert, ""}, outcome{"is a public key, " + wantsKey, "HOSTNAME.key"}},
		"ssh public":    {outcome{"is an SSH public key, " + wantsCSR, ""}, outcome{"is an SSH public key, " + wantsCert, ""}, outcome{"is an SSH public key, " + wantsKey, ""}},
		"putty":         {outcome{"PuTTY key", "HOSTNAME.csr"}, outcome{"PuTTY key", "sends back"}, outcome{"PuTTY key", "HOSTNAME.key"}},
		"web page":      {outcome{"web page", "attachment"}, outcome{"web page", "attachment"}, outcome{"web page", "attachment"}},
		"empty":         {outcome{"is empty", "HOSTNAME.csr"}, outcome{"is empty", "sends back"}, outcome{"is empty", "HOSTNAME.key"}},
		"blank":         {outcome{"is empty", ""}, outcome{"is empty", ""}, outcome{"is empty", ""}},
		"bom only":      {outcome{"is empty", ""}, outcome{"is empty", ""}, outcome{"is empty", ""}},
		"prose":         {outcome{"no PEM block", ""}, outcome{"no PEM block", "BEGIN CERTIFICATE"}, outcome{"no PEM block", ""}},
		"der cert":      {outcome{"is a certificate in DER", "HOSTNAME.csr"}, outcome{"is a certificate in DER", "openssl x509 -inform DER -in FILE"}, outcome{"is a certificate in DER", "HOSTNAME.key"}},
		"der key":       {outcome{"is a private key (PKCS#1) in DER", "nobody but its owner"}, outcome{"is a private key (PKCS#1) in DER", "nobody but its owner"}, outcome{"is a private key (PKCS#1) in DER", "openssl pkey -inform DER"}},
		"der pkcs8":     {outcome{"is a private key (PKCS#8) in DER", ""}, outcome{"is a private key (PKCS#8) in DER", ""}, outcome{"is a private key (PKCS#8) in DER", "-traditional"}},
		"bare base64":   {outcome{"a certificate without its -----BEGIN", ""}, outcome{"a certificate without its -----BEGIN", "copy the file again"}, outcome{"a certificate without its -----BEGIN", ""}},

		"cert in utf-16": {outcome{"UTF-16", ""}, outcome{"UTF-16", "-Encoding ascii"}, outcome{"UTF-16", ""}},
		"cert bom":       {outcome{wantsCSR, ""}, outcome{"note: byte order mark (UTF-8 BOM); luci_machine_tokend refuses it", "tail -c +4 FILE"}, outcome{wantsKey, ""}},
		"cert crlf":      {outcome{wantsCSR, ""}, outcome{ok, ""}, outcome{wantsKey, ""}},
		"cert blank":     {outcome{wantsCSR, ""}, outcome{"note: white space", "openssl x509"}, outcome{wantsKey, ""}},
		"cert trailing":  {outcome{wantsCSR, ""}, outcome{"note: other text follows", "openssl x509"}, outcome{wantsKey, ""}},
		"cert leading":   {outcome{wantsCSR, ""}, outcome{ok, ""}, outcome{wantsKey, ""}},
		"chain":          {outcome{wantsCSR, ""}, outcome{"note: chain of 2 certificates", "openssl x509"}, outcome{wantsKey, ""}},
		"cert key":       {outcome{"holds a private key", ""}, outcome{"note: a private key (PKCS#1) besides", "openssl x509"}, outcome{"note: a certificate comes first", "openssl pkey"}},
		"key cert":       {outcome{"holds a private key", ""}, outcome{"note: a private key (PKCS#1) comes first", "openssl x509"}, outcome{"note: a certificate besides", "openssl pkey"}},
		"key bom":        {outcome{"holds a private key", ""}, outcome{wantsCert, ""}, outcome{"note: byte order mark", "tail -c +4 FILE"}},
		"key blank":      {outcome{"holds a private key", ""}, outcome{wantsCert, ""}, outcome{"note: white space", "chmod 600"}},
		"key trailing":   {outcome{"holds a private key", ""}, outcome{wantsCert, ""}, outcome{"note: other text follows", "chmod 600"}},
		"csr bom":        {outcome{"note: genbotcert, which signs, crashes", "tail -c +4 FILE"}, outcome{wantsCert, ""}, outcome{wantsKey, ""}},
		"csr blank":      {outcome{ok, ""}, outcome{wantsCert, ""}, outcome{wantsKey, ""}},
		"csr trailing":   {outcome{`followed by other text: "Regards"`, "openssl req"}, outcome{wantsCert, ""}, outcome{wantsKey, ""}},
		"csr twice":      {outcome{"2 PEM blocks", "openssl req"}, outcome{wantsCert, ""}, outcome{wantsKey, ""}},
		"csr key":        {outcome{"holds a private key, and a CSR is shown to everybody", "--force"}, outcome{wantsCert, ""}, outcome{"note: a certificate request comes first", ""}},
		"key csr":        {outcome{"holds a private key, and a CSR is shown to everybody", "--force"}, outcome{wantsCert, ""}, outcome{"note: a certificate request besides", ""}},
		"csr new":        {outcome{`labelled "NEW CERTIFICATE REQUEST"`, "openssl req"}, outcome{wantsCert, ""}, outcome{wantsKey, ""}},
		"trusted cert":   {outcome{wantsCSR, ""}, outcome{`labelled "TRUSTED CERTIFICATE"`, "openssl x509"}, outcome{wantsKey, ""}},
		"csr as cert":    {outcome{`labelled "CERTIFICATE", but holds a certificate request`, "HOSTNAME.csr"}, outcome{`labelled "CERTIFICATE", but holds a certificate request`, "sends back"}, outcome{wantsKey, ""}},
		"key as cert":    {outcome{wantsCSR, ""}, outcome{`labelled "CERTIFICATE", but holds a private key`, "nobody but its owner"}, outcome{wantsKey, ""}},
		"cert as csr":    {outcome{`labelled "CERTIFICATE REQUEST", but holds a certificate`, "HOSTNAME.csr"}, outcome{wantsCert, ""}, outcome{wantsKey, ""}},
		"cert as key":    {outcome{"holds a private key", ""}, outcome{wantsCert, ""}, outcome{`labelled "RSA PRIVATE KEY", but holds a certificate`, "HOSTNAME.key"}},
		"pkcs8 as key":   {outcome{"holds a private key", ""}, outcome{wantsCert, ""}, outcome{`labelled "RSA PRIVATE KEY" cannot be read`, "make it again"}},
		"cut":            {outcome{"cut short", "whole"}, outcome{"cut short", "whole"}, outcome{"cut short", "whole"}},
		"cut second":     {outcome{"last PEM block is cut short", "whole"}, outcome{"last PEM block is cut short", ""}, outcome{"last PEM block is cut short", ""}},
		"indented":       {outcome{"indented or quoted", ""}, outcome{"indented or quoted", "before each line"}, outcome{"indented or quoted", ""}},
		"quoted":         {outcome{"indented or quoted", ""}, outcome{"indented or quoted", "before each line"}, outcome{"indented or quoted", ""}},
		"damaged":        {outcome{"is damaged", ""}, outcome{"is damaged", "as it is"}, outcome{"is damaged", ""}},
		"flipped":        {outcome{wantsCSR, ""}, outcome{"cannot be read", "BAD_CERTIFICATE_FORMAT (4)"}, outcome{wantsKey, ""}},
		"unknown label":  {outcome{`labelled "VOTE", ` + wantsCSR, ""}, outcome{`labelled "VOTE", ` + wantsCert, ""}, outcome{`labelled "VOTE", ` + wantsKey, ""}},
		"parameters":     {outcome{"is EC parameters, " + wantsCSR, ""}, outcome{"is EC parameters, " + wantsCert, ""}, outcome{"is EC parameters, " + wantsKey, ""}},
	}
	files := samples(t)
	for name := range wants {
		if _, ok := files[name]; !ok {
			t.Errorf("no sample %q", name)
		}
	}
	for name, data := range files {
		want, ok := wants[name]
		if !ok {
			t.Errorf("nobody says what is wanted of %q", name)
		}
		for _, p := range []struct {
			as    string
			want  outcome
			parse func() (got bool, notes []Note, err error)
		}{
			{"CSR", want.csr, func() (bool, []Note, error) { v, n, err := ParseCSR(data); return v != nil, n, err }},
			{"certificate", want.cert, func() (bool, []Note, error) { v, n, err := ParseCertificate(data); return v != nil, n, err }},
			{"key", want.key, func() (bool, []Note, error) { v, n, err := ParseKey(data); return v != nil, n, err }},
		} {
			got, notes, err := p.parse()
			note, isNote := strings.CutPrefix(p.want.text, "note: ")
			switch {
			case p.want.text == "" || isNote:
				if err != nil || !got {
					t.Errorf("%s as %s: %v", name, p.as, err)
				} else if isNote != (len(notes) == 1) {
					t.Errorf("%s as %s: notes %+v, want %q", name, p.as, notes, note)
				} else if isNote && (!strings.Contains(notes[0].Text, note) || !strings.Contains(notes[0].Hint, p.want.hint)) {
					t.Errorf("%s as %s: note %+v, want %q and %q", name, p.as, notes[0], note, p.want.hint)
				}
			case err == nil || !strings.Contains(err.Error(), p.want.text) || !strings.Contains(hint.Of(err), p.want.hint) || hint.Of(err) == "":
				t.Errorf("%s as %s: error %v, hint %q; want %q and %q", name, p.as, err, hint.Of(err), p.want.text, p.want.hint)
			case got || notes != nil:
				t.Errorf("%s as %s: a result beside the error", name, p.as)
			}
		}
	}
}

// An Ed25519 key is a private key, and yet none for this.
func TestParseKeyOfAnotherKind(t *testing.T) {
	const ed25519 = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"
	_, _, err := ParseKey([]byte(ed25519))
	wantError(t, err, "neither an RSA nor an ECDSA key", "make it again")
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	if _, _, err := ReadKey(none); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), none) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, _, err := ReadCSR(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory: %v", err)
	}
	files := samples(t)
	file := write(t, dir, "host.key", files["legacy"])
	_, _, err := ReadKey(file)
	wantError(t, err, file+": the file is an encrypted private key", "openssl pkey -traditional -in "+file)
	// A name that a shell would take apart is quoted for it.
	odd := write(t, dir, "it's; a key", files["legacy"])
	_, _, err = ReadKey(odd)
	wantError(t, err, odd+": ", `-in '`+filepath.Join(dir, `it'\''s; a key`)+`' -out`)
	key, notes, err := ReadKey(write(t, dir, "host8.key", files["pkcs8"]))
	if err != nil || len(notes) != 1 || !testKey().Equal(key) {
		t.Errorf("key %v, notes %v, %v", key != nil, notes, err)
	}
	_, _, err = ReadCertificate(write(t, dir, "long", bytes.Repeat([]byte("x"), maxFile+1)))
	wantError(t, err, "longer than 1 MiB", "")
}

// No error or note shows any of a key.
func TestParseKeepsSecrets(t *testing.T) {
	for name, data := range samples(t) {
		if !strings.Contains(name, "key") && !strings.Contains(name, "pkcs8") {
			continue
		}
		for _, cut := range []int{len(data), len(data) / 2, 40} {
			for _, prefix := range []string{"", " ", "x", "> "} {
				text := append([]byte(prefix), data[:min(cut, len(data))]...)
				_, notes, err := ParseKey(text)
				said := ""
				if err != nil {
					said = err.Error() + hint.Of(err)
				}
				for _, n := range notes {
					said += n.Text + n.Hint
				}
				for i := 32; i+12 < len(data); i++ {
					if strings.Contains(said, string(data[i:i+12])) && strings.Trim(string(data[i:i+12]), "-ABCDEFGHIJKLMNOPQRSTUVWXYZ \n") != "" {
						t.Fatalf("%s: %q tells a part of the key", name, said)
					}
				}
			}
		}
	}
}

func FuzzParseCSR(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		csr, notes, err := ParseCSR(data)
		if (csr == nil) != (err != nil) || err != nil && notes != nil {
			t.Fatalf("CSR %v, notes %v, error %v", csr != nil, notes, err)
		}
		if err == nil && CheckCSR(csr, testHost, false) == nil && csr.Subject.CommonName != FQDN(testHost) {
			t.Error("accepted for another name")
		}
	})
}

func FuzzParseCertificate(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cert, notes, err := ParseCertificate(data)
		if (cert == nil) != (err != nil) || err != nil && notes != nil {
			t.Fatalf("certificate %v, notes %v, error %v", cert != nil, notes, err)
		}
		if err == nil {
			CheckCertificate(cert, testHost, now)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		key, notes, err := ParseKey(data)
		if (key == nil) != (err != nil) || err != nil && notes != nil {
			t.Fatalf("key %v, notes %v, error %v", key != nil, notes, err)
		}
		if err == nil && Match(key.Public(), key) != nil {
			t.Error("the key does not match itself")
		}
	})
}

// encryptedPEM makes key look as OpenSSL encrypted them before version 1: what
// tells it are the headers, and the content is never read.
func encryptedPEM(key []byte) []byte {
	return bytes.Replace(key, []byte("KEY-----\n"), []byte("KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00000000000000000000000000000000\n\n"), 1)
}
