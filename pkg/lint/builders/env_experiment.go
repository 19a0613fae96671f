package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-experiment", Severity: lint.Warning, Title: "a GOEXPERIMENT that no Go knows, near one that some do",
		Why: "Every go command ends at once at an experiment that it does not know. The names are the fields of " +
			"internal/goexperiment.Flags in small letters, with no before them to turn one off. Which there are " +
			"differs between releases, so only a name that is near one of Go 1.17 to 1.26 is reported.",
		Before: `env: []string{"GOEXPERIMENT=boringcrypo"}`,
		After:  `env: []string{"GOEXPERIMENT=boringcrypto"}`,
		Fix:    true,
	},
	Check: func(p *Pass) {
		p.eachEnv(func(_ *buildconfig.Record, list []envVar) {
			for _, e := range list {
				if e.Name == "GOEXPERIMENT" && e.Pair {
					p.envExperiment(e)
				}
			}
		})
	},
})

func (p *Pass) envExperiment(e envVar) {
	words := strings.Split(e.Value, ",")
	mended, all := slices.Clone(words), true
	for i, word := range words {
		if near, only := nearExperiment(word); near != "" {
			mended[i], all = near, all && only
		}
	}
	var fix *lint.Fix
	if all {
		text := "GOEXPERIMENT=" + strings.Join(mended, ",")
		fix = p.setText(e.Node, text, "write "+text)
	}
	for i, word := range words {
		if mended[i] != word {
			p.ReportFix(e.Node, fix, "Go has no experiment %q; did you mean %s?", word, mended[i])
		}
	}
}

// nearExperiment returns the word that one in GOEXPERIMENT is most likely a
// slip of the finger for, and whether no other is near; "" if the word may be
// right.
func nearExperiment(word string) (near string, only bool) {
	if word == "" || slices.Contains(experiments, word) || slices.Contains(experiments, strings.TrimPrefix(word, "no")) {
		return "", false
	}
	bare, off := strings.TrimSpace(word), ""
	if lower := strings.ToLower(bare); strings.HasPrefix(lower, "no") && !slices.Contains(experiments, lower) {
		bare, off = bare[len("no"):], "no"
	}
	near, only = closest(bare, experiments)
	if near == "" || bare != near && unnumbered(bare) == unnumbered(near) {
		return "", false // such as the second of its kind
	}
	return off + near, only
}

// unnumbered returns a name without the number at its end.
func unnumbered(name string) string { return strings.TrimRight(name, "0123456789") }

// experiments are those of Go 1.17 to 1.26, and words that stand for several.
var experiments = strings.Fields(`
	none regabi
	aliastypeparams allocheaders arenas boringcrypto cacheprog cgocheck2 coverageredesign dwarf5 exectracer2
	fieldtrack goroutineleakprofile greenteagc heapminimum512kib jsonv2 loopvar newinliner pacerredesign
	pagetrace preemptibleloops randomizedheapbase64 range rangefunc regabiargs regabidefer regabig
	regabireflect regabiwrappers runtimefreegc runtimesecret simd sizespecializedmalloc spinbitmutex
	staticlockranking swissmap synchashtriemap synctest typeparams unified
`)
