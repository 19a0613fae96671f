package star

import (
	"net/mail"
	"strings"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-contact-form", Severity: lint.Error, Fix: true, Title: "a contact that is no e-mail address",
		Why: "HOST_CONTACT_EMAILS has a list of e-mail addresses for each host. lucicfg writes down whatever text is there; " +
			"without a login nothing looks at it before it is live.",
		Before:  `HOST_CONTACT_EMAILS = {"netbsd-arm": [" gopher@golang.org"]}`,
		After:   `HOST_CONTACT_EMAILS = {"netbsd-arm": ["gopher@golang.org"]}`,
		Section: "LUCI protocol, section 12.4",
	},
	Check: func(p *Pass) {
		items, _ := p.dict(contactTable)
		for _, it := range items {
			switch {
			case it.val.kind == text || it.val.kind == number || it.val.kind == none:
				p.Reportf(it.val.node, "the contact of %s is no list of e-mail addresses", it.key)
			case it.val.kind == list && len(it.val.elems) == 0 && !it.val.open:
				p.Reportf(it.val.node, "the contact of %s has no e-mail address", it.key)
			case it.val.kind == list:
				for _, v := range it.val.elems {
					p.checkAddress(v)
				}
			}
		}
	},
})

func (p *Pass) checkAddress(v *value) {
	switch v.kind {
	case number, none:
		p.Reportf(v.node, "this is no e-mail address")
	case text:
		clean := strings.TrimPrefix(strings.TrimSpace(v.text), "mailto:")
		_, err := mail.ParseAddress(clean)
		switch {
		case err != nil:
			p.Reportf(v.node, "%q is no e-mail address", v.text)
		case clean != v.text:
			p.ReportFix(v.node, p.Replace(v, clean, "write "+clean), "%q has more in it than the e-mail address", v.text)
		}
	}
}
