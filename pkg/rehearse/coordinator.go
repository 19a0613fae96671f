package rehearse

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"gobuild/pkg/api"
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/coordinator"
)

// The people and machines of the rehearsal.
const (
	userName = "porter"
	hostName = "rehearsal-board"
)

// Coordinator rehearses the coordinator's world: a farm with one machine, and
// a porter who works on it. It returns nil if every step passed.
func Coordinator(ctx context.Context, opts Options) (err error) {
	r, err := newRun(opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	f := &farm{run: r}
	if err := f.walk(ctx); err != nil {
		return err
	}
	if !opts.Keep {
		return r.step(ctx, "instance destroyed, its work directory emptied", "gobuild gomote destroy "+f.instance, f.destroy)
	}
	if opts.Ready != nil {
		opts.Ready(f.describe())
	}
	return r.wait(ctx)
}

// farm is a coordinator with one machine.
type farm struct {
	*run
	url      string
	work     string // the machine's work directory
	builder  string
	hostType string
	instance string
}

// walk takes every step but the last.
func (f *farm) walk(ctx context.Context) error {
	f.builder = runtime.GOOS + "-" + runtime.GOARCH
	f.hostType = "host-" + f.builder
	if buildconfig.Default().Builders[f.builder] == nil {
		return fmt.Errorf("no worker runs on %s", f.builder)
	}
	f.work = filepath.Join(f.dir, "work")
	f.env = append(f.env, "GOBUILD_CA_FILE="+f.path(coordinator.DevCA), "GOBUILD_USER="+userName, "GOBUILD_KEY_FILE="+f.path("porter.key"))
	for _, s := range []struct {
		name, command string
		fn            func(context.Context) (string, error)
	}{
		{"master key, keys of machine and porter, CA and certificate made", "", f.makeKeys},
		{"coordinator serves over verified TLS", "gobuild coordinator --master-key FILE --tls-cert FILE --tls-key FILE", f.startCoordinator},
		{"a wrong builder key is refused", "gobuild buildlet --key-file WRONG", f.refused},
		{"buildlet registered, and seen in the pool", "gobuild buildlet -reverse-type=" + f.hostType, f.register},
		{"instance created", "gobuild gomote create " + f.builder, f.create},
		{"command run remotely", "gobuild gomote run INSTANCE " + shellWords(probe()), f.runProbe},
		{"remote exit code passed on", "gobuild gomote run INSTANCE " + shellWords(exit7()), f.runExit},
		{"file put, and fetched back identical", "gobuild gomote put INSTANCE FILE; gobuild gomote get INSTANCE FILE", f.files},
	} {
		if err := f.step(ctx, s.name, strings.ReplaceAll(s.command, "INSTANCE", f.instanceName()), s.fn); err != nil {
			return err
		}
	}
	return nil
}

func (f *farm) path(name string) string { return filepath.Join(f.dir, name) }

// instanceName returns what the instance is or will be called.
func (f *farm) instanceName() string { return userName + "-" + f.builder + "-0" }

func (f *farm) makeKeys(context.Context) (string, error) {
	secret := make([]byte, 32)
	rand.Read(secret)
	text := hex.EncodeToString(secret)
	master, err := builderkey.NewMaster([]byte(text))
	if err != nil {
		return "", err
	}
	cert, err := coordinator.DevCertificate(f.dir)
	if err != nil {
		return "", err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(f.work, 0o755); err != nil {
		return "", err
	}
	for name, content := range map[string][]byte{
		"master.key":  []byte(text + "\n"),
		"machine.key": []byte(master.Key(f.hostType) + "\n"),
		"porter.key":  []byte(master.Key(builderkey.UserPrincipal(userName)) + "\n"),
		"wrong.key":   []byte(master.Key("host-somebody-else") + "\n"),
		"farm.crt":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		"farm.key":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(f.path(name), content, 0o600); err != nil {
			return "", err
		}
	}
	return master.String(), nil
}

func (f *farm) startCoordinator(ctx context.Context) (string, error) {
	p, err := f.start("coordinator", "coordinator", "--listen", "127.0.0.1:0",
		"--master-key", f.path("master.key"), "--tls-cert", f.path("farm.crt"), "--tls-key", f.path("farm.key"))
	if err != nil {
		return "", err
	}
	if err := p.await(ctx, func() bool { f.url = p.log.field("url"); return f.url != "" }); err != nil {
		return "", err
	}
	f.env = append(f.env, "GOBUILD_COORDINATOR="+f.url)
	return f.url, nil
}

// buildletArgs returns the command line of the farm's machine.
func (f *farm) buildletArgs(keyFile string) []string {
	return []string{"buildlet", "-reverse-type=" + f.hostType, "-hostname=" + hostName, "-workdir=" + f.work,
		"-health-addr=", "--key-file", f.path(keyFile)}
}

func (f *farm) refused(ctx context.Context) (string, error) {
	cmd := f.command(ctx, f.buildletArgs("wrong.key")...)
	talk, err := cmd.CombinedOutput()
	switch {
	case err == nil || ctx.Err() != nil:
		return "", errors.New("a buildlet with a wrong key was not refused")
	case !bytes.Contains(talk, []byte("412")):
		return "", fmt.Errorf("the refusal does not say 412: %s", tail(string(talk), 5))
	}
	return "412 Precondition Failed", nil
}

func (f *farm) register(ctx context.Context) (string, error) {
	p, err := f.start("buildlet", f.buildletArgs("machine.key")...)
	if err != nil {
		return "", err
	}
	var seen api.Host
	var last error
	err = p.await(ctx, func() bool {
		if p.log.field("workdir") == "" {
			return false
		}
		var pool api.Pool
		text, err := f.gobuild(ctx, nil, "status", "--json")
		if err == nil {
			err = json.Unmarshal([]byte(text), &pool)
		}
		last = err
		for _, h := range pool.Hosts {
			if h.Hostname == hostName && h.State == api.HostIdle {
				seen = h
				return true
			}
		}
		return false
	})
	if err != nil {
		return "", errors.Join(err, last)
	}
	return fmt.Sprintf("%s, %s, version %s, idle", seen.Hostname, seen.Program, seen.Version), nil
}

func (f *farm) create(ctx context.Context) (string, error) {
	text, err := f.gobuild(ctx, nil, "gomote", "create", f.builder)
	if err != nil {
		return "", err
	}
	f.instance = strings.TrimSpace(text)
	if f.instance != f.instanceName() {
		return "", fmt.Errorf("the instance is called %q, not %q", f.instance, f.instanceName())
	}
	return f.instance, nil
}

// probe is a command that every machine of this system has.
func probe() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"cmd", "/c", "ver"}
	case "plan9":
		return []string{"/bin/cat", "/dev/osversion"}
	}
	return []string{"uname", "-a"}
}

// exit7 is a command that ends with code 7.
func exit7() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"cmd", "/c", "exit 7"}
	case "plan9":
		return []string{"/bin/rc", "-c", "exit 7"}
	}
	return []string{"/bin/sh", "-c", "exit 7"}
}

func (f *farm) runProbe(ctx context.Context) (string, error) {
	text, err := f.gobuild(ctx, nil, append([]string{"gomote", "run", f.instance}, probe()...)...)
	if err == nil && strings.TrimSpace(text) == "" {
		err = errors.New("it printed nothing")
	}
	return strings.TrimSpace(text), err
}

func (f *farm) runExit(ctx context.Context) (string, error) {
	cmd := f.command(ctx, append([]string{"gomote", "run", f.instance}, exit7()...)...)
	talk, _ := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		return "", errors.New("it could not be run")
	}
	// Plan 9's exit states are texts; any that is not empty becomes 1.
	if code := cmd.ProcessState.ExitCode(); code != 7 && !(runtime.GOOS == "plan9" && code != 0) {
		return "", fmt.Errorf("exit code %d, not 7: %s", code, tail(string(talk), 5))
	}
	return "7", nil
}

func (f *farm) files(ctx context.Context) (string, error) {
	content := make([]byte, 1<<20)
	rand.Read(content)
	if err := os.WriteFile(f.path("sent"), content, 0o640); err != nil {
		return "", err
	}
	if _, err := f.gobuild(ctx, nil, "gomote", "put", f.instance, f.path("sent"), "dir/file"); err != nil {
		return "", err
	}
	if _, err := f.gobuild(ctx, nil, "gomote", "get", f.instance, "dir/file", f.path("fetched")); err != nil {
		return "", err
	}
	back, err := os.ReadFile(f.path("fetched"))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(content, back) {
		return "", fmt.Errorf("sent %d bytes, and %d others came back", len(content), len(back))
	}
	return fmt.Sprintf("%d bytes", len(back)), nil
}

func (f *farm) destroy(ctx context.Context) (string, error) {
	if _, err := f.gobuild(ctx, nil, "gomote", "destroy", f.instance); err != nil {
		return "", err
	}
	if left, err := os.ReadDir(f.path("work")); err != nil || len(left) > 0 {
		return "", fmt.Errorf("%d things are left in the work directory (%v)", len(left), err)
	}
	if text, err := f.gobuild(ctx, nil, "gomote", "list"); err != nil || strings.TrimSpace(text) != "" {
		return "", fmt.Errorf("the instance is still listed: %q (%v)", text, err)
	}
	return "", nil
}

// describe says how to use the farm.
func (f *farm) describe() Farm {
	var env []string
	for _, kv := range f.env {
		if strings.HasPrefix(kv, "GOBUILD_") {
			env = append(env, kv)
		}
	}
	return Farm{Dir: f.dir, StatusURL: f.url + api.RouteStatus, Env: env, Try: []string{
		"gobuild status",
		"gobuild gomote list",
		"gobuild gomote run " + f.instance + " " + shellWords(probe()),
		"gobuild gomote ls " + f.instance,
		"gobuild gomote destroy " + f.instance,
	}}
}
