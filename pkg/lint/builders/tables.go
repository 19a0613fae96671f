package builders

import (
	"go/ast"
)

// tableValue returns the expression that the linted file gives to a
// package-level variable or constant, or nil.
func (p *Pass) tableValue(name string) ast.Expr {
	for _, d := range p.File.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			v, ok := spec.(*ast.ValueSpec)
			if !ok || len(v.Values) != len(v.Names) {
				continue
			}
			for i, id := range v.Names {
				if id.Name == name {
					return v.Values[i]
				}
			}
		}
	}
	return nil
}
