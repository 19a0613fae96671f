package builders

import (
	"go/ast"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "unknown-field", Severity: lint.Error, Title: "a field that host types or builder types do not have",
		Why:    "The literal sets a field that its type does not declare, which does not compile. Where the type is not at hand nothing is reported.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64", Hosttype: "host-linux-amd64"})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64"})`,
		Fix:    true,
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			p.unknownFields(h, "host types")
		}
		for _, b := range p.Builders {
			p.unknownFields(b, "builder types")
		}
	},
})

func (p *Pass) unknownFields(r *buildconfig.Record, kind string) {
	if r.Lit == nil {
		return
	}
	for _, e := range r.Lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		name, ok := kv.Key.(*ast.Ident)
		if !ok {
			continue
		}
		if has, known := r.Has(name.Name); has || !known {
			continue
		}
		near, only := closest(name.Name, r.Fields())
		var fix *lint.Fix
		if only && !r.Written(near) {
			fix = p.Replace(name, near, "write "+near)
		}
		p.ReportFix(name, fix, "%s have no field %s%s", kind, name.Name, offer(near))
	}
}
