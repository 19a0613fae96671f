package builders

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/goeval"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "notes-version", Severity: lint.Warning, Title: "notes about another release than the name says",
		Why: "Notes are what people read on the page of builders. Where they tell of FreeBSD 12.3 and the name says 13_0, " +
			"an entry was copied, or updated by half.",
		Before: `"host-freebsd-amd64-13_0": {VMImage: "freebsd-amd64-130", Notes: "FreeBSD 12.3"},`,
		After:  `"host-freebsd-amd64-13_0": {VMImage: "freebsd-amd64-130", Notes: "FreeBSD 13.0"},`,
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			if goos, goarch, _, ok := hostArch(h); ok {
				name := parts(h.Key)
				p.notesVersion(h, "host type", goos, goarch, name[min(1, len(name)):])
			}
		}
		for _, b := range p.Builders {
			if name := parts(b.Key); len(name) > 1 && !b.Rejected {
				p.notesVersion(b, "builder type", name[0], name[1], name)
			}
		}
	},
})

// notesVersion compares the releases in the notes on a record with that in its
// name.
func (p *Pass) notesVersion(r *buildconfig.Record, what, goos, goarch string, name []string) {
	notes, ok := goeval.String(r.WrittenValue("Notes"))
	if !ok || notes == "" {
		return
	}
	for _, product := range releases {
		if product.goos != "" && product.goos != goos {
			continue
		}
		said := product.inName(name, goarch)
		told := product.inNotes(notes)
		if said == "" || len(told) == 0 || slices.ContainsFunc(told, func(t string) bool { return agree(t, said) }) {
			continue
		}
		p.Reportf(r.Node("Notes"), "the notes on %s %s tell of %s %s, but its name says %s", what, r.Key, product.name, told[0], said)
	}
}

// productRelease is how the releases of a product are written in notes and names.
type productRelease struct {
	goos   string // of systems whose version stands alone in the name, behind the port
	name   string
	notes  *lazyre.Regexp
	prefix string            // of the version in the name, of products that have one there
	words  map[string]string // what the maker calls releases, and their versions
}

var releases = []productRelease{
	{goos: "darwin", name: "macOS", words: macNames,
		notes: lazyre.New(`(?i)\b(?:mac ?os(?: x)?|os x)\s+(?:(?:` + strings.Join(slices.Sorted(maps.Keys(macNames)), "|") + `)\s*)?\(?v?(\d+(?:[._]\d+)*)\b`)},
	{goos: "freebsd", name: "FreeBSD", notes: lazyre.New(`(?i)\bfreebsd[ /-]v?(\d+(?:\.\d+)*)`)},
	{goos: "netbsd", name: "NetBSD", notes: lazyre.New(`(?i)\bnetbsd[ /-]v?(\d+(?:\.\d+)*)`)},
	{goos: "openbsd", name: "OpenBSD", notes: lazyre.New(`(?i)\bopenbsd[ /-]v?(\d+(?:\.\d+)*)`)},
	{goos: "dragonfly", name: "DragonFly BSD", notes: lazyre.New(`(?i)\bdragonfly(?: ?bsd)?[ /-]v?(\d+(?:\.\d+)*)`)},
	{goos: "windows", name: "Windows", prefix: "windows", notes: lazyre.New(`(?i)\bwindows (?:server )?(\d+)\b`)},
	{name: "Ubuntu", prefix: "ubuntu", notes: lazyre.New(`(?i)\bubuntu v?(\d+(?:\.\d+)*)`)},
	{name: "Fedora", prefix: "fedora", notes: lazyre.New(`(?i)\bfedora v?(\d+)`)},
	{name: "Node.js", prefix: "node", notes: lazyre.New(`(?i)\bnode(?:\.?js)? v?(\d+(?:\.\d+)*)`)},
	{name: "Debian", words: debianNames, notes: lazyre.New(`(?i)\bdebian (\w+)`)},
}

var macNames = map[string]string{
	"el capitan": "10.11", "sierra": "10.12", "high sierra": "10.13", "mojave": "10.14", "catalina": "10.15",
	"big sur": "11", "monterey": "12", "ventura": "13", "sonoma": "14", "sequoia": "15", "tahoe": "26",
}

// debianNames are the releases of Debian, which names of host types call by
// their names.
var debianNames = map[string]string{
	"wheezy": "wheezy", "jessie": "jessie", "stretch": "stretch", "buster": "buster", "bullseye": "bullseye",
	"bookworm": "bookworm", "trixie": "trixie", "forky": "forky", "sid": "sid",
	"7": "wheezy", "8": "jessie", "9": "stretch", "10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky",
}

var (
	plainVersion = lazyre.New(`^v?(\d+(?:_\d+)*)$`)
	digits       = lazyre.New(`^v?(\d[\d_]*)$`)
)

// inName returns the release in the parts of a name, or "".
func (r productRelease) inName(name []string, goarch string) string {
	for _, word := range name {
		if rest, ok := strings.CutPrefix(word, r.prefix); ok && r.prefix != "" && digits.MatchString(rest) {
			return digits.FindStringSubmatch(rest)[1]
		}
		if version := r.words[word]; version != "" && r.goos == "" && !digits.MatchString(word) {
			return version
		}
	}
	behind := slices.Index(name, goarch) + 1
	if r.goos == "" || behind == 0 {
		return ""
	}
	for _, word := range name[behind:] {
		if m := plainVersion.FindStringSubmatch(word); m != nil {
			return m[1]
		}
	}
	return ""
}

// inNotes returns the releases that notes tell of.
func (r productRelease) inNotes(notes string) (list []string) {
	for _, m := range r.notes.FindAllStringSubmatch(notes, -1) {
		switch version := r.words[strings.ToLower(m[1])]; {
		case version != "":
			list = append(list, version)
		case r.goos != "" || r.prefix != "":
			list = append(list, m[1])
		}
	}
	if len(list) == 0 && r.goos != "" {
		for _, word := range slices.Sorted(maps.Keys(r.words)) {
			if regexp.MustCompile(`(?i)\b` + word + `\b`).MatchString(notes) {
				list = append(list, r.words[word])
			}
		}
	}
	return list
}

// agree reports whether two versions are the same as far as both go: 13.0 is
// 13_0, 13 and 130.
func agree(a, b string) bool {
	strip := strings.NewReplacer(".", "", "_", "")
	a, b = strip.Replace(a), strip.Replace(b)
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}
