package botcert

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestInspect looks at files as an owner and a maintainer have them, singly
// and together.
func TestInspect(t *testing.T) {
	dir := t.TempDir()
	ca := testCA(t, otherKey(), CAOptions{})
	put := func(name string, data []byte) string { return write(t, dir, name, data) }
	cert := signed(t, ca, testHost, testKey())
	csr, err := newCSR(testHost, testKey())
	if err != nil {
		t.Fatal(err)
	}
	oddCSR, err := newCSR("lab7", testKey())
	if err != nil {
		t.Fatal(err)
	}
	ecCSR, err := newCSR(testHost, ecKey())
	if err != nil {
		t.Fatal(err)
	}
	key := put("key", keyPEM(testKey()))
	open, group, writable := put("open", keyPEM(testKey())), put("group", keyPEM(testKey())), put("writable", keyPEM(testKey()))
	for file, mode := range map[string]os.FileMode{open: 0o644, group: 0o640, writable: 0o602} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	crlDER, err := ca.CRL(now, day)
	if err != nil {
		t.Fatal(err)
	}
	crl := put("crl", pemText("X509 CRL", crlDER))
	s := samples(t)

	for _, tt := range []struct {
		name  string
		files []string
		with  Inspection
		ok    bool
		want  []string // "KIND: STATE WHAT: ..." beginnings of what is not plainly ok, in order
	}{
		{name: "all is well", files: []string{put("csr", csr), put("cert", cert)}, with: Inspection{KeyFile: key, CA: ca.dir, CRL: crl}, ok: true},
		{name: "CSR for another", files: []string{put("csr", csr)}, with: Inspection{Host: "linux-amd64-gopher"},
			want: []string{"certificate request: fail subject: O=Google, CN=" + FQDN(testHost), "certificate request: fail DNS name: " + FQDN(testHost)}},
		{name: "CSR with an odd name", files: []string{put("csr2", oddCSR)}, want: []string{`certificate request: fail host name: host name "lab7" does not begin with a port`}},
		{name: "CSR with BOM", files: []string{put("csr3", append(bytes.Clone(bom), csr...))}, want: []string{"certificate request: fail file: it begins with a byte order mark"}},
		{name: "EC CSR", files: []string{put("csr4", ecCSR)}, want: []string{"certificate request: fail algorithm: ECDSA-SHA256", "certificate request: fail key: ECDSA, P-256"}},
		{name: "EC CSR for a private farm", files: []string{put("csr4", ecCSR)}, with: Inspection{ECDSA: true}, ok: true},
		{name: "chain", files: []string{put("chain", append(bytes.Clone(cert), cert...))}, ok: true, want: []string{"certificate: warn file: it holds a chain of 2 certificates"}},
		{name: "certificate and another's key", files: []string{put("cert", cert)}, with: Inspection{KeyFile: put("key2", keyPEM(otherKey()))},
			want: []string{"certificate: fail match: another key than in " + filepath.Join(dir, "key2")}},
		{name: "certificate and CSR of another", files: []string{put("cert", cert), put("csr5", ecCSR)}, with: Inspection{ECDSA: true},
			want: []string{"certificate request: fail match: another key than in " + filepath.Join(dir, "cert")}},
		{name: "certificate of another CA", files: []string{put("cert", cert)}, with: Inspection{CA: testCA(t, ecKey(), CAOptions{Name: "X"}).dir},
			want: []string{"certificate: fail CA: signed by Test CA"}},
		{name: "59 days left", files: []string{put("cert", cert)}, with: Inspection{Now: now.Add((3650 - 59) * day)}, ok: true,
			want: []string{"certificate: warn valid: until 2036-11-21, 59 days left"}},
		{name: "59 days left will do", files: []string{put("cert", cert)}, with: Inspection{Now: now.Add((3650 - 59) * day), MinDays: 59}, ok: true},
		{name: "59 days left will not do", files: []string{put("cert", cert)}, with: Inspection{Now: now.Add((3650 - 59) * day), MinDays: 60},
			want: []string{"certificate: fail valid: until 2036-11-21, 59 days left"}},
		{name: "expired, whatever is wanted", files: []string{put("cert", cert)}, with: Inspection{Now: now.Add(3652 * day), MinDays: 1},
			want: []string{"certificate: fail valid: expired on 2036-11-21, 2 days ago"}},
		{name: "not yet, whatever is wanted", files: []string{put("cert", cert)}, with: Inspection{Now: now.Add(-day), MinDays: 1},
			want: []string{"certificate: fail valid: not before 2026-11-24"}},
		{name: "open keys", files: []string{open, group, writable}, want: []string{"private key: fail mode: 0644, open to every user", "private key: warn mode: 0640, open to the file's group", "private key: fail mode: 0602, open to every user"}},
		{name: "PKCS#8 key", files: []string{put("pkcs8", s["pkcs8"])}, ok: true, want: []string{"private key: warn file: it is in PKCS#8 form"}},
		{name: "EC key", files: []string{put("ec", s["ec parameters"])}, want: []string{"private key: warn file: it is an EC key", "private key: fail key: ECDSA, P-256"}},
		{name: "certificate as --key", with: Inspection{KeyFile: put("cert", cert)}, want: []string{": fail file: the file is a certificate, not a private key"}},
		{name: "encrypted key", files: []string{put("legacy", s["legacy"])}, want: []string{": fail file: the file is an encrypted private key"}},
		{name: "none of the three", files: []string{put("public", s["public"]), put("crl", pemText("X509 CRL", crlDER))},
			want: []string{": fail file: the file is a public key", ": fail file: the file is a revocation list"}},
		{name: "empty", files: []string{put("empty", nil)}, want: []string{": fail file: the file is empty"}},
		{name: "binary certificate", files: []string{put("der", s["der cert"])}, want: []string{": fail file: the file is a certificate in DER"}},
		{name: "not there", files: []string{filepath.Join(dir, "none")}, want: []string{": fail file: no such file or directory"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.with.Now.IsZero() {
				tt.with.Now = now
			}
			reports, err := Inspect(tt.files, tt.with)
			if err != nil {
				t.Fatal(err)
			}
			ok := true
			var odd []string
			for _, r := range reports {
				ok = ok && r.OK()
				for _, f := range r.Findings {
					if f.State != OK {
						odd = append(odd, r.Kind+": "+f.State+" "+f.What+": "+f.Found)
					}
				}
			}
			if ok != tt.ok {
				t.Errorf("ok %v, want %v", ok, tt.ok)
			}
			for i := range max(len(odd), len(tt.want)) {
				if i >= len(odd) || i >= len(tt.want) || !strings.HasPrefix(odd[i], tt.want[i]) {
					t.Fatalf("found\n%s\nwant\n%s", strings.Join(odd, "\n"), strings.Join(tt.want, "\n"))
				}
			}
		})
	}
}

// A report carries what a calendar or a match by hand needs.
func TestInspectFacts(t *testing.T) {
	ca := testCA(t, otherKey(), CAOptions{})
	file := write(t, t.TempDir(), "cert", signed(t, ca, testHost, testKey()))
	reports, err := Inspect([]string{file}, Inspection{Now: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	r := reports[0]
	list, _ := ca.Issued()
	if r.Kind != KindCertificate || r.FQDN != FQDN(testHost) || r.Serial != list[0].Serial || !r.NotAfter.Equal(now.Add(3650*day)) || *r.DaysLeft != 3649 ||
		r.Fingerprint != list[0].Fingerprint || r.Fingerprint != Fingerprint(testKey().Public()) {
		t.Errorf("%+v", r)
	}
}

// Standard input is a file without a mode.
func TestInspectStdin(t *testing.T) {
	for text, want := range map[string]string{string(keyPEM(testKey())): "file key", "": "file", strings.Repeat("x", maxFile+1): "file"} {
		reports, err := Inspect([]string{"-"}, Inspection{Stdin: strings.NewReader(text), Now: now})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range reports[0].Findings {
			got = append(got, f.What)
		}
		if strings.Join(got, " ") != want || reports[0].OK() != (want == "file key") {
			t.Errorf("%.20q: %+v", text, reports[0].Findings)
		}
	}
}

// What files are held against has to be readable.
func TestInspectErrors(t *testing.T) {
	dir := t.TempDir()
	ca := testCA(t, ecKey(), CAOptions{})
	key := write(t, dir, "key", keyPEM(testKey()))
	_, err := Inspect(nil, Inspection{CA: key})
	wantError(t, err, "certificate of the CA: "+key+": the file is a private key", "")
	_, err = Inspect(nil, Inspection{CA: dir})
	wantError(t, err, "certificate of the CA: open "+filepath.Join(dir, CACertificateFile), "")
	_, err = Inspect(nil, Inspection{CA: ca.dir, CRL: key})
	wantError(t, err, "revocation list: "+key, "gobuild csr ca crl")
	_, err = Inspect(nil, Inspection{CRL: key})
	wantError(t, err, "without the CA's certificate", "")

	// A list may be binary, too.
	der, err := ca.CRL(now, day)
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(der); block != nil {
		t.Fatal("the list is PEM")
	}
	if _, err := Inspect(nil, Inspection{CA: ca.dir, CRL: write(t, dir, "crl", der)}); err != nil {
		t.Error(err)
	}
}
