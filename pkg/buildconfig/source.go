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
