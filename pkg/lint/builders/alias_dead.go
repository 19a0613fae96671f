package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "alias-dead", Severity: lint.Info, Title: "an alias for a builder type that builds nothing",
		Why: "A TRY= term that is such an alias is accepted, and nothing is built. A builder type that builds no repository, " +
			"neither at the master branches nor at the release branches of Go 1.24 to 1.28, has been stopped or its " +
			"policy is not what was meant. Where all of them build nothing, such as when a farm is given up, nothing is reported.",
		Before: `"newinliner": "linux-amd64-newinliner",` + "\n" +
			`"linux":      "linux-amd64",` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64-newinliner", HostType: "host-linux-amd64-bullseye", buildsRepo: disabledBuilder})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64-bullseye"})`,
		After: `"newinliner": "",` + "\n" +
			`"linux":      "linux-amd64",` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64-newinliner", HostType: "host-linux-amd64-bullseye", buildsRepo: disabledBuilder})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64-bullseye"})`,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Pass) {
		alive := map[string]bool{}
		var unsure []*buildconfig.Alias
		for _, a := range p.Aliases {
			b := p.Builder(a.Builder)
			if !a.Known || !certain(b) || alive[b.Key] {
				continue // or asked for another alias
			}
			if yes, known := p.Builds(b, "go", "master", "master"); yes || !known {
				alive[b.Key] = true
			} else {
				unsure = append(unsure, a)
			}
		}
		if len(alive) == 0 {
			return
		}
		var dead []string
		for _, a := range unsure {
			if !alive[a.Builder] && p.buildsAnything(p.Builder(a.Builder)) {
				alive[a.Builder] = true
			}
			if !alive[a.Builder] {
				dead = append(dead, a.Name)
			}
		}
		p.deadAliases(dead)
	},
})

// deadAliases reports aliases of builder types that build nothing: a few where
// they are, many at the table.
func (p *Pass) deadAliases(names []string) {
	if len(names) > 5 {
		p.Reportf(p.declared("slowBotAliases"), "%d aliases stand for builder types that build no repository: %s", len(names), enumerate(names, "and"))
		return
	}
	aliases := p.aliases()
	for _, name := range names {
		a := aliases[name]
		p.Reportf(aliasNode(a), "alias %s stands for builder type %s, which builds no repository", name, a.Builder)
	}
}

// Repositories that policies make a difference for, and the branches of Go.
var (
	someRepos = []string{
		"go", "arch", "benchmarks", "build", "crypto", "debug", "exp", "image", "mobile", "mod", "net", "oauth2", "oscar", "perf", "pkgsite",
		"pkgsite-metrics", "protobuf", "review", "scratch", "sync", "sys", "telemetry", "term", "text", "time", "tools", "tour", "vscode-go",
		"vuln", "vulndb", "website", "xerrors",
	}
	goBranches = []string{
		"master", "release-branch.go1.28", "release-branch.go1.27", "release-branch.go1.26", "release-branch.go1.25", "release-branch.go1.24",
		"dev.boringcrypto", "dev.fuzz", "dev.simd",
	}
)

// buildsAnything reports whether a builder type builds a repository before or
// after submission, or may.
func (p *Pass) buildsAnything(b *buildconfig.Record) bool {
	for _, repo := range someRepos {
		for _, branch := range goBranches {
			own := "master"
			if repo == "go" {
				own = branch
			}
			for _, ask := range []func(*buildconfig.Record, string, string, string) (bool, bool){p.Builds, p.Tries} {
				if yes, known := ask(b, repo, own, branch); yes || !known {
					return true
				}
			}
		}
	}
	return false
}
