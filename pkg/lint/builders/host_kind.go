package builders

import (
	"strings"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "host-kind", Severity: lint.Error, Title: "a host type that is none of image, container and reverse, or several of them",
		Why: "A host type says where its machines come from: exactly one of VMImage, ContainerImage " +
			"and IsReverse (an EC2 host may have a container on top of its image). Otherwise the coordinator panics when it starts.",
		Before:  `"host-linux-amd64-new": {Notes: "a new board", ExpectNum: 1},`,
		After:   `"host-linux-amd64-new": {Notes: "a new board", IsReverse: true, ExpectNum: 1},`,
		Section: "build protocol, section 12.3, rules 5 and 15",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			ec2 := h.Is("IsEC2") || h.Is("isEC2") // as it was spelt at first
			var set []string
			certain := true
			for _, field := range []string{"VMImage", "ContainerImage", "IsReverse"} {
				has, known := isSet(h, field)
				certain = certain && known
				if has && !(ec2 && field == "ContainerImage") {
					set = append(set, field)
				}
			}
			switch {
			case len(set) > 1:
				p.Reportf(h.Node(set[1]), "host type %s sets %s: exactly one of VMImage, ContainerImage, IsReverse", h.Key, strings.Join(set, " and "))
			case len(set) == 0 && certain:
				p.Reportf(h.KeyNode, "host type %s sets none of VMImage, ContainerImage, IsReverse: exactly one says where its machines come from", h.Key)
			}
		}
	},
})
