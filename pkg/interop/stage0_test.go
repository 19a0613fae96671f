//go:build linux

package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"gobuild/pkg/api"
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/netdial/dialtest"
)

const farmer = "farmer.golang.org"

// ownNetwork puts this goroutine, and the programs that it starts, into a
// network of their own, in which only the loopback is there and farmer.golang.org
// is this machine.
func ownNetwork(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root makes itself a network")
	}
	// The thread ends with the goroutine: it is not given back.
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET | syscall.CLONE_NEWNS); err != nil {
		t.Skipf("no network of our own: %v", err)
	}
	check := func(what string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	check("mounts of our own", syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	hosts := writeTemp(t, "hosts", "127.0.0.1 localhost "+farmer+"\n")
	check("hosts", syscall.Mount(hosts, "/etc/hosts", "", syscall.MS_BIND, ""))
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	check("socket", err)
	defer syscall.Close(fd)
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Fatalf("loopback: %v", errno)
	}
}

// writeTemp writes a file of the test's.
func writeTemp(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// farmerCertificate makes a certificate of the given name.
func farmerCertificate(t *testing.T, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	return writeTemp(t, "cert.pem", text("CERTIFICATE", der)), writeTemp(t, "key.pem", text("PRIVATE KEY", pkcs8))
}

// Upstream's stage0 downloads our buildlet from our coordinator and starts it;
// it registers. Our own stage0 does the same, with the signature checked.
func TestStage0FromOurCoordinator(t *testing.T) {
	ownNetwork(t)
	const hostType = "host-linux-amd64-wsl" // one that upstream's stage0 gives arguments to
	conf := buildconfig.Default()
	host := *conf.Hosts["host-linux-amd64"]
	host.HostType = hostType
	conf.Hosts[hostType] = &host
	builders, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := farmerCertificate(t, farmer)
	master := writeTemp(t, "master.key", "a master key of this test's\n")
	home, dl := t.TempDir(), filepath.Join(t.TempDir(), "dl")
	signer := filepath.Join(t.TempDir(), "release.key")
	for _, args := range [][]string{
		{"release", "keygen", "--no-password", signer},
		{"release", "publish", "--key", signer, "--dir", dl, "--version", "1.2.3", filepath.Join(bin, "gobuild")},
		{"keygen", "--master-key", master, "--out", home, hostType},
	} {
		if r := run(t, nil, "", "gobuild", args...); r.code != 0 {
			t.Fatalf("gobuild %s: %s", args[0], r.stderr)
		}
	}
	start(t, nil, "gobuild", "coordinator", "--listen=127.0.0.1:443", "--tls-cert="+cert, "--tls-key="+key,
		"--master-key="+master, "--builders="+writeTemp(t, "builders.json", string(builders)), "--dl="+dl).await("serving")
	// Upstream's stage0 asks here whether the network is up.
	plain, err := net.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	go http.Serve(plain, http.NotFoundHandler())

	env := []string{
		"HOME=" + home, "SSL_CERT_FILE=" + cert, "GOBUILD_CA_FILE=" + cert,
		"GO_BUILDER_ENV=" + hostType, "GO_BUILD_KEY_PATH=" + filepath.Join(home, hostType+".key"),
		"GOBUILD_HEALTH_ADDR=", "META_BUILDLET_BINARY_URL=https://" + farmer + "/dl/buildlet." + runtime.GOOS + "-" + runtime.GOARCH,
	}
	for _, tt := range []struct {
		name, program string
		args          []string
	}{
		{"upstream's", "stage0", nil},
		{"ours", "gobuild", []string{"stage0", "--release-key=" + signer + ".pub", "--register-within=1m"}},
	} {
		dir := t.TempDir()
		hostname := "board-" + tt.program
		p := startIn(t, dir, append(slices.Clone(env), "HOSTNAME="+hostname), tt.program, tt.args...)
		t.Cleanup(func() { terminate(t, filepath.Join(dir, "buildlet.exe")) })
		var last string
		waitFor(t, tt.name+" stage0 has our buildlet registered", func() bool {
			select {
			case <-p.ended:
				t.Fatalf("%s stage0 has ended:\n%s", tt.name, p.text())
			default:
			}
			r := run(t, env, "", "gobuild", "status", "--json", "--coordinator=https://"+farmer)
			last = r.stdout + r.stderr
			var pool api.Pool
			return json.Unmarshal([]byte(r.stdout), &pool) == nil && slices.ContainsFunc(pool.Hosts, func(h api.Host) bool {
				return h.Hostname == hostname && h.State == api.HostIdle && strings.HasPrefix(h.Program, "gobuild ") && h.HostType == hostType
			})
		})
		published, err := os.ReadFile(filepath.Join(bin, "gobuild"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "buildlet.exe")); err != nil || string(got) != string(published) {
			t.Errorf("%s: buildlet.exe has %d bytes (%v), %d were published; the pool: %s", tt.name, len(got), err, len(published), last)
		}
		if tt.program == "gobuild" {
			waitFor(t, "the buildlet has proved good", func() bool {
				state, _ := os.ReadFile(filepath.Join(dir, "buildlet.exe.json"))
				return strings.Contains(string(state), `"confirmed"`)
			})
		}
		if tt.program == "stage0" {
			// Upstream's does not end what it has started, but ends with it.
			terminate(t, filepath.Join(dir, "buildlet.exe"))
			waitFor(t, "stage0 has ended", func() bool {
				select {
				case <-p.ended:
					return true
				default:
					return false
				}
			})
		}
		p.stop()
	}
}

// terminate asks the processes of a program to end.
func terminate(t *testing.T, program string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if exe, err := os.Readlink(link); err != nil || exe != program {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil {
			syscall.Kill(pid, syscall.SIGTERM)
		}
	}
}

// startIn is start in a directory: upstream's stage0 works where it is started.
func startIn(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	script := fmt.Sprintf("#!/bin/sh\ncd %q && exec %q \"$@\"\n", dir, filepath.Join(bin, name))
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(bin, file)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, env, rel, args...)
}

// Our stage0 downloads upstream's buildlet and starts it; it registers.
func TestStage0StartsUpstreamBuildlet(t *testing.T) {
	addr, env := devFarm(t)
	file, err := os.Open(filepath.Join(bin, "buildlet"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	bucket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/buildlet" {
			http.NotFound(w, r) // as upstream's bucket: no digest, no signature
			return
		}
		http.ServeContent(w, r, "", info.ModTime(), io.NewSectionReader(file, 0, info.Size()))
	}))
	defer bucket.Close()
	dir, work := t.TempDir(), t.TempDir()
	p := start(t, append(env, "META_BUILDLET_BINARY_URL="+bucket.URL+"/buildlet"), "gobuild", "stage0", "--dir="+dir, "--register-within=2s", "--",
		"--coordinator="+addr, "--reverse-type="+hostType, "--hostname=board", "--workdir="+work, "--health-addr="+dialtest.FreeAddr(t), "--halt=false", "--reboot=false")
	if h := idle(t, env, "board"); h.Version != "29" || h.Program != "" {
		t.Errorf("in the pool: %+v", h)
	}
	waitFor(t, "the buildlet has proved good", func() bool {
		state, _ := os.ReadFile(filepath.Join(dir, "buildlet.exe.json"))
		return strings.Contains(string(state), `"confirmed"`)
	})
	p.stop()
	waitFor(t, "the machine has left the pool", func() bool { return len(pool(t, env).Hosts) == 0 })
}
