package builders

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/goeval"
	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

// hostsLit returns the literal of the table of host types in the linted file,
// or nil.
func (p *Pass) hostsLit() *ast.CompositeLit {
	for _, d := range p.File.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			v, ok := spec.(*ast.ValueSpec)
			if !ok || len(v.Names) != 1 || v.Names[0].Name != "Hosts" || len(v.Values) != 1 {
				continue
			}
			lit, _ := v.Values[0].(*ast.CompositeLit)
			return lit
		}
	}
	return nil
}

// users returns the builder types that run on each host type, or may: those
// that are rejected or may be missing too. all is false if there may be others.
func (p *Pass) users() (of map[string][]*buildconfig.Record, all bool) {
	of, all = map[string][]*buildconfig.Record{}, p.HasBuilders && whole(p.Source) && !p.cutShort()
	for _, b := range p.Builders {
		name, ok := b.String("HostType")
		tests, known := testHost(b)
		all = all && ok && known
		if ok {
			of[name] = append(of[name], b)
		}
		if known && tests != "" && tests != name {
			of[tests] = append(of[tests], b)
		}
	}
	return of, all
}

// cutShort reports whether a panic may have kept builder types from being
// added, other than those that are known to be rejected.
func (p *Pass) cutShort() bool {
	return slices.ContainsFunc(p.Panics, func(fault goeval.Panic) bool {
		if len(fault.Calls) == 0 {
			return len(p.concerned(fault)) == 0
		}
		if fn, ok := fault.Calls[0].Fun.(*ast.Ident); ok && fn.Name == "gh" {
			return false
		}
		return !slices.ContainsFunc(p.Builders, func(b *buildconfig.Record) bool {
			return b.Rejected && b.Call != nil && slices.Contains(fault.Calls, b.Call)
		})
	})
}

// testHost returns the host type that a builder type's tests run on, if it is
// another than what it is built on.
func testHost(b *buildconfig.Record) (name string, known bool) {
	if has, ok := b.Has("TestHostConf"); ok && !has {
		return "", true
	}
	switch v := b.Value("TestHostConf").(type) {
	case goeval.Nil:
		return "", true
	case *goeval.Pointer:
		if s, ok := v.To.Get().(*goeval.Struct); ok {
			return goeval.String(s.Field("HostType").Get())
		}
	}
	return "", false
}

// localDev reports whether a host type is for trying things out on one's own
// machine: nobody owns or expects such machines.
func localDev(h *buildconfig.Record) bool { return slices.Contains(parts(h.Key), "localdev") }

// hostArch returns the parts of a host type's HostArch, if there are two or
// more.
func hostArch(h *buildconfig.Record) (goos, goarch, suffix string, ok bool) {
	arch, ok := h.String("HostArch")
	part := strings.SplitN(arch, "-", 3)
	if !ok || len(part) < 2 || part[0] == "" || part[1] == "" {
		return "", "", "", false
	}
	return part[0], part[1], strings.Join(part[2:], "-"), true
}

// commented reports whether a comment stands on the line where a node begins,
// or alone on the one above.
func (p *Pass) commented(at ast.Node) bool {
	if at == nil {
		return false
	}
	place := p.Fset.Position(at.Pos())
	return slices.ContainsFunc(Comments(p.Source), func(c lint.Comment) bool {
		return c.At.Start.Filename == place.Filename &&
			(c.At.Start.Line == place.Line || c.Alone && c.At.End.Line == place.Line-1)
	})
}

// slip returns the one of known that name is most likely a slip of the finger
// for, or "", and whether no other one is near.
func slip(name string, known []string) (near string, only bool) {
	near = hint.Nearest(name, known)
	if near == "" {
		return "", false
	}
	others := slices.DeleteFunc(slices.Clone(known), func(k string) bool { return strings.EqualFold(k, near) })
	return near, hint.Nearest(name, others) == ""
}
