package buildconfig

import (
	"go/ast"
	"slices"
	"strings"

	"gobuild/pkg/goeval"
)

// Var is a variable of an environment.
type Var struct {
	Name, Value string
	Node        ast.Expr // of the KEY=VALUE, or nil
	Own         bool     // the builder type's own, not its host type's
}

// Environ returns the variables that commands of a builder type get, as
// BuildConfig.Env does (build protocol, section 12.2): of equal ones the last
// counts. all is false if there may be others.
func (s *Source) Environ(b *Record) (env []Var, all bool) {
	env, all = []Var{{Name: "GO_BUILDER_NAME", Value: b.Key}}, true
	switch flaky, ok := b.Bool("FlakyNet"); {
	case !ok:
		if has, known := b.Has("FlakyNet"); has || !known {
			all = false
		}
	case flaky:
		env = append(env, Var{Name: "GO_BUILDER_FLAKY_NET", Value: "1"})
	}
	if slices.Contains(strings.Split(b.Key, "-"), "longtest") {
		env = append(env, Var{Name: "GO_TEST_SHORT", Value: "0"})
	}
	add := func(r *Record, own bool) {
		list, complete := r.List("env")
		if has, known := r.Has("env"); known && !has {
			list, complete = nil, true // before host types had one
		}
		all = all && complete
		for _, e := range list {
			text, ok := e.String()
			if !ok {
				all = false
				continue
			}
			name, value, _ := strings.Cut(text, "=")
			env = append(env, Var{name, value, e.Node, own})
		}
	}
	if h := s.HostOf(b); h != nil {
		add(h, false)
	} else if s.HasHosts {
		all = false
	}
	add(b, true)
	return env, all
}

// Setting returns the last of the variables that is called name. If there is
// none, known says whether that is certain.
func Setting(env []Var, all bool, name string) (v Var, found, known bool) {
	for _, e := range slices.Backward(env) {
		if e.Name == name {
			return e, true, all
		}
	}
	return Var{}, false, all
}

// Target is what a builder type builds for.
type Target struct {
	GOOS, GOARCH string
	GOARM        string // of GOARCH arm, else empty
}

// Target returns what a builder type builds for: what its environment says
// (GOOS, else GOHOSTOS; GOARCH, else GOHOSTARCH), else its host type's
// HostArch. ok is false if that cannot be known.
func (s *Source) Target(b *Record) (t Target, ok bool) {
	env, all := s.Environ(b)
	pick := func(names ...string) (string, bool) {
		for _, name := range names {
			if v, found, _ := Setting(env, all, name); found {
				return v.Value, true
			}
		}
		return "", all
	}
	hostArch, hostKnown := "", false
	if h := s.HostOf(b); h != nil {
		hostArch, hostKnown = h.String("HostArch")
	}
	part := append(strings.SplitN(hostArch, "-", 3), "", "", "")
	ok = all
	goos, known := pick("GOOS", "GOHOSTOS")
	if goos == "" {
		goos = part[0]
		ok = ok && known && hostKnown
	}
	goarch, known := pick("GOARCH", "GOHOSTARCH")
	if goarch == "" {
		goarch = part[1]
		ok = ok && known && hostKnown
	}
	t = Target{GOOS: goos, GOARCH: goarch}
	if goarch == "arm" {
		t.GOARM, _ = pick("GOARM")
		if t.GOARM == "" && part[1] == "arm" {
			t.GOARM = part[2]
		}
		if t.GOARM == "" {
			t.GOARM = "7"
		}
	}
	return t, ok && t.GOOS != "" && t.GOARCH != ""
}

// maxPolicySteps bounds a call of a policy function.
const maxPolicySteps = 20000

// Builds reports whether a builder type builds a repository at a branch after
// submission, as the source's own BuildsRepoPostSubmit says; known is false if
// that cannot be told.
func (s *Source) Builds(b *Record, repo, branch, goBranch string) (yes, known bool) {
	return s.policy(b, "BuildsRepoPostSubmit", repo, branch, goBranch)
}

// Tries is Builds for builds before submission (trybots).
func (s *Source) Tries(b *Record, repo, branch, goBranch string) (yes, known bool) {
	return s.policy(b, "BuildsRepoTryBot", repo, branch, goBranch)
}

func (s *Source) policy(b *Record, method string, args ...string) (yes, known bool) {
	fn := s.prog.Method(b.value, method)
	if fn == nil {
		return false, false
	}
	return goeval.Bool(s.prog.Call(fn, maxPolicySteps, texts(args)...))
}

// Ask calls the function in a field of r, such as buildsRepo, with texts as
// arguments and returns the bool that it returns, if that is known.
func (s *Source) Ask(r *Record, field string, args ...string) (yes, known bool) {
	return s.ask(r.Value(field), args)
}

// AskWritten is Ask for the function that the literal of r sets the field to,
// whatever came of it later.
func (s *Source) AskWritten(r *Record, field string, args ...string) (yes, known bool) {
	return s.ask(r.WrittenValue(field), args)
}

// AskFunc is Ask for a function of the source's package.
func (s *Source) AskFunc(name string, args ...string) (yes, known bool) {
	fn := s.prog.Func(name)
	if fn == nil {
		return false, false
	}
	return s.ask(fn, args)
}

func (s *Source) ask(v goeval.Value, args []string) (yes, known bool) {
	fn, ok := v.(*goeval.Func)
	if !ok || fn == nil {
		return false, false
	}
	return goeval.Bool(s.prog.Call(fn, maxPolicySteps, texts(args)...))
}

func texts(args []string) []goeval.Value {
	values := make([]goeval.Value, len(args))
	for i, a := range args {
		values[i] = goeval.Text{S: a}
	}
	return values
}
