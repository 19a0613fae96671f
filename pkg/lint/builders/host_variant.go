package builders

import (
	"go/ast"
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "host-variant", Severity: lint.Warning, Title: "a host type for a variant of an architecture that no variable asks for",
		Why: "The name says power10, armv5, softfloat or the like, or the notes say GOPPC64=power10, but neither the host type nor any builder type on it sets the variable. " +
			"What is built there is the same as everywhere. Notes that only tell what hardware it is do not count.",
		Before: `"host-linux-ppc64le-power10": {IsReverse: true, ExpectNum: 1},` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-ppc64le-power10", HostType: "host-linux-ppc64le-power10"})`,
		After: `"host-linux-ppc64le-power10": {IsReverse: true, ExpectNum: 1, env: []string{"GOPPC64=power10"}},` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-ppc64le-power10", HostType: "host-linux-ppc64le-power10"})`,
	},
	Check: func(p *Pass) {
		users, all := p.users()
		if !all {
			users = nil
		}
		for _, h := range p.Hosts {
			_, goarch, suffix, ok := hostArch(h)
			if !ok {
				continue
			}
			for i, word := range parts(h.Key) {
				want, ok := variantOf(word, goarch, i == 3)
				if ok && !(want.vars[0] == "GOARM" && suffix == want.value) {
					p.wantVariant(h, users[h.Key], want, "by its name host type "+h.Key+" is for "+word, h.Node("HostArch"))
				}
			}
			notes, _ := h.String("Notes")
			for _, m := range variantNote.FindAllStringSubmatch(notes, -1) {
				if m[1] != "GOARM" || suffix != m[2] {
					p.wantVariant(h, users[h.Key], variant{[]string{m[1]}, m[2]}, "the notes on host type "+h.Key+" say "+m[0], h.Node("Notes"))
				}
			}
		}
	},
})

// variantNote finds a variable with its value in notes.
var variantNote = lazyre.New(`\b(GO386|GOAMD64|GOARM|GOARM64|GOMIPS|GOMIPS64|GOPPC64|GORISCV64)=([0-9a-z]+)\b`)

// variant is a value of a variable, or of one of several.
type variant struct {
	vars  []string
	value string
}

// variantOf returns the variant that a word in a name stands for. Versions such
// as v3 count right behind the architecture only: elsewhere they may be those of
// an image.
func variantOf(word, goarch string, behindArch bool) (variant, bool) {
	level := strings.TrimPrefix(strings.TrimPrefix(word, "go"), "amd64")
	switch {
	case strings.HasPrefix(goarch, "ppc64") && levelOf("ppc64", word):
		return variant{[]string{"GOPPC64"}, word}, true
	case goarch == "arm" && (word == "armv5" || word == "armv6" || word == "armv7"):
		return variant{[]string{"GOARM"}, word[len("armv"):]}, true
	case goarch == "amd64" && levelOf("amd64", level) && (behindArch || level != word):
		return variant{[]string{"GOAMD64"}, level}, true
	case goarch == "riscv64" && levelOf("riscv64", word):
		return variant{[]string{"GORISCV64"}, word}, true
	case word == "softfloat" && (goarch == "386" || goarch == "amd64"):
		return variant{[]string{"GO386"}, word}, true
	case word == "softfloat" && strings.HasPrefix(goarch, "mips"):
		return variant{[]string{"GOMIPS", "GOMIPS64"}, word}, true
	}
	return variant{}, false
}

// wantVariant reports if a host type sets another value than is wanted, or if
// neither it nor one of its users sets one.
func (p *Pass) wantVariant(h *buildconfig.Record, users []*buildconfig.Record, want variant, reason string, at ast.Node) {
	list, all := h.List("env")
	if has, known := h.Has("env"); known && !has {
		all = true
	}
	var own buildconfig.Var
	for _, e := range list {
		text, ok := e.String()
		all = all && ok
		if name, value, _ := strings.Cut(text, "="); slices.Contains(want.vars, name) {
			own = buildconfig.Var{Name: name, Value: value, Node: e.Node}
		}
	}
	switch {
	case !all:
		return
	case own.Name != "":
		if value, _, _ := strings.Cut(own.Value, ","); value != want.value {
			if own.Node != nil {
				at = own.Node
			}
			p.Reportf(at, "%s, but its environment says %s=%s instead of %s", reason, own.Name, own.Value, want.value)
		}
		return
	}
	if len(users) == 0 {
		return // that nobody uses it is said by host-unused
	}
	for _, b := range users {
		env, all := p.Environ(b)
		if !all || slices.ContainsFunc(env, func(v buildconfig.Var) bool { return slices.Contains(want.vars, v.Name) }) {
			return
		}
	}
	p.Reportf(at, "%s, but neither it nor a builder type on it sets %s=%s", reason, strings.Join(want.vars, " or "), want.value)
}
