package builders

import (
	"strconv"
	"strings"

	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "ssh-username", Severity: lint.Warning, Title: "an SSHUsername that can be nobody's name",
		Why: "Whoever asks for a shell on an instance is logged in as SSHUsername. " +
			"A space, an @ or another sign that no user name has makes every login fail. Without SSHUsername there is no ssh.",
		Before: `SSHUsername: "root ",`,
		After:  `SSHUsername: "root",`,
		Fix:    true,
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			name, ok := h.String("SSHUsername")
			if !ok || name == "" || userName.MatchString(name) {
				continue
			}
			meant := strings.TrimSpace(name)
			if !userName.MatchString(meant) {
				p.Reportf(h.Node("SSHUsername"), "SSHUsername %q is no user name: it should be of letters, digits, dots, dashes and underscores", name)
				continue
			}
			var fix *lint.Fix
			if kv := h.KeyValue("SSHUsername"); kv != nil {
				if _, plain := literalText(kv.Value); plain {
					fix = p.Replace(kv.Value, strconv.Quote(meant), "take out the space")
				}
			}
			p.ReportFix(h.Node("SSHUsername"), fix, "SSHUsername %q has a space and should be %q", name, meant)
		}
	},
})

// userName is what systems take for the name of a user: Unix ones, and those of
// Windows without a domain.
var userName = lazyre.New(`^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$`)
