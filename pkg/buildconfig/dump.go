package buildconfig

import (
	"encoding/json"
	"go/constant"
	"strings"
	"unicode"

	"gobuild/pkg/goeval"
)

// Dump is what a builders.go comes to, as JSON shows it: for each host type
// and builder type its fields under their Go names with a small beginning,
// and what is derived from them. A field that cannot be known is null; a
// function is left out, as only its answers matter.
type Dump struct {
	Hosts    map[string]map[string]any `json:"hosts"`
	Builders map[string]map[string]any `json:"builders"`
	// Aliases are the short names with a builder type; null where that is not
	// known. Those that stand for no builder type have an empty text.
	Aliases map[string]*string `json:"aliases"`
	// Conditional says of host and builder types that may not be there what
	// that hangs on; Open why there may be more of a kind.
	Conditional map[string]string `json:"conditional,omitempty"`
	Open        map[string]string `json:"open,omitempty"`
}

// Dump returns the host types, builder types and aliases of s.
func (s *Source) Dump() Dump {
	d := Dump{Hosts: map[string]map[string]any{}, Builders: map[string]map[string]any{}, Aliases: map[string]*string{}, Conditional: map[string]string{}, Open: map[string]string{}}
	for _, h := range s.Hosts {
		d.Hosts[h.Key] = h.fields()
	}
	for _, b := range s.Builders {
		if b.Rejected {
			continue
		}
		fields := b.fields()
		fields["name"] = b.Key
		s.dumpDerived(b, fields)
		d.Builders[b.Key] = fields
	}
	for _, a := range s.Aliases {
		d.Aliases[a.Name] = nil
		if a.Known {
			d.Aliases[a.Name] = &a.Builder
		}
	}
	for _, list := range [][]*Record{s.Hosts, s.Builders} {
		for _, r := range list {
			if r.Maybe != "" {
				d.Conditional[r.Key] = r.Maybe
			}
		}
	}
	for kind, why := range map[string]string{"hosts": s.HostsOpen, "builders": s.BuildersOpen, "aliases": s.AliasesOpen} {
		if why != "" {
			d.Open[kind] = why
		}
	}
	return d
}

// targetVars are the variables that choose among variants of an architecture,
// by the name of the field that shows them.
var targetVars = map[string]string{
	"go386": "GO386", "goamd64": "GOAMD64", "goarm64": "GOARM64", "gomips": "GOMIPS", "gomips64": "GOMIPS64",
	"goppc64": "GOPPC64", "goriscv64": "GORISCV64",
}

// dumpDerived adds to the fields of a builder type what follows from them and
// from its host type.
func (s *Source) dumpDerived(b *Record, fields map[string]any) {
	env, all := s.Environ(b)
	list := make([]string, 0, len(env))
	for _, v := range env {
		list = append(list, v.Name+"="+v.Value)
	}
	fields["env"] = nil
	if all {
		fields["env"] = list
	}
	fields["goos"], fields["goarch"], fields["goarm"] = nil, nil, nil
	if t, ok := s.Target(b); ok {
		fields["goos"], fields["goarch"], fields["goarm"] = t.GOOS, t.GOARCH, t.GOARM
	}
	for field, name := range targetVars {
		v, found, known := Setting(env, all, name)
		switch {
		case found:
			fields[field] = v.Value
		case known:
			fields[field] = ""
		default:
			fields[field] = nil
		}
	}
	fields["owners"] = nil
	if h := s.HostOf(b); h != nil {
		fields["owners"] = plain(h.Value("Owners"))
	}
}

// fields returns the fields of r, functions apart.
func (r *Record) fields() map[string]any {
	if r.s == nil {
		return map[string]any{}
	}
	return plainStruct(r.s, 0)
}

// maxDepth bounds how deep values are shown: they may hold themselves.
const maxDepth = 20

func plainStruct(s *goeval.Struct, depth int) map[string]any {
	fields := map[string]any{}
	for _, name := range s.Fields() {
		v := s.Field(name).Get()
		if _, isFunc := v.(*goeval.Func); isFunc || policyFields[name] {
			continue
		}
		fields[SmallName(name)] = plainIn(v, depth+1)
		if _, isNil := v.(goeval.Nil); isNil && s.IsSlice(name) && name != "InstallRacePackages" {
			fields[SmallName(name)] = []any{} // null is for what is not known
		}
	}
	return fields
}

// policyFields are those that hold a function, or nil.
var policyFields = map[string]bool{"tryBot": true, "buildsRepo": true, "distTestAdjust": true, "ShouldRunDistTest": true}

// plain returns a value as encoding/json takes it; nil for one that is not
// known.
func plain(v goeval.Value) any { return plainIn(v, 0) }

func plainIn(v goeval.Value, depth int) any {
	if depth > maxDepth {
		return nil
	}
	switch v := v.(type) {
	case goeval.Text:
		return v.S
	case goeval.Truth:
		return v.B
	case goeval.Number:
		if n, ok := goeval.Int(v); ok {
			return n
		}
		if v.V.Kind() == constant.Float {
			return json.Number(v.V.String())
		}
	case *goeval.Pointer:
		return plainIn(v.To.Get(), depth+1)
	case *goeval.Slice:
		if v.Open != nil {
			return nil
		}
		list := make([]any, len(v.Elems))
		for i, c := range v.Elems {
			list[i] = plainIn(c.Get(), depth+1)
		}
		return list
	case *goeval.Struct:
		return plainStruct(v, depth)
	}
	return nil
}

// SmallName returns a Go name with a small beginning: initialisms there are
// small as a whole, so that VMImage becomes vmImage.
func SmallName(name string) string {
	runes := []rune(name)
	n := 0
	for n < len(runes) && unicode.IsUpper(runes[n]) {
		n++
	}
	if n > 1 && n < len(runes) && unicode.IsLower(runes[n]) {
		n-- // it begins the next word
	}
	return strings.ToLower(string(runes[:n])) + string(runes[n:])
}
