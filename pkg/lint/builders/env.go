package builders

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

// envVar is an element of an env field.
type envVar struct {
	Text        string // as a whole
	Name, Value string // of NAME=VALUE
	Pair        bool   // whether it has that form
	Node        ast.Node
	Rec         *buildconfig.Record // whose env it is
}

// ownEnv returns the elements of a record's env that are known, in their order.
func ownEnv(r *buildconfig.Record) (list []envVar) {
	each(r, "env", func(text string, at ast.Node) {
		e := envVar{Text: text, Node: at, Rec: r}
		e.Name, e.Value, e.Pair = strings.Cut(text, "=")
		list = append(list, e)
	})
	return list
}

// eachEnv calls f for the env of every host type and builder type.
func (p *Pass) eachEnv(f func(r *buildconfig.Record, list []envVar)) {
	for _, h := range p.Hosts {
		f(h, ownEnv(h))
	}
	for _, b := range p.Builders {
		if !b.Rejected {
			f(b, ownEnv(b))
		}
	}
}

// osOf returns the operating system of the machine that a record's commands
// run on, or "".
func (p *Pass) osOf(r *buildconfig.Record) string {
	if has, _ := r.Has("HostArch"); !has {
		if r = p.HostOf(r); r == nil {
			return ""
		}
	}
	arch, _ := r.String("HostArch")
	return parts(arch)[0]
}

// setText returns a fix that writes another text where a string literal
// stands; nil if something else stands there.
func (p *Pass) setText(at ast.Node, text, message string) *lint.Fix {
	if lit, ok := at.(*ast.BasicLit); !ok || lit.Kind != token.STRING {
		return nil
	}
	return p.Replace(at, strconv.Quote(text), message)
}

// removeVar returns a fix that takes a variable out of the env literal of its
// record; nil if it does not stand right in it.
func (p *Pass) removeVar(e envVar) *lint.Fix {
	kv := e.Rec.KeyValue("env")
	if kv == nil {
		return nil
	}
	list, ok := kv.Value.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	for _, elt := range list.Elts {
		if lit, ok := elt.(*ast.BasicLit); ok && ast.Node(lit) == e.Node {
			return p.Remove(lit, "take "+e.Text+" out")
		}
	}
	return nil
}

// closest returns the one of known that name is most likely a slip of the
// finger for, or "", and whether that is the only one: no other is near, or
// all others are further than a letter, or than capitals.
func closest(name string, known []string) (near string, only bool) {
	if near, only = slip(name, known); near == "" || only {
		return near, only
	}
	if strings.EqualFold(name, near) {
		return near, true
	}
	at := 0
	for _, k := range known {
		if oneOff(strings.ToLower(name), strings.ToLower(k)) {
			at++
		}
	}
	return near, at == 1
}

// offer returns the question that goes behind a message about a wrong word, or
// "".
func offer(near string) string {
	if near == "" {
		return ""
	}
	return "; did you mean " + near + "?"
}
