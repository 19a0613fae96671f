//go:build unix

package buildlet

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// environment returns what the command env prints, without what no test asked
// for.
func (s *testServer) environment(opts ExecOptions) map[string]string {
	s.t.Helper()
	opts.Dir = "."
	out, state := s.exec("/usr/bin/env", opts)
	if !state.OK() {
		s.t.Fatalf("env: %q", state.Text)
	}
	env := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if _, twice := env[name]; twice {
			s.t.Errorf("%s is set twice", name)
		}
		env[name] = value
	}
	return env
}

// Later wins: what is inherited, what the caller gives, what is forced.
func TestExecEnvironment(t *testing.T) {
	s := serve(t, Options{Environ: []string{"INHERITED=1", "BOTH=inherited", "PATH=/bin:/usr/bin", "TMPDIR=/elsewhere",
		"GOROOT_BOOTSTRAP=/boot", "PWD=/", "no equals sign"}})
	env := s.environment(ExecOptions{Env: []string{"BOTH=caller", "EMPTY=", "EQ=a=b", "TWICE=1", "TWICE=2", "GOCACHE=/mine", "TMPDIR=/mine",
		"GOPLSCACHE=/mine", "PWD=/mine", "GOBUILD_EXEC_ID=mine", "LITERAL=$PATH"}})
	cookie := env[cookieName]
	delete(env, cookieName)
	want := map[string]string{
		"INHERITED": "1", "BOTH": "caller", "EMPTY": "", "EQ": "a=b", "TWICE": "2", "LITERAL": "$PATH",
		"PATH": "/bin:/usr/bin", "GOROOT_BOOTSTRAP": "/boot", "WORKDIR": s.work, "PWD": s.work,
		"TMPDIR": s.path("tmp"), "GOCACHE": s.path("gocache"), "GOPLSCACHE": s.path("goplscache"),
	}
	for name, value := range want {
		if got, ok := env[name]; !ok || got != value {
			t.Errorf("%s=%q (%t), want %q", name, got, ok, value)
		}
		delete(env, name)
	}
	if len(env) > 0 {
		t.Errorf("also: %q", env)
	}
	if len(cookie) < 16 {
		t.Errorf("the mark of the command is %q", cookie)
	}
	// A caller may say otherwise of these.
	env = s.environment(ExecOptions{Env: []string{"WORKDIR=/mine", "GOROOT_BOOTSTRAP=/mine", "PATH=/mine"}})
	if env["WORKDIR"] != "/mine" || env["GOROOT_BOOTSTRAP"] != "/mine" || env["PATH"] != "/mine" {
		t.Errorf("not the caller's: %q", env)
	}
}

// The toolchain of upstream's name is the bootstrap, once it is there.
func TestExecBootstrap(t *testing.T) {
	s := serve(t, Options{Environ: []string{"A=b"}})
	if env := s.environment(ExecOptions{}); env["GOROOT_BOOTSTRAP"] != s.path("go1.4") {
		t.Errorf("GOROOT_BOOTSTRAP=%q", env["GOROOT_BOOTSTRAP"])
	}
	s = serve(t, Options{Environ: []string{"GOROOT_BOOTSTRAP=/boot"}})
	s.put("go1.4/bin/go", "", 0o755)
	if env := s.environment(ExecOptions{}); env["GOROOT_BOOTSTRAP"] != s.path("go1.4") {
		t.Errorf("GOROOT_BOOTSTRAP=%q", env["GOROOT_BOOTSTRAP"])
	}
}

func TestExecPath(t *testing.T) {
	s := serve(t, Options{Environ: []string{"PATH=/bin:/usr/bin"}})
	for _, tt := range []struct {
		path, env []string
		want      string
	}{
		{nil, nil, "/bin:/usr/bin"},
		{[]string{}, nil, ""},
		{[]string{"$EMPTY"}, nil, ""},
		{[]string{"$WORKDIR/go/bin", "$PATH"}, nil, s.path("go/bin") + ":/bin:/usr/bin"},
		{[]string{"$PATH", "", "$EMPTY", "/x"}, nil, "/bin:/usr/bin:/x"},
		{[]string{"$PATH"}, []string{"PATH=/callers"}, "/callers"},
		{[]string{"$HOME/$WORKDIR$PATH"}, []string{"PATH=$WORKDIR"}, "$HOME/" + s.work + "$WORKDIR"},
	} {
		if got := s.environment(ExecOptions{Path: tt.path, Env: tt.env})["PATH"]; got != tt.want {
			t.Errorf("path %q, env %q: PATH=%q, want %q", tt.path, tt.env, got, tt.want)
		}
	}
}

// The process's secrets are not the commands' business.
func TestExecSecrets(t *testing.T) {
	secret := []string{"META_password", "META_tls_key", "GO_BUILDLET_TOKEN", "LUCI_MACHINE_TOKEN", "GOBUILD_KEY", "GOBUILD_MASTER_KEY_FILE",
		"GO_BUILD_KEY_DELETE_AFTER_READ", "GO_BUILD_KEY_PATH", "NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "CREDENTIALS_DIRECTORY",
		"SSH_AUTH_SOCK", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "npm_config_token", "DB_PASSWORD", "DB_PASSWD",
		"CLIENT_SECRET", "API_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "PASSWORD", "TOKEN"}
	plain := []string{"HOME", "PATH", "GOFLAGS", "GOPROXY", "TOKENS_PER_LINE", "KEYBOARD", "SECRETARY", "GO_BUILDER_ENV", "METADATA"}
	var environ []string
	for _, name := range append(slices.Clone(secret), plain...) {
		environ = append(environ, name+"=/bin")
	}
	s := serve(t, Options{Environ: environ, PassEnv: []string{"API_KEY", "SSH_AUTH_SOCK"}})
	env := s.environment(ExecOptions{Env: []string{"CALLERS_TOKEN=x"}})
	for _, name := range secret {
		if _, there := env[name]; there != (name == "API_KEY" || name == "SSH_AUTH_SOCK") {
			t.Errorf("%s is inherited: %t", name, there)
		}
	}
	for _, name := range append(plain, "CALLERS_TOKEN") {
		if _, there := env[name]; !there {
			t.Errorf("%s is not there", name)
		}
	}
}

// Without Options.Environ the process's own is inherited.
func TestExecOwnEnvironment(t *testing.T) {
	t.Setenv("BUILDLET_TEST", "x")
	t.Setenv("META_password", "x")
	env := serve(t, Options{}).environment(ExecOptions{})
	if env["BUILDLET_TEST"] != "x" || env["PATH"] != os.Getenv("PATH") {
		t.Errorf("BUILDLET_TEST=%q PATH=%q", env["BUILDLET_TEST"], env["PATH"])
	}
	if _, there := env["META_password"]; there {
		t.Error("META_password is inherited")
	}
}

// A server that runs as a command of another keeps the other's mark.
func TestExecNestedMark(t *testing.T) {
	outer := cookieName + "=OUTER"
	env := serve(t, Options{Environ: []string{outer}}).environment(ExecOptions{})
	if !strings.HasPrefix(env[cookieName], "OUTER") || len(env[cookieName]) < 20 {
		t.Errorf("%s=%q", cookieName, env[cookieName])
	}
}
