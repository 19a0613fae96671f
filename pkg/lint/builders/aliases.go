package builders

import (
	"go/ast"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/ports"
)

// aliases returns the aliases by their names.
func (p *Pass) aliases() map[string]*buildconfig.Alias {
	of := map[string]*buildconfig.Alias{}
	for _, a := range p.Aliases {
		of[a.Name] = a
	}
	return of
}

// aliasNode returns the expression of what an alias stands for, else that of
// its name, or nil.
func aliasNode(a *buildconfig.Alias) ast.Node {
	switch {
	case a.BuilderNode != nil:
		return a.BuilderNode
	case a.NameNode != nil:
		return a.NameNode
	}
	return nil
}

// aliasName returns the expression of an alias's name, or nil.
func aliasName(a *buildconfig.Alias) ast.Node {
	if a.NameNode != nil {
		return a.NameNode
	}
	return aliasNode(a)
}

// aliasPort returns the operating system and the architecture that a name begins
// with, of which one may be missing; both are empty if it begins with none.
func aliasPort(name string) (goos, goarch string) {
	part := parts(name)
	switch {
	case len(part) > 1 && ports.KnownOS(part[0]) && ports.KnownArch(part[1]):
		return part[0], part[1]
	case len(part) == 1 && ports.KnownOS(name):
		return name, ""
	case len(part) == 1 && ports.KnownArch(name):
		return "", name
	}
	return "", ""
}

// asks reports whether a name can be a term of a TRY= comment: the coordinator
// splits the comment at everything else.
func asks(name string) bool {
	return name != "" && strings.IndexFunc(name, splitsTerms) < 0
}
