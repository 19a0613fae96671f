package builders

import (
	"go/ast"
	"iter"
	"slices"
	"strconv"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/goeval"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builds-nothing", Severity: lint.Warning, Title: "policies that leave a builder type nothing to build",
		Why: "buildsRepo says which repositories and branches are built at all, tryBot which of them before submission. " +
			"If there is none that both are true for, the builder is never a trybot; if buildsRepo, unlike disabledBuilder, looks at its arguments and is never true, " +
			"it builds nothing. Each policy is asked about golang.org/x's repositories, the branches of Go's releases, and what it names itself.",
		Before: `addBuilder(BuildConfig{Name: "android-amd64-emu", HostType: "host-linux-amd64-androidemu", tryBot: explicitTrySet("mobile")}) // mobile is not built by default`,
		After:  `addBuilder(BuildConfig{Name: "android-amd64-emu", HostType: "host-linux-amd64-androidemu", tryBot: explicitTrySet("mobile"), buildsRepo: defaultPlus("mobile")})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if !b.Rejected {
				p.checkPolicies(b)
			}
		}
	},
})

func (p *Pass) checkPolicies(b *buildconfig.Record) {
	builds := func(repo, branch, goBranch string) (yes, known bool) {
		if v := b.WrittenValue("buildsRepo"); v == nil || v == (goeval.Nil{}) {
			return p.AskFunc("buildRepoByDefault", repo)
		}
		return p.AskWritten(b, "buildsRepo", repo, branch, goBranch)
	}
	tries := func(repo, branch, goBranch string) (yes, known bool) {
		if yes, known = p.AskWritten(b, "tryBot", repo, branch, goBranch); known && !yes {
			return false, true
		}
		yes, sure := builds(repo, branch, goBranch)
		return yes, known && sure || sure && !yes
	}
	fn, custom := b.WrittenValue("buildsRepo").(*goeval.Func)
	_, tryBot := b.WrittenValue("tryBot").(*goeval.Func)
	switch {
	case tryBot && never(tries, p.questions(b)):
		p.Reportf(b.Node("tryBot"), "builder type %s is never a trybot: buildsRepo is false for all that tryBot is true for", b.Key)
	case !tryBot && custom && !constant(fn) && never(builds, p.questions(b)):
		p.Reportf(b.Node("buildsRepo"), "builder type %s builds nothing: buildsRepo is false for every repository and branch", b.Key)
	}
}

// constant reports whether a policy does nothing but return.
func constant(fn *goeval.Func) bool {
	if fn.Body == nil || len(fn.Body.List) != 1 {
		return false
	}
	ret, ok := fn.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return false
	}
	_, ok = ret.Results[0].(*ast.Ident)
	return ok
}

// question is what a policy is asked.
type question struct{ repo, branch, goBranch string }

// never reports whether a policy certainly says no to all questions.
func never(policy func(repo, branch, goBranch string) (yes, known bool), about iter.Seq[question]) bool {
	for q := range about {
		if yes, known := policy(q.repo, q.branch, q.goBranch); yes || !known {
			return false
		}
	}
	return true
}

// questions are those whose answers matter, the most promising first: they end
// with the first yes.
func (p *Pass) questions(b *buildconfig.Record) iter.Seq[question] {
	return func(yield func(question) bool) {
		if !yield(question{"go", "master", "master"}) {
			return
		}
		named := p.named(b)
		some := slices.Concat([]string{"go"}, named)
		usual := []string{"master", "release-branch.go1.26", "release-branch.go1.20", "release-branch.go1.12"}
		for _, round := range []struct{ repos, branches []string }{
			{some, slices.Concat(usual, named)},
			{some, releaseBranches},
			{repos, slices.Concat(usual[:1], named, releaseBranches)},
		} {
			if !ask(yield, round.repos, round.branches) {
				return
			}
		}
	}
}

// ask yields the questions about repositories at branches, and reports whether
// more are wanted.
func ask(yield func(question) bool, repos, branches []string) bool {
	for _, branch := range branches {
		for _, repo := range repos {
			if !yield(question{repo, branch, branch}) || repo != "go" && !yield(question{repo, "master", branch}) {
				return false
			}
		}
	}
	return true
}

// releaseBranches are those of Go's releases, those to come too, the newest
// first.
var releaseBranches = func() (list []string) {
	for minor := 50; minor >= 4; minor-- {
		list = append(list, "release-branch.go1."+strconv.Itoa(minor))
	}
	return list
}()

// named returns the texts in the policies of b.
func (p *Pass) named(b *buildconfig.Record) (texts []string) {
	add := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if text, ok := literalText(n); ok && text != "" && !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
			return true
		})
	}
	for _, field := range []string{"tryBot", "buildsRepo"} {
		if fn, ok := b.WrittenValue(field).(*goeval.Func); ok {
			add(b.Node(field))
			if fn.Body != nil {
				add(fn.Body)
			}
		}
	}
	return texts
}

// repos are the repositories below golang.org/x that are, or were, built.
var repos = []string{
	"arch", "benchmarks", "blog", "build", "crypto", "debug", "exp", "image", "lint", "mobile", "mod", "net", "oauth2", "perf",
	"pkgsite", "pkgsite-metrics", "playground", "proposal", "review", "scratch", "sync", "sys", "talks", "telemetry", "term", "text",
	"time", "tools", "tour", "vgo", "vuln", "vulndb", "website", "xerrors",
}
