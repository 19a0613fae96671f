//go:build unix

package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gobuild/pkg/botcert"

	"gobuild/pkg/account"
)

const botName = "linux-riscv64-joe"

// rsaKeys makes the keys of the tests once; they take time.
var rsaKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		keys[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return keys
})

func keyPEM(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// certPEM returns a certificate of a CA for a bot.
func certPEM(t *testing.T, key *rsa.PrivateKey, host string, until time.Time) string {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(7),
		Subject:      pkix.Name{Organization: []string{"Google"}, CommonName: botcert.FQDN(host)},
		DNSNames:     []string{botcert.FQDN(host)},
		NotBefore:    until.AddDate(-10, 0, 0), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// asRoot and asJoe tell the checks who they are.
func asRoot(t *testing.T) { pretend(t, true, "root") }
func asJoe(t *testing.T)  { pretend(t, false, "joe, uid 1000") }

func pretend(t *testing.T, root bool, who string) {
	saved := privileged
	t.Cleanup(func() { privileged = saved })
	privileged = func() (bool, string) { return root, who }
}

func TestPrivateKey(t *testing.T) {
	key := keyPEM(rsaKeys()[0])
	pkcs8 := func() string {
		der, err := x509.MarshalPKCS8PrivateKey(rsaKeys()[0])
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}()
	asRoot(t)
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       expect
	}{
		{"good", key, 0o600, expect{OK, `: RSA, 2048 bits, mode 0600 of `, ""}},
		{"open", key, 0o644, expect{Fail, `everybody can read it \(mode 0644\)`, "chmod 600"}},
		{"open to the group", key, 0o640, expect{Fail, "its group can read it", "chmod 600"}},
		{"PKCS#8", pkcs8, 0o600, expect{Warn, "PKCS#8", "openssl"}},
		{"trailing line", key + "\n", 0o600, expect{Warn, "", ""}},
		{"certificate", certPEM(t, rsaKeys()[0], botName, time.Now().Add(time.Hour)), 0o600, expect{Fail, "certificate", ""}},
		{"empty", "", 0o600, expect{Fail, "empty", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key.pem")
			put(t, file, tt.text, tt.mode)
			got := examine(t, Options{PKeyPEM: file}).privateKey(t.Context())
			compare(t, got, tt.want)
			if len(tt.text) > 100 && strings.Contains(got[0].Found, tt.text[60:90]) {
				t.Errorf("it shows the key: %s", got[0].Found)
			}
		})
	}
	compare(t, examine(t, Options{For: TargetLUCI}).privateKey(t.Context()), expect{Warn, "none is configured", "gobuild csr"})
	compare(t, examine(t, Options{PKeyPEM: filepath.Join(t.TempDir(), "none")}).privateKey(t.Context()), expect{Fail, "no such file", "gobuild csr"})

	file := filepath.Join(t.TempDir(), "key.pem")
	put(t, file, key, 0o600)
	for up := filepath.Dir(file); up != os.TempDir() && len(up) > 1; up = filepath.Dir(up) {
		os.Chmod(up, 0o755)
	}
	saved := botAccount
	defer func() { botAccount = saved }()
	botAccount = func() *account.Account { return &account.Account{UID: uint32(os.Geteuid()), Groups: []uint32{1}} }
	compare(t, examine(t, Options{PKeyPEM: file}).privateKey(t.Context()), expect{Fail, "mode 0600 of .*; the bot's user, swarming, can read it$", "chown root"})
	botAccount = func() *account.Account { return &account.Account{UID: 4711, Groups: []uint32{4711}} }
	compare(t, examine(t, Options{PKeyPEM: file}).privateKey(t.Context()), expect{OK, "", ""})

	asJoe(t)
	compare(t, examine(t, Options{PKeyPEM: file}).privateKey(t.Context()), expect{Warn, "joe, uid 1000, who runs this, can read it", "as another user than the bot"})
}

func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		put(t, path, text, 0o600)
		return path
	}
	keys := rsaKeys()
	key, otherKey := file("key", keyPEM(keys[0])), file("other-key", keyPEM(keys[1]))
	good := certPEM(t, keys[0], botName, now.AddDate(5, 0, 1))
	missing := filepath.Join(dir, "none")
	for _, tt := range []struct {
		name string
		o    Options
		want []expect
	}{
		{"good", Options{Hostname: botName, PKeyPEM: key, CertPEM: file("good", good)}, []expect{{OK, `^until .*days left; ` + botName + `\.bots\.golang\.org; goes with the key$`, ""}}},
		{"for several bots", Options{Hostname: botName + "--02", PKeyPEM: key, CertPEM: file("several", good)}, []expect{{OK, "", ""}}},
		{"no key to compare", Options{Hostname: botName, CertPEM: file("alone", good)}, []expect{{OK, `golang\.org$`, ""}}},
		{"another key", Options{Hostname: botName, PKeyPEM: otherKey, CertPEM: file("other", good)}, []expect{{Fail, "does not belong to", "made with it"}}},
		{"another host", Options{Hostname: "linux-riscv64-jim", PKeyPEM: key, CertPEM: file("jim", good)}, []expect{{Fail, "name: " + botName, "403"}}},
		{"no host name", Options{PKeyPEM: key, CertPEM: file("noname", good)}, []expect{{Warn, "no host name is configured", "gobuild init"}}},
		{"expired", Options{Hostname: botName, PKeyPEM: key, CertPEM: file("expired", certPEM(t, keys[0], botName, now.AddDate(0, 0, -3)))}, []expect{{Fail, "valid: expired on .* 3 days ago", "UNTRUSTED"}}},
		{"ends soon", Options{Hostname: botName, PKeyPEM: key, CertPEM: file("soon", certPEM(t, keys[0], botName, now.AddDate(0, 0, 30)))}, []expect{{Warn, "29 days left|30 days left", "renew"}}},
		{"chain", Options{Hostname: botName, PKeyPEM: key, CertPEM: file("chain", good+good)}, []expect{{Warn, "", ""}}},
		{"key in its place", Options{Hostname: botName, CertPEM: key}, []expect{{Fail, "key", ""}}},
		{"not come yet", Options{Hostname: botName, PKeyPEM: key, CertPEM: missing}, []expect{{Warn, "not there yet", "in answer to the CSR"}}},
		{"not there", Options{Hostname: botName, CertPEM: missing}, []expect{{Fail, "none is not there", ""}}},
		{"none", Options{For: TargetLUCI}, []expect{{Warn, "none is configured", "gobuild request"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			compare(t, examine(t, tt.o).certificate(t.Context()), tt.want...)
		})
	}
}

// TestUnreadable looks at files as a user who must not read them; the test
// runs itself again as nobody.
func TestUnreadable(t *testing.T) {
	const env = "TEST_UNREADABLE"
	if dir := os.Getenv(env); dir != "" {
		e := examine(t, Options{Hostname: botName, PKeyPEM: filepath.Join(dir, "secret", "key.pem"), TokenFile: filepath.Join(dir, "secret", "token.json")})
		compare(t, e.privateKey(t.Context()), expect{OK, "cannot read it, as it should be", ""})
		cert := examine(t, Options{Hostname: botName, CertPEM: filepath.Join(dir, "secret", "cert.pem")})
		compare(t, cert.certificate(t.Context()), expect{Fail, "permission denied", "chmod 644 .*cert.pem"})
		compare(t, e.token(t.Context()), expect{Fail, "cannot read it: .*permission denied", "mode 0644"})
		if f := e.user(t.Context()); f[0].State != OK {
			t.Errorf("user: %+v", f)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may become another")
	}
	dir := t.TempDir()
	// Both the test's own files and the program have to be within reach.
	for up := dir; up != os.TempDir() && len(up) > 1; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(dir, "secret", "key.pem"), keyPEM(rsaKeys()[0]), 0o600)
	put(t, filepath.Join(dir, "secret", "token.json"), "{}", 0o600)
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "doctor.test"), string(program), 0o755)
	if err := os.Chmod(filepath.Join(dir, "secret"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "doctor.test"), "-test.run", "^TestUnreadable$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestUnreadable") {
		t.Fatalf("%v\n%s", err, out)
	}
}
