package buildlet

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// findCommand resolves cmd (section 3.7) to a path; the status goes with the
// error.
func (s *Server) findCommand(cmd string, sys bool) (path string, status int, err error) {
	native := filepath.FromSlash(cmd)
	switch {
	case filepath.IsAbs(native):
		return filepath.Clean(native), 0, nil
	case strings.ContainsRune(native, filepath.Separator):
		if sys {
			return "", http.StatusBadRequest, fmt.Errorf("'sys' mode requires absolute or system 'cmd' path")
		}
		rel, err := cleanPath(cmd)
		if err != nil {
			return "", http.StatusBadRequest, err
		}
		return filepath.Join(s.work, rel), 0, nil
	case !sys:
		if path, err := exec.LookPath(filepath.Join(s.work, native)); err == nil {
			return path, 0, nil
		}
	}
	for _, dir := range filepath.SplitList(lookup(s.opts.Environ, pathVariable)) {
		if !filepath.IsAbs(dir) {
			continue // depends on where this process was started
		}
		if path, err := exec.LookPath(filepath.Join(dir, native)); err == nil {
			return path, 0, nil
		}
	}
	return "", http.StatusUnprocessableEntity, fmt.Errorf("command %q not found", cmd)
}

// commandDir returns the directory that a command runs in.
func (s *Server) commandDir(dir, path string, sys bool) (string, error) {
	native := filepath.FromSlash(dir)
	switch {
	case dir == "" && sys:
		return s.work, nil
	case dir == "":
		return filepath.Dir(path), nil
	case filepath.IsAbs(native):
		return filepath.Clean(native), nil
	}
	rel, err := cleanPath(dir)
	return filepath.Join(s.work, rel), err
}

// environ returns the environment of a command, in the order of section 3.7:
// what is inherited, GOROOT_BOOTSTRAP, what the caller gave, what is forced.
func (s *Server) environ(extra, path []string, dir string) []string {
	env := s.inherited()
	if runtime.GOOS == "windows" {
		env = slices.Insert(env, 0, "GOBUILDEXIT=1") // upstream's batch files hand on their exit code
	}
	bootstrap := filepath.Join(s.work, "go1.4")
	if info, err := s.root().Stat("go1.4"); err != nil || !info.IsDir() {
		if had := lookup(env, "GOROOT_BOOTSTRAP"); had != "" {
			bootstrap = had
		}
	}
	env = append(env, "GOROOT_BOOTSTRAP="+bootstrap, "WORKDIR="+s.work)
	if runtime.GOOS == "windows" { // which does not ask TMPDIR; what lies elsewhere nobody removes
		tmp := filepath.Join(s.work, "tmp")
		env = append(env, "TMP="+tmp, "TEMP="+tmp)
	}
	env = append(env, extra...)
	if runtime.GOOS != "plan9" {
		for name, variable := range ownDirs {
			env = append(env, variable+"="+filepath.Join(s.work, name))
		}
	}
	if len(path) > 0 {
		env = append(env, pathVariable+"="+s.expandPath(path, lookup(env, pathVariable)))
	}
	return dedupe(append(env, "PWD="+dir))
}

// expandPath joins the elements that a caller gave for PATH.
func (s *Server) expandPath(elements []string, current string) string {
	r := strings.NewReplacer("$PATH", current, "$WORKDIR", s.work, "$EMPTY", "")
	var list []string
	for _, e := range elements {
		if e = r.Replace(e); e != "" {
			list = append(list, e)
		}
	}
	return strings.Join(list, string(filepath.ListSeparator))
}

// pathVariable is the name of the search path.
var pathVariable = map[bool]string{true: "path", false: "PATH"}[runtime.GOOS == "plan9"]

// inherited returns what commands inherit of this process's environment: all
// but its secrets.
func (s *Server) inherited() []string {
	return slices.DeleteFunc(slices.Clone(s.opts.Environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		passes := func(pass string) bool { return sameName(pass, name) }
		return isSecret(name) && !slices.ContainsFunc(s.opts.PassEnv, passes)
	})
}

// The names of variables that are this process's own business.
var (
	secretNames    = []string{"GO_BUILDLET_TOKEN", "LUCI_MACHINE_TOKEN", "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "SSH_AUTH_SOCK"}
	secretPrefixes = []string{"META_", "GOBUILD_", "GO_BUILD_KEY_", "WATCHDOG_", "LISTEN_", "AWS_SECRET_", "AWS_SESSION_"}
	secretSuffixes = []string{"_TOKEN", "_SECRET", "_PASSWORD", "_PASSWD", "_KEY", "_KEY_FILE", "_CREDENTIALS"}
)

func isSecret(name string) bool {
	name = strings.ToUpper(name)
	return slices.Contains(secretNames, name) ||
		slices.ContainsFunc(secretPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) ||
		slices.ContainsFunc(secretSuffixes, func(p string) bool { return strings.HasSuffix("_"+name, p) })
}

// sameName reports whether two variables are one: Windows does not tell cases
// apart.
func sameName(a, b string) bool {
	return a == b || runtime.GOOS == "windows" && strings.EqualFold(a, b)
}

// lookup returns the last value of a variable in env.
func lookup(env []string, name string) (value string) {
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok && sameName(k, name) {
			value = v
		}
	}
	return value
}

// dedupe keeps the last of the values of each variable.
func dedupe(env []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, kv := range slices.Backward(env) {
		name, _, ok := strings.Cut(kv, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
			ok = ok && name != "" || strings.HasPrefix(kv, "=") // =C: and its kin
			if name == "" {
				name = kv
			}
		}
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		out = append(out, kv)
	}
	slices.Reverse(out)
	return out
}
