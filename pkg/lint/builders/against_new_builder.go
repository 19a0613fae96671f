package builders

import (
	"gobuild/pkg/lint"
)

var _ = registerChange(ChangeRule{
	Doc: lint.Doc{
		ID: "against-new-builder", Severity: lint.Info, Title: "a new builder type without a known issue",
		Why: "Until a new builder has proved itself its failures are nobody's regression. KnownIssues says so, with the " +
			"number of the issue that asked for it.",
		Before: `// old:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64"})` + "\n" +
			`// new:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64"})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-sparc64", HostType: "host-linux-sparc64"})`,
		After: `// old:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64"})` + "\n" +
			`// new:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64"})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-sparc64", HostType: "host-linux-sparc64", KnownIssues: []int{12345}})`,
		Section: "build protocol, section 12.3",
	},
	Check: func(p *Change) {
		if !whole(p.Old) {
			return
		}
		for _, b := range p.Builders {
			issues, all := b.List("KnownIssues")
			if certain(b) && p.Old.Builder(b.Key) == nil && all && len(issues) == 0 {
				p.Reportf(b.Node("Name"), "new builder type %s has no KnownIssues", b.Key)
			}
		}
	},
})
