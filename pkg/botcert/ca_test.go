package botcert

import (
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestInitCA(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "farm", "ca")
	ca, err := InitCA(t.Context(), dir, CAOptions{Lifetime: 100 * day, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	cert := ca.Certificate
	if !cert.IsCA || cert.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || !cert.NotAfter.Equal(now.Add(100*day)) || !cert.MaxPathLenZero {
		t.Errorf("certificate of the CA: %+v", cert)
	}
	if got := keyText(cert.PublicKey); got != "RSA, 4096 bits" {
		t.Errorf("key of the CA: %s", got)
	}
	if info, err := os.Stat(filepath.Join(dir, CAKeyFile)); err != nil || info.Mode() != 0o600 {
		t.Errorf("key: %v, %v; want mode 0600", info.Mode(), err)
	}
	before := contentsOf(t, dir)
	_, err = InitCA(t.Context(), dir, CAOptions{Lifetime: day, Now: now})
	wantError(t, err, "is there already", "choose another directory")
	if after := contentsOf(t, dir); !slices.Equal(before, after) {
		t.Error("the CA that was there has changed")
	}
	opened, err := OpenCA(dir)
	if err != nil || !opened.Certificate.Equal(cert) || opened.ecdsa() {
		t.Errorf("opened again: %v", err)
	}

	// Names made up differ; others have to fit into a certificate.
	again, err := InitCA(t.Context(), t.TempDir(), CAOptions{ECDSA: true, Lifetime: day, Now: now})
	if err != nil || again.Certificate.Subject.CommonName == cert.Subject.CommonName || !again.ecdsa() {
		t.Errorf("a second CA: %+v, %v", again, err)
	}
	for _, name := range []string{strings.Repeat("x", 65), "a\nb", "\xff"} {
		_, err := InitCA(t.Context(), t.TempDir(), CAOptions{Name: name, Lifetime: day, Now: now})
		wantError(t, err, "name of the CA", "64 printable")
	}
	if _, err := InitCA(t.Context(), t.TempDir(), CAOptions{Now: now}); err == nil {
		t.Error("a CA without a lifetime was made")
	}
}

func TestOpenCARefuses(t *testing.T) {
	ca := testCA(t, otherKey(), CAOptions{})
	for _, tt := range []struct {
		name string
		file string
		data []byte
		err  string
	}{
		{"no key", CAKeyFile, nil, "no such file"},
		{"another key", CAKeyFile, keyPEM(testKey()), "is not the certificate of the CA whose key is in ca.key"},
		{"no certificate", CACertificateFile, nil, "no such file"},
		{"a bot's certificate", CACertificateFile, signed(t, ca, testHost, otherKey()), "is not the certificate of the CA"},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(ca.dir)); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(dir, tt.file))
		if tt.data != nil {
			write(t, dir, tt.file, tt.data)
		}
		_, err := OpenCA(dir)
		wantError(t, err, tt.err, "")
	}
	_, err := OpenCA(filepath.Join(t.TempDir(), "none"))
	wantError(t, err, "open the CA in", "gobuild csr ca init")
}

func TestSign(t *testing.T) {
	ca := testCA(t, otherKey(), CAOptions{Lifetime: 4000 * day})
	csr := testCSR(t, testHost, testKey())
	out := filepath.Join(t.TempDir(), "out.cert")
	issued, text, err := ca.Sign(csr, testHost, SignOptions{Lifetime: 3650 * day, Out: out, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	cert, notes, err := ReadCertificate(out)
	if err != nil || notes != nil {
		t.Fatal(err, notes)
	}
	for _, file := range []string{out, issued.File} {
		if data, err := os.ReadFile(file); err != nil || string(data) != string(text) {
			t.Errorf("%s is not the certificate (%v)", file, err)
		}
	}
	if string(cert.RawSubject) != string(csr.RawSubject) || !slices.Equal(cert.DNSNames, csr.DNSNames) {
		t.Errorf("subject %s, names %v", cert.Subject, cert.DNSNames)
	}
	if cert.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) || cert.IsCA || !cert.BasicConstraintsValid {
		t.Errorf("usage %v, %v, CA %v", cert.KeyUsage, cert.ExtKeyUsage, cert.IsCA)
	}
	if n := cert.SerialNumber.BitLen(); n > 127 || n < 80 {
		t.Errorf("serial number of %d bits", n)
	}
	if !cert.NotBefore.Equal(now.Add(-10*time.Minute)) || !cert.NotAfter.Equal(now.Add(3650*day)) || issued.Shortened {
		t.Errorf("valid %s to %s, shortened %v", cert.NotBefore, cert.NotAfter, issued.Shortened)
	}
	for _, f := range append(CheckCertificate(cert, testHost, now), issuedBy(ca.Certificate, cert)) {
		if f.State != OK {
			t.Errorf("%+v", f)
		}
	}
	if err := Match(cert.PublicKey, testKey()); err != nil {
		t.Error(err)
	}

	// Longer than the CA no certificate lasts.
	short, text, err := ca.Sign(csr, testHost, SignOptions{Lifetime: 4001 * day, Now: now.Add(time.Hour)})
	if err != nil || !short.Shortened || !short.Expires.Equal(ca.Certificate.NotAfter) || short.Serial == issued.Serial {
		t.Errorf("beyond the CA: %+v, %v", short, err)
	}
	if cert, _, err = ParseCertificate(text); err != nil || !cert.NotAfter.Equal(ca.Certificate.NotAfter) {
		t.Errorf("until %s, %v", cert.NotAfter, err)
	}

	list, err := ca.Issued()
	if err != nil || len(list) != 2 || list[0] != issued || list[1] != short {
		t.Errorf("list %+v, %v; want %+v and %+v", list, err, issued, short)
	}
}

func TestSignRefuses(t *testing.T) {
	ca := testCA(t, otherKey(), CAOptions{Lifetime: 100 * day})
	private := testCA(t, ecKey(), CAOptions{Lifetime: 100 * day})
	good, ec := testCSR(t, testHost, testKey()), testCSR(t, testHost, ecKey())
	taken := write(t, t.TempDir(), "taken", nil)
	for _, tt := range []struct {
		name string
		ca   *CA
		csr  *x509.CertificateRequest
		host string
		opts SignOptions
		err  string
		hint string
	}{
		{"other host", ca, good, "linux-amd64-gopher", SignOptions{}, "the CSR's subject", "gobuild csr"},
		{"EC", ca, ec, testHost, SignOptions{}, "the CSR's algorithm", "gobuild csr"},
		{"small, private farm", private, testCSR(t, testHost, smallKey()), testHost, SignOptions{}, "1024 bits", ""},
		{"no time", ca, good, testHost, SignOptions{Lifetime: -1}, "valid for a day", ""},
		{"CA at its end", ca, good, testHost, SignOptions{Now: now.Add(101 * day)}, "expired on", "gobuild csr ca init"},
		{"CA not yet", ca, good, testHost, SignOptions{Now: now.Add(-day)}, "not before", "gobuild csr ca init"},
		{"file in the way", ca, good, testHost, SignOptions{Out: taken}, "already exists", ""},
		{"no directory", ca, good, testHost, SignOptions{Out: filepath.Join(taken+"x", "cert")}, "no such file", "has to be there"},
	} {
		if tt.opts.Lifetime == 0 {
			tt.opts.Lifetime = day
		}
		if tt.opts.Now.IsZero() {
			tt.opts.Now = now
		}
		_, _, err := tt.ca.Sign(tt.csr, tt.host, tt.opts)
		wantError(t, err, tt.err, tt.hint)
	}
	for _, c := range []*CA{ca, private} {
		if list, err := c.Issued(); err != nil || len(list) > 0 {
			t.Errorf("issued all the same: %+v, %v", list, err)
		}
		if left, _ := os.ReadDir(filepath.Join(c.dir, caIssued)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	// Where ECDSA is wanted it is signed.
	if _, _, err := private.Sign(ec, testHost, SignOptions{Lifetime: day, Now: now}); err != nil {
		t.Error(err)
	}
	if _, _, err := ca.Sign(ec, testHost, SignOptions{Lifetime: day, ECDSA: true, Now: now}); err != nil {
		t.Error(err)
	}
}

// Of many that sign at once, none loses its entry.
func TestSignTogether(t *testing.T) {
	dir := testCA(t, otherKey(), CAOptions{}).dir
	csr := testCSR(t, testHost, testKey())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			ca, err := OpenCA(dir)
			if err == nil {
				_, _, err = ca.Sign(csr, testHost, SignOptions{Lifetime: day, Now: now})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ca, err := OpenCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := ca.Issued(); err != nil || len(list) != 20 {
		t.Errorf("%d entries, %v", len(list), err)
	}
}

func TestRevoke(t *testing.T) {
	ca := testCA(t, otherKey(), CAOptions{})
	csr := testCSR(t, testHost, testKey())
	var all []Issued
	for i := range 20 { // more than there are hex digits: some begin alike
		issued, _, err := ca.Sign(csr, testHost, SignOptions{Lifetime: day, Now: now.Add(time.Duration(i) * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, issued)
	}
	later := now.Add(time.Hour)
	for _, serial := range []string{all[3].Serial, "00:" + strings.ToUpper(all[4].Serial[:2]+":"+all[4].Serial[2:]), all[5].Serial[:16]} {
		if revoked, err := ca.Revoke(serial, later); err != nil || !revoked.Revoked.Equal(later) {
			t.Errorf("%s: %+v, %v", serial, revoked, err)
		}
	}
	_, err := ca.Revoke(all[3].Serial, later)
	wantError(t, err, "was revoked on 2026-11-24 already", "")
	first := map[byte]int{}
	for _, issued := range all {
		first[issued.Serial[0]]++
	}
	for digit, n := range first {
		if n > 1 {
			_, err = ca.Revoke(string(digit), later)
			wantError(t, err, "serial numbers begin with", "ca list")
			break
		}
	}
	for _, serial := range []string{"", "xyz", all[0].Serial + "0", "../issued/" + all[0].Serial} {
		_, err = ca.Revoke(serial, later)
		wantError(t, err, "has issued no certificate", "ca list")
	}

	der, err := ca.CRL(later, 30*day)
	if err != nil {
		t.Fatal(err)
	}
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := crl.CheckSignatureFrom(ca.Certificate); err != nil {
		t.Error(err)
	}
	var got, want []string
	for _, entry := range crl.RevokedCertificateEntries {
		got = append(got, entry.SerialNumber.Text(16))
	}
	for _, issued := range all[3:6] {
		want = append(want, issued.Serial)
	}
	if !slices.Equal(got, want) || !crl.NextUpdate.Equal(later.Add(30*day)) {
		t.Errorf("list %v until %s, want %v", got, crl.NextUpdate, want)
	}
	next, err := ca.CRL(later.Add(time.Second), day)
	if err != nil {
		t.Fatal(err)
	}
	if newer, err := x509.ParseRevocationList(next); err != nil || newer.Number.Cmp(crl.Number) <= 0 {
		t.Errorf("the number of the list does not grow (%v)", err)
	}

	// An entry that nobody can read is not passed over.
	write(t, filepath.Join(ca.dir, caIssued), "bad.json", []byte("{"))
	if _, err := ca.CRL(later, day); err == nil || !strings.Contains(err.Error(), "bad.json") {
		t.Errorf("error %v", err)
	}
}

// contentsOf lists the files below dir with their content.
func contentsOf(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		all = append(all, path+": "+string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
