package star

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-contact-unknown", Severity: lint.Error, Fix: true, Title: "a contact for a host that is not there",
		Why: "The addresses in HOST_CONTACT_EMAILS get mail when the machines of a host type fail. Under a name that is the host type of no builder type " +
			"nobody ever gets any; lucicfg says nothing, and what it writes does not change.",
		Before: `BUILDER_TYPES = ["netbsd-arm"]` + "\n" +
			`HOST_CONTACT_EMAILS = {"netbds-arm": ["gopher@golang.org"]}`,
		After: `BUILDER_TYPES = ["netbsd-arm"]` + "\n" +
			`HOST_CONTACT_EMAILS = {"netbsd-arm": ["gopher@golang.org"]}`,
		Section: "LUCI protocol, section 12.4",
	},
	Check: func(p *Pass) {
		items, _ := p.dict(contactTable)
		for _, it := range items {
			if it.key.kind == text {
				p.reportHost(it.key, keyTaken(items))
			}
		}
	},
})
