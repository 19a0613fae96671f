package star

import (
	"slices"
	"strings"

	"go.starlark.net/syntax"

	"gobuild/pkg/lint"
	"gobuild/pkg/ports"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-cipd-platform", Severity: lint.Error, Fix: true, Title: "a cipd_platform that is none",
		Why: "CIPD's platforms, and the dimension of bots that is called after them, are GOOS-GOARCH with two exceptions: darwin is mac, and 32-bit arm is armv6l or armv7l. " +
			"No bot has another one: the builds wait for it and expire.",
		Before:  "def bot():\n    return {\"cipd_platform\": \"darwin-arm64\"}",
		After:   "def bot():\n    return {\"cipd_platform\": \"mac-arm64\"}",
		Section: "LUCI protocol, section 12.3",
	},
	Check: func(p *Pass) {
		check := func(name, val syntax.Expr) {
			lit, ok := val.(*syntax.Literal)
			if !ok || lit.Token != syntax.STRING || !isIdent(name, "cipd_platform") && !isText(name, "cipd_platform") {
				return
			}
			platform := lit.Value.(string)
			right, wrong := cipdPlatform(platform)
			if !wrong {
				return
			}
			if right == "" {
				p.Reportf(lit, "CIPD has no platform %q", platform)
				return
			}
			p.ReportFix(lit, p.Replace(&value{text: platform, node: lit}, right, "write "+right), "CIPD has no platform %q: it is called %s", platform, right)
		}
		for _, stmt := range p.Stmts {
			syntax.Walk(stmt, func(n syntax.Node) bool {
				switch n := n.(type) {
				case *syntax.DictEntry:
					check(n.Key, n.Value)
				case *syntax.AssignStmt:
					if index, ok := n.LHS.(*syntax.IndexExpr); ok {
						check(index.Y, n.RHS)
					} else {
						check(n.LHS, n.RHS)
					}
				case *syntax.BinaryExpr:
					if n.Op == syntax.EQ {
						check(n.X, n.Y)
					}
				}
				return true
			})
		}
	},
})

// Slips for the parts of a platform, and what is meant.
var (
	cipdOS   = map[string]string{"darwin": "mac", "macos": "mac", "osx": "mac", "macosx": "mac", "win": "windows", "win32": "windows", "win64": "windows"}
	cipdArch = map[string]string{"arm64v8": "arm64", "aarch64": "arm64", "armv8": "arm64", "x86_64": "amd64", "x64": "amd64", "x86": "386", "i386": "386", "arm": "armv6l", "arm32v7": "armv7l", "armv6": "armv6l", "armv7": "armv7l"}
)

// cipdPlatform reports whether a platform is surely wrong, and what is right,
// if that is plain.
func cipdPlatform(platform string) (right string, wrong bool) {
	goos, arch, ok := strings.Cut(platform, "-")
	if !ok {
		return "", !strings.ContainsAny(platform, "${}%")
	}
	if strings.ContainsAny(platform, "${}%") {
		return "", false // a template
	}
	if name, slip := cipdOS[goos]; slip {
		goos = name
	}
	if name, slip := cipdArch[arch]; slip {
		arch = name
	}
	known := (goos == "mac" || goos != "darwin" && ports.KnownOS(goos)) &&
		(arch != "arm" && ports.KnownArch(arch) || slices.Contains([]string{"armv6l", "armv7l", "armv8l", "mips32", "sparc64"}, arch))
	right = goos + "-" + arch
	switch {
	case !known:
		return "", true
	case right != platform:
		return right, true
	}
	return "", false
}

func isText(x syntax.Expr, text string) bool {
	lit, ok := x.(*syntax.Literal)
	return ok && lit.Value == any(text)
}
