package builders

import (
	"strconv"

	"gobuild/pkg/goeval"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "host-type-differs", Severity: lint.Error, Title: "a HostType that is not the key of its entry",
		Why: "HostType repeats the key in Hosts, and is filled in where it is left out. " +
			"Where the two differ the coordinator panics when it starts.",
		Before:  `"host-linux-amd64-sid": {HostType: "host-linux-amd64-stretch", ContainerImage: "linux-x86-sid:latest"},`,
		After:   `"host-linux-amd64-sid": {HostType: "host-linux-amd64-sid", ContainerImage: "linux-x86-sid:latest"},`,
		Fix:     true,
		Section: "build protocol, section 12.3, rule 2",
	},
	Check: func(p *Pass) {
		named := map[string]bool{} // by builder types
		for _, b := range p.Builders {
			name, _ := b.String("HostType")
			named[name] = true
		}
		for _, h := range p.Hosts {
			written, ok := goeval.String(h.WrittenValue("HostType"))
			if !ok || written == "" || written == h.Key || h.Key == "" {
				continue
			}
			var fix *lint.Fix
			// If builder types use the written name, the key may be what is wrong.
			if kv := h.KeyValue("HostType"); kv != nil && !named[written] {
				if _, plain := literalText(kv.Value); plain {
					fix = p.Replace(kv.Value, strconv.Quote(h.Key), "write the key of the entry")
				}
			}
			p.ReportFix(h.Node("HostType"), fix, "HostType is %q, but the key of the entry is %q: they must be equal", written, h.Key)
		}
	},
})
