package star

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-slow-scale", Severity: lint.Error, Title: "a slow host whose scale is no positive whole number",
		Why: "The scale in SLOW_HOSTS multiplies the time-outs of tests; it ends up as GO_TEST_TIMEOUT_SCALE, which go tool dist reads as a whole number. " +
			"With zero or less every test times out.",
		Before:  `SLOW_HOSTS = {"netbsd-arm": struct(scale = 0)}`,
		After:   `SLOW_HOSTS = {"netbsd-arm": struct(scale = 5)}`,
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		items, _ := p.dict(slowTable)
		for _, it := range items {
			scale, failure := p.scale(it)
			switch {
			case failure != "":
				p.Reportf(it.key.node, "the entry of %s has no scale: lucicfg refuses it, %s", it.key, failure)
			case scale.kind == number && scale.num <= 0:
				p.Reportf(it.key.node, "the scale of %s is %d", it.key, scale.num)
			case scale.kind == text || scale.kind == fraction || scale.kind == none || scale.kind == truth:
				p.Reportf(it.key.node, "the scale of %s is no whole number", it.key)
			}
		}
	},
})

// scale returns the scale of an entry in SLOW_HOSTS: a field scale of a
// struct, or the whole value in old files. The file's host_timeout_scale knows
// which, and what it fails with.
func (p *Pass) scale(it item) (scale *value, failure string) {
	if p.globals["host_timeout_scale"] != nil && it.key.kind == text {
		return p.call("host_timeout_scale", it.key)
	}
	if v := it.val.field("scale"); v != nil {
		return v, ""
	}
	return it.val, ""
}
