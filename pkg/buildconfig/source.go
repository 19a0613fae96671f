package buildconfig

import (
	"go/ast"
	"go/scanner"
	"go/token"
	"maps"
	"slices"
	"strings"

	"gobuild/pkg/goeval"
)

// Source is what a builders.go says, read from its text: host types, builder
// types and aliases as they are after the init functions, and where in the
// text each value stands. What cannot be known from the text is unknown, never
// guessed.
type Source struct {
	Name    string // of the file
	Package string // its package clause
	// ImportPath is that of its package; empty if it lies in no module.
	ImportPath string
	Text       []byte
	Fset       *token.FileSet
	File       *ast.File

	Hosts    []*Record // in the order of the source
	Builders []*Record // in the order in which they are added, the rejected ones too
	Aliases  []*Alias
	// HostsOpen, BuildersOpen and AliasesOpen say why there may be others, if
	// there may be.
	HostsOpen, BuildersOpen, AliasesOpen string
	// HasHosts and HasBuilders tell whether there are such tables at all.
	HasHosts, HasBuilders, HasAliases bool

	Syntax  scanner.ErrorList // what could not be parsed
	Panics  []goeval.Panic    // that every start of the program comes to
	Stopped string            // why reading was given up, if it was: what comes after is missing

	prog *goeval.Program
}

// Record is a host type or a builder type in a Source.
type Record struct {
	Key string
	// KeyNode is the expression of the key in the table, of a builder type that
	// of its name, or nil.
	KeyNode ast.Expr
	// Lit is the literal with the fields, or nil if something else made it.
	Lit *ast.CompositeLit
	// Call is the outermost call that added it, or nil.
	Call *ast.CallExpr
	// Maybe says what it hangs on whether the record is there at all; empty if
	// it certainly is.
	Maybe string
	// Rejected is set for a builder type that the source adds, but whose
	// addition panics: the coordinator does not start with it.
	Rejected bool

	src   *Source
	value goeval.Value
	s     *goeval.Struct
}

// Alias is a short name of a builder type.
type Alias struct {
	Name, Builder string
	NameNode      ast.Expr
	BuilderNode   ast.Expr
	Known         bool // the builder type is known
}

// The variables of a builders.go that are looked at.
const (
	hostsVar    = "Hosts"
	buildersVar = "Builders"
	aliasesVar  = "slowBotAliases"
	addFunc     = "addBuilder" // adds a builder type
)

// ReadSource reads the builders.go called name, whose text is src, or is read
// from the file if src is nil. Nothing is run, and no network is used; if the
// file lies in a Go module, what it uses of the same module is read too.
// Syntax errors and what stops the evaluation are told in the Source; the
// error says that there is no such file, or that it cannot be read.
func ReadSource(name string, src []byte) (*Source, error) {
	prog, syntax, err := goeval.Load(name, src, goeval.Options{Observe: addFunc})
	if err != nil {
		return nil, err
	}
	prog.Run()
	s := &Source{
		Name: name, Fset: prog.Fset, File: prog.File(), Text: prog.Text(), Syntax: syntax,
		Panics: prog.Panics, Stopped: prog.Stopped, prog: prog,
	}
	s.ImportPath = prog.Path()
	if s.File.Name != nil {
		s.Package = s.File.Name.Name
	}
	s.Hosts, s.HostsOpen, s.HasHosts = s.records(hostsVar)
	s.Builders, s.BuildersOpen, s.HasBuilders = s.records(buildersVar)
	s.addRejected()
	s.readAliases()
	for _, h := range s.Hosts {
		h.derive()
	}
	if s.Stopped == "" {
		s.Stopped = prog.Stopped
	}
	return s, nil
}

// table returns the map in a variable, and why it may have other entries.
func (s *Source) table(name string) (entries []*goeval.Entry, open string, has bool) {
	c := s.prog.Var(name)
	if c == nil {
		return nil, "", false
	}
	switch v := c.Get().(type) {
	case *goeval.Map:
		if v.Open != nil {
			open = v.Open.Why
		}
		entries = v.Entries()
	case *goeval.Unknown:
		open = v.Why
	}
	if open == "" && s.Stopped != "" {
		open = s.Stopped
	}
	return entries, open, true
}

func (s *Source) records(name string) (list []*Record, open string, has bool) {
	entries, open, has := s.table(name)
	for _, e := range entries {
		key, ok := goeval.String(e.Key)
		if !ok {
			continue
		}
		r := s.record(key, e.Node, e.Cell.Get())
		switch {
		case e.Maybe != nil:
			r.Maybe = e.Maybe.Why
		case open != "" && open != s.Stopped: // it may have been replaced or deleted
			r.Maybe = open
		}
		if name == buildersVar {
			r.nameNode()
		}
		list = append(list, r)
	}
	return list, open, has
}

// record makes a Record of a struct, or of a pointer to one.
func (s *Source) record(key string, node ast.Expr, value goeval.Value) *Record {
	r := &Record{Key: key, KeyNode: node, src: s, value: value}
	if ptr, ok := value.(*goeval.Pointer); ok {
		value = ptr.To.Get()
	}
	var ok bool
	if r.s, ok = value.(*goeval.Struct); ok {
		r.Lit = r.s.Lit
		if len(r.s.Calls) > 0 {
			r.Call = r.s.Calls[0]
		}
	}
	return r
}

// nameNode takes for the key of a builder type the name in its literal.
func (r *Record) nameNode() {
	if r.s != nil && r.s.Written["Name"] != nil {
		r.KeyNode = r.s.Written["Name"].Node
	}
}

// addRejected adds the builder types whose addition panics, where they come in
// the source.
func (s *Source) addRejected() {
	for i, call := range s.prog.Observed {
		if !call.Panicked || !call.Certain || len(call.Args) != 1 {
			continue
		}
		r := s.record("", nil, call.Args[0])
		if r.s == nil {
			continue
		}
		r.Key, _ = goeval.String(r.Value("Name"))
		r.nameNode()
		r.Rejected = true
		if r.Call == nil {
			r.Call = call.Calls[0]
		}
		s.Builders = slices.Insert(s.Builders, min(i, len(s.Builders)), r)
	}
}

func (s *Source) readAliases() {
	entries, open, has := s.table(aliasesVar)
	s.AliasesOpen, s.HasAliases = open, has
	for _, e := range entries {
		name, ok := goeval.String(e.Key)
		if !ok || e.Maybe != nil {
			continue
		}
		a := &Alias{Name: name, NameNode: e.Node, BuilderNode: e.Cell.Node}
		a.Builder, a.Known = goeval.String(e.Cell.Get())
		s.Aliases = append(s.Aliases, a)
	}
}

// derive fills in what the init function does where the source has none
// (build protocol, section 12.1).
func (h *Record) derive() {
	if arch, ok := h.String("HostArch"); ok && arch == "" {
		h.s.Field("HostArch").Fill(goeval.Text{S: archOf(h.Key)})
	}
	if v, ok := h.String("HostType"); ok && v == "" {
		h.s.Field("HostType").Fill(goeval.Text{S: h.Key})
	}
	if v, ok := h.String("GoBootstrap"); ok && v == "" {
		if c := h.src.prog.Var("GoBootstrap"); c != nil {
			h.s.Field("GoBootstrap").Fill(c.Get())
		}
	}
}

// Known reports whether the fields of r are known at all.
func (r *Record) Known() bool { return r.s != nil }

// Has reports whether records of this kind have the field; known is false if
// their type is not in the source.
func (r *Record) Has(field string) (has, known bool) {
	if r.s == nil {
		return false, false
	}
	return r.s.HasField(field)
}

// Fields returns the names of r's fields in the order of their declaration.
func (r *Record) Fields() []string {
	if r.s == nil {
		return nil
	}
	return r.s.Fields()
}

// Value returns what a field is worth.
func (r *Record) Value(field string) goeval.Value {
	if r.s == nil {
		if u, ok := r.value.(*goeval.Unknown); ok {
			return u
		}
		return &goeval.Unknown{Why: "the record is not understood"}
	}
	if has, known := r.s.HasField(field); known && !has {
		return &goeval.Unknown{Why: "there is no field " + field}
	}
	return r.s.Field(field).Get()
}

// String returns the text of a field, if it is known.
func (r *Record) String(field string) (string, bool) { return goeval.String(r.Value(field)) }

// Bool returns a field that is true or false, if it is known.
func (r *Record) Bool(field string) (value, ok bool) { return goeval.Bool(r.Value(field)) }

// Is reports whether a field is known to be true.
func (r *Record) Is(field string) bool { v, ok := r.Bool(field); return v && ok }

// IsNot reports whether a field is known to be false.
func (r *Record) IsNot(field string) bool { v, ok := r.Bool(field); return !v && ok }

// Int returns the number in a field, if it is known.
func (r *Record) Int(field string) (int64, bool) { return goeval.Int(r.Value(field)) }

// Element is an element of a field that is a slice.
type Element struct {
	Value goeval.Value
	Node  ast.Expr // nil if it does not stand in the source
}

// String returns the text of the element, if it is known.
func (e Element) String() (string, bool) { return goeval.String(e.Value) }

// List returns the elements of a field that is a slice; all is false if there
// may be others.
func (r *Record) List(field string) (list []Element, all bool) {
	switch v := r.Value(field).(type) {
	case goeval.Nil:
		return nil, true
	case *goeval.Slice:
		for _, c := range v.Elems {
			list = append(list, Element{c.Get(), c.Node})
		}
		return list, v.Open == nil
	}
	return nil, false
}

// IsNil reports whether a field is nil, if that is known.
func (r *Record) IsNil(field string) (isNil, known bool) {
	switch r.Value(field).(type) {
	case *goeval.Unknown:
		return false, false
	case goeval.Nil:
		return true, true
	}
	return false, true
}

// Written reports whether the literal of r sets the field.
func (r *Record) Written(field string) bool { return r.s != nil && r.s.Written[field] != nil }

// WrittenValue returns what the literal sets the field to; nil if it does not.
func (r *Record) WrittenValue(field string) goeval.Value {
	if !r.Written(field) {
		return nil
	}
	return r.s.Written[field].Get()
}

// Node returns the expression that the literal sets a field to, else that of
// the key, else the literal or the call that made r; nil if there is none.
func (r *Record) Node(field string) ast.Node {
	switch {
	case r.Written(field) && r.s.Written[field].Node != nil:
		return r.s.Written[field].Node
	case r.KeyNode != nil:
		return r.KeyNode
	case r.Lit != nil:
		return r.Lit
	case r.Call != nil:
		return r.Call
	}
	return nil
}

// KeyValue returns the pair NAME: VALUE of a field in r's literal, or nil.
func (r *Record) KeyValue(field string) *ast.KeyValueExpr {
	if r.Lit == nil {
		return nil
	}
	for _, e := range r.Lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok && id.Name == field {
				return kv
			}
		}
	}
	return nil
}

// Host returns the host type called name, or nil.
func (s *Source) Host(name string) *Record { return find(s.Hosts, name) }

// Builder returns the builder type called name, or nil.
func (s *Source) Builder(name string) *Record { return find(s.Builders, name) }

func find(list []*Record, key string) *Record {
	for _, r := range list {
		if r.Key == key {
			return r
		}
	}
	return nil
}

// HostOf returns the host type that a builder type runs on; nil if it is not
// known.
func (s *Source) HostOf(b *Record) *Record {
	name, ok := b.String("HostType")
	if !ok {
		return nil
	}
	return s.Host(name)
}

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

// Keys returns the keys of a table in a package of the same module, which are
// texts; all is false if there may be others, or if there is no such table.
func (s *Source) Keys(path, table string) (keys []Element, all bool) {
	c := s.prog.VarOf(path, table)
	if c == nil {
		return nil, false
	}
	m, ok := c.Get().(*goeval.Map)
	if !ok {
		return nil, false
	}
	all = m.Open == nil
	for _, e := range m.Entries() {
		if e.Maybe != nil {
			all = false
			continue
		}
		keys = append(keys, Element{e.Key, e.Node})
	}
	return keys, all
}

func texts(args []string) []goeval.Value {
	values := make([]goeval.Value, len(args))
	for i, a := range args {
		values[i] = goeval.Text{S: a}
	}
	return values
}

// Handles returns the names at GitHub of the people who are known, as far as
// their table is at hand: a map whose keys are such names with an @ before.
func (s *Source) Handles() []string {
	var names []string
	for _, m := range s.prog.Maps() {
		for _, e := range m.Entries() {
			key, _ := goeval.String(e.Key)
			if name, ok := strings.CutPrefix(key, "@"); ok && name != "" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// HostTypes returns the names of all host types, sorted.
func (s *Source) HostTypes() []string { return keys(s.Hosts) }

// BuilderNames returns the names of all builder types, sorted, also of those
// that are rejected.
func (s *Source) BuilderNames() []string { return keys(s.Builders) }

func keys(list []*Record) []string {
	set := map[string]bool{}
	for _, r := range list {
		set[r.Key] = true
	}
	return slices.Sorted(maps.Keys(set))
}
